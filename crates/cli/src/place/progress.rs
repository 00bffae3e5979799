//! The progress of placing.

use command_line::progress::{self, Progress as Shown};

/// Counts orders, and shows the counts.
#[derive(Debug)]
pub struct Progress(Shown<Counts>);

#[derive(Debug, Clone, Copy)]
struct Counts {
    total: Option<u64>,
    /// Whether an order is done only when it rests.
    wait: bool,
    accepted: u64,
    not_accepted: u64,
    rested: u64,
}

impl Progress {
    /// Nothing is done yet. With `wait`, an order is done when it rests, else when it is placed.
    pub fn start(total: Option<u64>, wait: bool) -> Self {
        Self(Shown::start(Counts { total, wait, accepted: 0, not_accepted: 0, rested: 0 }))
    }

    /// An order was accepted.
    pub fn accepted(&self) {
        self.0.change(|counts| counts.accepted += 1);
    }

    /// An order was not accepted.
    pub fn not_accepted(&self) {
        self.0.change(|counts| counts.not_accepted += 1);
    }

    /// An accepted order is not watched any more.
    pub fn rested(&self) {
        self.0.change(|counts| counts.rested += 1);
    }

    /// Time has passed.
    pub fn tick(&self) {
        self.0.change(|_| ());
    }

    /// Removes the bar from the terminal.
    pub fn finish(&self) {
        self.0.finish();
    }
}

impl progress::Counts for Counts {
    fn total(&self) -> Option<u64> {
        self.total
    }

    fn done(&self) -> u64 {
        self.not_accepted + if self.wait { self.rested } else { self.accepted }
    }

    fn in_words(&self) -> String {
        let placed = match self.total {
            Some(total) => format!("{} of {total} placed", self.accepted),
            None => format!("{} placed", self.accepted),
        };
        let not_placed = (self.not_accepted > 0).then(|| format!("{} not", self.not_accepted));
        let rested = self.wait.then(|| format!("{} at rest", self.rested));
        let parts: Vec<String> = [Some(placed), not_placed, rested].into_iter().flatten().collect();
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use command_line::progress::Counts as _;

    #[test]
    fn counts_are_told_in_words() {
        let counts = Counts { total: Some(5), wait: true, accepted: 3, not_accepted: 1, rested: 1 };
        assert_eq!(counts.in_words(), "3 of 5 placed, 1 not, 1 at rest");
        assert_eq!((counts.done(), Counts { wait: false, ..counts }.done()), (2, 4));
        let unknown = Counts { total: None, wait: false, not_accepted: 0, ..counts };
        assert_eq!(unknown.in_words(), "3 placed");
    }
}
