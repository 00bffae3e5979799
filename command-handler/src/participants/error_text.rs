//! The text of an error, as an order's history records it.

/// How much of an error text is kept, in characters.
const MAX_ERROR: usize = 500;

/// Errors end up in the order's history: short, and without what a database cannot keep.
pub(crate) fn shortened(error: &str) -> String {
    error.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_ERROR).collect()
}
