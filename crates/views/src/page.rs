//! A page of a list: how many rows, from which end, between which two places of the list.

/// A page to be read: a number of rows from one end of the part between two places.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Page<C> {
    /// Rows.
    pub size: u16,
    /// Whether they are counted from the end.
    pub from_end: bool,
    /// Only rows after this one.
    pub after: Option<C>,
    /// Only rows before this one.
    pub before: Option<C>,
}

impl<C> Page<C> {
    /// How many rows to read. The last one only shows whether the list has more than the page.
    pub fn rows_to_read(&self) -> i64 {
        i64::from(self.size) + 1
    }
}
