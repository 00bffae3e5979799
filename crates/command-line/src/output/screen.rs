//! The terminal's width, and text that fits into it.

use std::io::{self, IsTerminal};

/// Text is not wrapped narrower than this.
const NARROWEST: usize = 40;

/// The columns of the terminal at standard output. `None`: it is not a terminal, and lines have no
/// limit.
pub fn width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let (_, columns) = console::Term::stdout().size_checked()?;
    Some(usize::from(columns).max(NARROWEST))
}

/// A text with `first` before its first line, and the same room before the others, broken at spaces
/// so that no line is longer than `width`, unless a word is. The text ends with a newline.
pub fn wrapped(first: &str, text: &str, width: Option<usize>) -> String {
    let indent = first.chars().count();
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(indent).max(NARROWEST / 2));
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut();
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let margin = " ".repeat(indent);
    let with_margin = lines.iter().enumerate().map(|(index, line)| {
        let before = if index == 0 { first } else { &margin };
        format!("{}\n", format!("{before}{line}").trim_end())
    });
    with_margin.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_at_spaces_with_a_margin() {
        let text = "one two three four five six seven eight nine ten eleven";
        assert_eq!(wrapped("- ", text, Some(30)), "- one two three four five six\n  seven eight nine ten eleven\n");
        assert_eq!(wrapped("- ", text, None), format!("- {text}\n"));
        let long = "x".repeat(90);
        assert_eq!(wrapped("  ", &format!("a {long} b"), Some(40)), format!("  a\n  {long}\n  b\n"));
        assert_eq!(wrapped("  ", "", Some(40)), "\n");
    }
}
