//! Warnings about single orders: the first ones are printed, the others are counted.

/// The most warnings that are printed.
pub const MAX: usize = 20;

/// The first warnings, and the number of the others.
#[derive(Debug)]
pub struct Warnings<T> {
    first: Vec<T>,
    more: u64,
}

impl<T> Default for Warnings<T> {
    fn default() -> Self {
        Self { first: Vec::new(), more: 0 }
    }
}

impl<T> Warnings<T> {
    /// Keeps a warning, or counts it.
    pub fn add(&mut self, warning: T) {
        if self.first.len() < MAX {
            self.first.push(warning);
        } else {
            self.more += 1;
        }
    }

    /// The first warnings.
    pub fn first(&self) -> &[T] {
        &self.first
    }

    /// The number of the others.
    pub fn more(&self) -> u64 {
        self.more
    }

    /// Whether there are no warnings.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}
