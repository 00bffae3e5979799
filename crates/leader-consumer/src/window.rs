//! Up to where every event is handled, when events are begun in order and finished in any order.

use std::collections::VecDeque;

use event_store::Position;
use uuid::Uuid;

use crate::origin::Mark;

/// The events that were begun, from the first unfinished one on.
#[derive(Debug, Default)]
pub struct Window {
    begun: VecDeque<Begun>,
    /// The number of the first of them.
    first: u64,
    through: Option<Position>,
    mark: Option<Mark>,
}

#[derive(Debug)]
struct Begun {
    at: Position,
    /// The event's id. `None`: there is no event to handle here.
    event: Option<Uuid>,
    ended: bool,
}

/// The number of a begun event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number(u64);

impl Window {
    /// Every event up to there is handled.
    pub fn from(through: Option<Position>, mark: Option<Mark>) -> Self {
        Self { through, mark, ..Self::default() }
    }

    /// Begins the event at this position.
    pub fn begin(&mut self, at: Position, event: Uuid) -> Number {
        self.push(at, Some(event))
    }

    fn push(&mut self, at: Position, event: Option<Uuid>) -> Number {
        self.begun.push_back(Begun { at, event, ended: false });
        Number(self.first + self.begun.len() as u64 - 1)
    }

    /// The event is finished.
    pub fn end(&mut self, Number(number): Number) {
        let entry = usize::try_from(number - self.first).ok().and_then(|index| self.begun.get_mut(index));
        if let Some(begun) = entry {
            begun.ended = true;
        }
        while let Some(Begun { at, event, ended: true }) = self.begun.front() {
            let position = *at;
            self.through = Some(position);
            self.mark = event.map(|event| Mark { position, event }).or(self.mark);
            self.begun.pop_front();
            self.first += 1;
        }
    }

    /// There is nothing to handle up to here, apart from the begun events.
    pub fn pass(&mut self, at: Position) {
        if let Some(last @ Begun { event: None, ended: true, .. }) = self.begun.back_mut() {
            last.at = at;
            return;
        }
        let number = self.push(at, None);
        self.end(number);
    }

    /// Every event up to here is handled.
    pub fn through(&self) -> Option<Position> {
        self.through
    }

    /// The last event up to there, if its id is known.
    pub fn mark(&self) -> Option<Mark> {
        self.mark
    }

    /// Sets the mark after the id of its event was read.
    pub fn set_mark(&mut self, mark: Mark) {
        self.mark = Some(mark);
    }

    /// How many events have to be finished before the checkpoint passes them. What lies between two
    /// of them counts as one.
    #[expect(clippy::len_without_is_empty, reason = "it is compared with a bound")]
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

    fn id(place: u64) -> Uuid {
        Uuid::from_u128(place.into())
    }

    #[test]
    fn a_finished_event_counts_after_all_events_before_it_are_finished() {
        let mut window = Window::from(Some(at(1)), None);
        let numbers = [2, 3, 4].map(|place| window.begin(at(place), id(place)));
        window.end(numbers[1]);
        window.pass(at(5));
        assert_eq!((window.through(), window.len()), (Some(at(1)), 4));
        window.end(numbers[0]);
        assert_eq!((window.through(), window.len()), (Some(at(3)), 2));
        window.end(numbers[2]);
        assert_eq!((window.through(), window.len()), (Some(at(5)), 0));
        // The mark stays at the last event: position 5 has none.
        assert_eq!(window.mark(), Some(Mark { position: at(4), event: id(4) }));
        window.pass(at(6));
        assert_eq!(window.through(), Some(at(6)));
    }
}
