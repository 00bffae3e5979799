//! What went wrong with single orders: the first complaints are told, the rest is counted.

/// The most complaints that are told.
pub const MOST: usize = 20;

/// The first complaints, and how many more there were.
#[derive(Debug)]
pub struct Complaints<T> {
    first: Vec<T>,
    more: u64,
}

impl<T> Default for Complaints<T> {
    fn default() -> Self {
        Self { first: Vec::new(), more: 0 }
    }
}

impl<T> Complaints<T> {
    /// Keeps a complaint, or counts it.
    pub fn add(&mut self, complaint: T) {
        if self.first.len() < MOST {
            self.first.push(complaint);
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
