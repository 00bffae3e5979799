//! Where something stands in a text, and what is wrong with it.

use std::fmt;

/// A line and a column, both from one; a column is a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// Of the byte at `offset`.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let of_line = before.rfind('\n').map_or(before, |end| before.get(end + 1..).unwrap_or_default());
        Self { line: before.matches('\n').count() + 1, column: of_line.chars().count() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub place: Place,
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_a_column_is_a_character() {
        let text = "a = 1\nb = \"ä\" # c";
        for (at, line, column) in [("a", 1, 1), ("b", 2, 1), ("c", 2, 11)] {
            assert_eq!(Place::of(text, text.find(at).unwrap()), Place { line, column });
        }
        assert_eq!(Place::of(text, 1_000), Place { line: 2, column: 12 });
    }
}
