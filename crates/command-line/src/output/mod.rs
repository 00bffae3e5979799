//! Printing: with colours where the user wants them, and without control characters from foreign
//! texts.

pub mod pager;
pub mod screen;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::process::ExitCode;

/// The colour of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tint {
    /// No colour.
    Plain,
    /// Less important.
    Dim,
    /// More important.
    Bold,
    /// A success.
    Good,
    /// A failure that is being handled.
    Uneasy,
    /// A final failure.
    Bad,
    /// One of several things in parallel.
    Label(usize),
}

/// Colours for labels. No other tint uses them.
const LABEL_COLOURS: [&str; 4] = ["36", "35", "34", "96"];

impl Tint {
    /// The tint of an event in a timeline, by the name of its type.
    pub fn of_event(event_type: &str) -> Self {
        match event_type {
            "OrderCompleted" => Self::Good,
            "StatusChanged" | "OrderCanceled" => Self::Bold,
            "StepAttemptFailed" | "CompensationStarted" => Self::Uneasy,
            "StepFailed" | "OrderStuck" => Self::Bad,
            _ => Self::Plain,
        }
    }
}

/// Whether text is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    colours: bool,
}

impl Palette {
    /// No colours.
    pub const NONE: Self = Self { colours: false };
    /// All colours.
    pub const FULL: Self = Self { colours: true };

    /// Colours if standard output is a terminal with colours, unless `NO_COLOR` is set
    /// (<https://no-color.org>).
    pub fn of_stdout() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        Self { colours: io::stdout().is_terminal() && set("NO_COLOR").is_none() && !dumb }
    }

    /// The text, painted.
    pub fn paint(self, tint: Tint, text: &str) -> Cow<'_, str> {
        let code = match tint {
            Tint::Plain => return Cow::Borrowed(text),
            Tint::Dim => "2",
            Tint::Bold => "1",
            Tint::Good => "32",
            Tint::Uneasy => "33",
            Tint::Bad => "31",
            Tint::Label(index) => LABEL_COLOURS[index % LABEL_COLOURS.len()],
        };
        if self.colours && !text.is_empty() {
            Cow::Owned(format!("\u{1b}[{code}m{text}\u{1b}[0m"))
        } else {
            Cow::Borrowed(text)
        }
    }
}

/// The text, with each character escaped that would move the cursor, colour the terminal or change
/// the direction of writing. Names and error messages come from outside.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if acts(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// The same for a text of several lines.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    if text.split('\n').all(|line| matches!(printable(line), Cow::Borrowed(_))) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split('\n').map(printable).collect::<Vec<_>>().join("\n"))
}

/// The same for JSON. Outside of strings it has no such character, and in a string the escape is
/// the same text.
fn printable_json(text: &str) -> Cow<'_, str> {
    let acts = |c: char| c != '\n' && acts(c);
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().fold(String::with_capacity(text.len() + 8), |mut escaped, c| {
        if acts(c) {
            // Writing to a text does not fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
        escaped
    });
    Cow::Owned(escaped)
}

/// Whether a character moves the cursor, colours the terminal or changes the direction of writing.
fn acts(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Standard output cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the output")]
pub struct WriteError(#[from] io::Error);

impl WriteError {
    /// Whether the reader has closed the pipe.
    pub fn is_closed_pipe(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

/// The error of a command. One of its reasons is that the output cannot be written.
pub trait Failure {
    /// The error of writing, if this is the reason.
    fn of_writing(&self) -> Option<&WriteError>;
}

impl Failure for WriteError {
    fn of_writing(&self) -> Option<&WriteError> {
        Some(self)
    }
}

/// Prints to standard output, and flushes.
pub fn print(text: &str) -> Result<(), WriteError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Prints JSON to standard output.
pub fn print_json(text: &str) -> Result<(), WriteError> {
    print(&printable_json(text))
}

/// Prints a notice of a server. A server keeps running if its standard output is closed, so errors
/// are ignored.
pub fn announce(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Prints lines to standard error. They may have parts from outside. If they cannot be written, no
/// one can read the error of it either.
pub fn complain(lines: &str) {
    let _ = writeln!(io::stderr(), "{}", printable_lines(lines));
}

/// Asks a question at the terminal, and returns whether the answer is `yes`.
pub fn confirm(question: &str) -> io::Result<bool> {
    // Not locked, so that other tasks can log while this waits.
    let mut stderr = io::stderr();
    let _ = stderr.write_all(question.as_bytes()).and_then(|()| stderr.flush());
    let mut answer = String::new();
    io::stdin().lock().take(64).read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// A command whose reader closes the pipe (`tenuto show 1 | head`) has succeeded.
pub fn forgive_closed_pipe<E: Failure>(result: Result<ExitCode, E>) -> Result<ExitCode, E> {
    match result {
        Err(error) if error.of_writing().is_some_and(WriteError::is_closed_pipe) => Ok(ExitCode::SUCCESS),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_painted_only_where_colours_are_wanted() {
        assert_eq!(Palette::FULL.paint(Tint::Bad, "stuck"), "\u{1b}[31mstuck\u{1b}[0m");
        assert_eq!(Palette::FULL.paint(Tint::Plain, "placed"), "placed");
        assert_eq!(Palette::FULL.paint(Tint::Label(usize::MAX), ""), "");
        assert_eq!(Palette::NONE.paint(Tint::Bad, "stuck"), "stuck");
    }

    #[test]
    fn what_would_act_on_the_terminal_is_escaped() {
        assert_eq!(printable("Wolski Zajazd, Łódź"), "Wolski Zajazd, Łódź");
        assert_eq!(printable("a\u{1b}[2Jb\nc\u{202e}d"), "a\\u{1b}[2Jb\\nc\\u{202e}d");
    }

    #[test]
    fn lines_stay_lines_and_json_stays_the_same_json() {
        assert_eq!(printable_lines("a\u{9b}b\nc\r\n"), "a\\u{9b}b\nc\\r\n");
        assert_eq!(printable_lines("a\nb\n"), "a\nb\n");
        let text = serde_json::to_string_pretty(&["a\u{202e}\u{7f}\u{9b}\u{1b}b\n\u{2069}"]).unwrap();
        let shown = printable_json(&text);
        assert!(!shown.contains(|c: char| c != '\n' && acts(c)), "{shown:?}");
        let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parsed(&shown), parsed(&text));
        assert_eq!(printable_json("[1]\n"), "[1]\n");
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let closed = WriteError(io::ErrorKind::BrokenPipe.into());
        assert!(forgive_closed_pipe(Err(closed)).is_ok());
        let full = WriteError(io::ErrorKind::StorageFull.into());
        assert!(forgive_closed_pipe(Err(full)).is_err());
    }
}
