//! How far placing has come: a bar on a terminal, else a line every few seconds.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::commands::output;

/// Between two lines where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Counts, and shows them on standard error.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    wait: bool,
    counts: Mutex<Counts>,
}

#[derive(Debug, Clone, Copy)]
struct Counts {
    total: Option<u64>,
    accepted: u64,
    not_accepted: u64,
    rested: u64,
    last_line: Instant,
}

impl Progress {
    /// Nothing is done yet. With `wait`, an order is done when it rests, else when it is placed.
    pub fn start(total: Option<u64>, wait: bool) -> Self {
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        bar.set_draw_target(ProgressDrawTarget::stderr());
        let template = match total {
            Some(_) => "  [{bar:40}] {pos}/{len}  {msg}  {elapsed}",
            None => "  {spinner} {msg}  {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        let counts = Counts { total, accepted: 0, not_accepted: 0, rested: 0, last_line: Instant::now() };
        Self { bar, wait, counts: Mutex::new(counts) }
    }

    /// An order was accepted.
    pub fn accepted(&self) {
        self.change(|counts| counts.accepted += 1);
    }

    /// An order was not.
    pub fn not_accepted(&self) {
        self.change(|counts| counts.not_accepted += 1);
    }

    /// An accepted order is watched no longer.
    pub fn rested(&self) {
        self.change(|counts| counts.rested += 1);
    }

    /// Time has passed.
    pub fn tick(&self) {
        self.change(|_| ());
    }

    /// Leaves the terminal to others.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut counts);
        if !self.bar.is_hidden() {
            self.bar.set_message(counts.in_words(self.wait));
            self.bar.set_position(counts.done(self.wait));
        } else if counts.last_line.elapsed() >= LINE_INTERVAL {
            counts.last_line = Instant::now();
            output::complain(&counts.in_words(self.wait));
        }
    }
}

impl Counts {
    fn done(&self, wait: bool) -> u64 {
        self.not_accepted + if wait { self.rested } else { self.accepted }
    }

    fn in_words(&self, wait: bool) -> String {
        let placed = match self.total {
            Some(total) => format!("{} of {total} placed", self.accepted),
            None => format!("{} placed", self.accepted),
        };
        let not_placed = (self.not_accepted > 0).then(|| format!("{} not", self.not_accepted));
        let rested = wait.then(|| format!("{} at rest", self.rested));
        let parts: Vec<String> = [Some(placed), not_placed, rested].into_iter().flatten().collect();
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_in_words() {
        let progress = Progress::start(Some(5), true);
        for () in [(); 3] {
            progress.accepted();
        }
        progress.not_accepted();
        progress.rested();
        let counts = *progress.counts.lock().unwrap();
        assert_eq!(counts.in_words(true), "3 of 5 placed, 1 not, 1 at rest");
        assert_eq!((counts.done(true), counts.done(false)), (2, 4));
        let unknown = Counts { total: None, not_accepted: 0, ..counts };
        assert_eq!(unknown.in_words(false), "3 placed");
    }
}
