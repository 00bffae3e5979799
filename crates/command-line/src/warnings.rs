//! Warnings about single orders: the first ones are printed, the others are counted.

/// The most warnings that are printed.
pub const MAX: usize = 20;

/// The first warnings, and how many more there were.
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

    /// The first of them.
    pub fn first(&self) -> &[T] {
        &self.first
    }

    /// How many there were besides.
    pub fn more(&self) -> u64 {
        self.more
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}
