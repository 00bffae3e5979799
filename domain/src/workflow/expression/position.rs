//! Places within a text, as people count them.

/// A place within a text. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextPosition {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl TextPosition {
    /// The start of a text.
    pub const START: Self = Self { line: 1, column: 1 };

    /// The place of the character at this byte.
    pub(super) fn of_byte(text: &str, index: usize) -> Self {
        text.char_indices()
            .take_while(|(start, _)| *start < index)
            .map(|(_, character)| character)
            .fold(Self::START, Self::after)
    }

    /// The place of the character at this index.
    pub(super) fn of_character(text: &str, index: usize) -> Self {
        text.chars().take(index).fold(Self::START, Self::after)
    }

    fn after(self, character: char) -> Self {
        match character {
            '\n' => Self { line: self.line + 1, column: 1 },
            _ => Self { column: self.column + 1, ..self },
        }
    }
}
