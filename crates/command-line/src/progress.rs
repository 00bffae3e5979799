//! How far a command has come: a bar on a terminal, else a line every few seconds, on standard error.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;

/// Between two lines where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// What is counted.
pub trait Counts {
    /// How many orders there are, if that is known.
    fn total(&self) -> Option<u64>;
    /// With how many of them nothing more is to be done.
    fn done(&self) -> u64;
    /// All of it, for people.
    fn in_words(&self) -> String;
}

/// Counts, and shows them.
#[derive(Debug)]
pub struct Progress<C> {
    bar: ProgressBar,
    counts: Mutex<(C, Instant)>,
}

impl<C: Counts> Progress<C> {
    /// Shows what is counted so far.
    pub fn start(counts: C) -> Self {
        let bar = match counts.total() {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        bar.set_draw_target(ProgressDrawTarget::stderr());
        let template = match counts.total() {
            Some(_) => "  [{bar:40}] {pos}/{len}  {msg}  {elapsed}",
            None => "  {spinner} {msg}  {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar, counts: Mutex::new((counts, Instant::now())) }
    }

    /// Counts something, or lets time pass.
    pub fn change(&self, change: impl FnOnce(&mut C)) {
        let mut locked = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (counts, last_line) = &mut *locked;
        change(counts);
        if !self.bar.is_hidden() {
            self.bar.set_message(counts.in_words());
            if let Some(total) = counts.total() {
                self.bar.set_length(total);
            }
            self.bar.set_position(counts.done());
        } else if last_line.elapsed() >= LINE_INTERVAL {
            *last_line = Instant::now();
            output::complain(&counts.in_words());
        }
    }

    /// Leaves the terminal to others.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
