//! How far everything is handled, when things are begun in order and end in any.

use std::collections::VecDeque;

use event_store::client::Position;

/// What was begun, from the first that has not ended on.
#[derive(Debug, Default)]
pub(crate) struct Window {
    begun: VecDeque<(Position, bool)>,
    /// The number of the first of them.
    first: u64,
    through: Option<Position>,
}

/// Which of those begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number(u64);

impl Window {
    pub fn from(through: Option<Position>) -> Self {
        Self { through, ..Self::default() }
    }

    /// What is at this place is begun.
    pub fn begin(&mut self, at: Position) -> Number {
        self.begun.push_back((at, false));
        Number(self.first + self.begun.len() as u64 - 1)
    }

    /// It has come to its end.
    pub fn end(&mut self, Number(number): Number) {
        let entry = usize::try_from(number - self.first).ok().and_then(|index| self.begun.get_mut(index));
        if let Some((_, ended)) = entry {
            *ended = true;
        }
        while let Some((at, true)) = self.begun.front() {
            self.through = Some(*at);
            self.begun.pop_front();
            self.first += 1;
        }
    }

    /// Nothing up to here needs to be handled, apart from what was begun.
    pub fn pass(&mut self, at: Position) {
        let number = self.begin(at);
        self.end(number);
    }

    /// Everything up to here is handled.
    pub fn through(&self) -> Option<Position> {
        self.through
    }

    /// How many have not passed yet.
    pub fn len(&self) -> usize {
        self.begun.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(commit: u64) -> Position {
        Position { commit, prepare: commit }
    }

    #[test]
    fn the_end_of_something_counts_once_everything_before_it_has_ended() {
        let mut window = Window::from(Some(at(1)));
        let numbers = [2, 3, 4].map(|place| window.begin(at(place)));
        window.end(numbers[1]);
        window.pass(at(5));
        assert_eq!((window.through(), window.len()), (Some(at(1)), 4));
        window.end(numbers[0]);
        assert_eq!((window.through(), window.len()), (Some(at(3)), 2));
        window.end(numbers[2]);
        assert_eq!((window.through(), window.len()), (Some(at(5)), 0));
        window.pass(at(6));
        assert_eq!(window.through(), Some(at(6)));
    }
}
