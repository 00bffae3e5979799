//! A page of a list: how many rows, from which end, between which two places.

/// A page to be read: so many rows from one end of what lies between two places.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Page<C> {
    /// Rows.
    pub size: u16,
    /// Whether they are counted from the far end.
    pub from_end: bool,
    /// Only rows that follow this one.
    pub after: Option<C>,
    /// Only rows that this one follows.
    pub before: Option<C>,
}

impl<C> Page<C> {
    /// How many rows to read: one more than the page has tells whether there are more.
    pub fn rows_to_read(&self) -> i64 {
        i64::from(self.size) + 1
    }
}
