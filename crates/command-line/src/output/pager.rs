//! Prints long texts one screen at a time.

use std::io::{self, IsTerminal, Write};
use std::process::{Command, Stdio};

use super::WriteError;

/// Prints a text. If standard output is a terminal and the text does not fit on it, the user's
/// pager (`PAGER`, by default `less`) shows it. If the pager cannot be started, the text is printed
/// as it is.
pub fn print(text: &str) -> Result<(), WriteError> {
    if is_wanted(text) && through(&pager(), text) {
        return Ok(());
    }
    super::print(text)
}

fn is_wanted(text: &str) -> bool {
    let both_ends = io::stdout().is_terminal() && io::stdin().is_terminal();
    let fits = |(rows, _): (u16, u16)| text.lines().count() < usize::from(rows);
    both_ends && !console::Term::stdout().size_checked().is_none_or(fits)
}

fn pager() -> String {
    std::env::var("PAGER").ok().filter(|pager| !pager.trim().is_empty()).unwrap_or_else(|| "less".to_owned())
}

/// Whether the pager has received the text.
fn through(pager: &str, text: &str) -> bool {
    let mut words = pager.split_whitespace();
    let Some(program) = words.next() else { return false };
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        // Quit if the text fits, keep colours, and leave the text on the screen.
        command.env("LESS", "FRX");
    }
    let Ok(mut child) = command.spawn() else { return false };
    if let Some(mut stdin) = child.stdin.take() {
        // The reader may close the pager early.
        let _ = stdin.write_all(text.as_bytes());
    }
    child.wait().is_ok_and(|status| status.code() != Some(127))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pager_that_is_not_there_is_noticed() {
        assert!(!through("no-such-pager-of-ours", "text"));
        assert!(!through("  ", "text"));
        assert!(through("true -x", "text"));
    }
}
