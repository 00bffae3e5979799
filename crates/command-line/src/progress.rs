//! The progress of a command, on standard error: a bar on a terminal, otherwise a line every few
//! seconds. A server keeps it to itself, for those who ask.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;

/// The pause between two lines without a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// The counts of a command.
pub trait Counts {
    /// The number of all orders, if it is known.
    fn total(&self) -> Option<u64>;
    /// The number of finished orders.
    fn done(&self) -> u64;
    /// All counts, for people.
    fn in_words(&self) -> String;
}

/// Keeps the counts, and shows them.
#[derive(Debug)]
pub struct Progress<C> {
    bar: ProgressBar,
    is_silent: bool,
    counts: Mutex<(C, Instant)>,
}

impl<C: Counts> Progress<C> {
    /// Shows the first counts.
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
        Self { bar, is_silent: false, counts: Mutex::new((counts, Instant::now())) }
    }

    /// Keeps the counts, and shows nothing.
    pub fn silent(counts: C) -> Self {
        Self { bar: ProgressBar::hidden(), is_silent: true, counts: Mutex::new((counts, Instant::now())) }
    }

    /// Shows other counts as these are shown, or keeps them as well.
    pub fn alike<D: Counts>(&self, counts: D) -> Progress<D> {
        if self.is_silent { Progress::silent(counts) } else { Progress::start(counts) }
    }

    /// The present counts.
    pub fn counts(&self) -> C
    where
        C: Clone,
    {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Changes the counts, and shows them.
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
        } else if !self.is_silent && last_line.elapsed() >= LINE_INTERVAL {
            *last_line = Instant::now();
            output::complain(&counts.in_words());
        }
    }

    /// Removes the bar from the terminal.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
