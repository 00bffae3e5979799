//! Logs: to standard error, filtered by `TENUTO_LOG` in the form of `RUST_LOG`; coloured only on a
//! terminal. A line is one event: what callers and servers sent cannot add lines, colours or
//! another direction of writing.

use std::env::VarError;
use std::fmt;
use std::io::IsTerminal;

use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::output::printable;

/// A filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("TENUTO_LOG={value:?} is no filter: {reason}; give levels, as in `info` or `warn,command_handler=debug`")]
pub struct BadFilter {
    value: String,
    reason: String,
}

/// What is logged where `TENUTO_LOG` is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Levels {
    /// What a role or a command does.
    Info,
    /// Warnings and errors only: the terminal shows timelines.
    Warn,
    /// Nothing: the command prints all that it finds.
    Off,
}

impl Levels {
    fn filter(self) -> &'static str {
        match self {
            Self::Info => "info,fjall=warn,lsm_tree=warn,sqlx::postgres::notice=warn",
            Self::Warn => "warn",
            Self::Off => "off",
        }
    }
}

/// Starts the logs.
pub fn start(levels: Levels) -> Result<(), BadFilter> {
    let levels = levels.filter();
    // The engine reports a compaction as failed that the node has stopped. Where one does fail, the
    // node or the engine's worker reports that too.
    let default = format!("{levels},lsm_tree::compaction::worker=off");
    let filter = match std::env::var("TENUTO_LOG") {
        Ok(text) if !text.trim().is_empty() => filter(&text)?,
        Ok(_) | Err(VarError::NotPresent) => EnvFilter::new(default),
        Err(VarError::NotUnicode(value)) => {
            let value = value.to_string_lossy().into_owned();
            return Err(BadFilter { value, reason: "it is not UTF-8".to_owned() });
        }
    };
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colours = std::io::stderr().is_terminal() && !plain;
    let fields = debug_fn(field).delimited(" ");
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).fmt_fields(fields);
    logs.with_writer(std::io::stderr).init();
    Ok(())
}

/// Writes a field of an event.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    match field.name() {
        "message" => writer.write_str(&printable(&format!("{value:?}"))),
        // The bridge from the crate `log` repeats the place here, which the line has already.
        name if name.starts_with("log.") => Ok(()),
        name => write!(writer, "{}={}", name.strip_prefix("r#").unwrap_or(name), printable(&format!("{value:?}"))),
    }
}

/// The library reads an unknown level as a target: with `inof` it would log nothing.
fn filter(text: &str) -> Result<EnvFilter, BadFilter> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let wrong = |reason: String| BadFilter { value: text.to_owned(), reason };
    for directive in text.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        let bare = !directive.contains(['=', '[', ':']);
        let is_level =
            LEVELS.iter().any(|level| level.eq_ignore_ascii_case(directive)) || directive.parse::<u8>().is_ok();
        if bare && !is_level {
            return Err(wrong(format!("{directive:?} is none of the levels {}", LEVELS.join(", "))));
        }
    }
    EnvFilter::try_new(text).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_one_line_without_what_would_act_on_a_terminal() {
        let (lines, fields) = (Lines::default(), debug_fn(field).delimited(" "));
        let writer = lines.clone();
        let logs = tracing_subscriber::fmt().with_ansi(false).fmt_fields(fields).with_writer(move || writer.clone());
        let hostile = "a\u{1b}[2J\u{9b}31m\r\nERROR forged\u{202e}b";
        tracing::subscriber::with_default(logs.finish(), || {
            tracing::warn!(order = hostile, error = %hostile, count = 3, "it failed: {hostile}");
        });
        let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written.lines().count(), 1, "{written:?}");
        assert!(!written.trim_end().contains(|c: char| c.is_control() || c == '\u{202e}'), "{written:?}");
        assert!(written.contains("it failed: a\\u{1b}[2J") && written.contains("count=3"), "{written:?}");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_an_error_that_names_it() {
        for wrong in ["inof", "warn,loud", "command_handler=loud", "a=b=c"] {
            let error = filter(wrong).unwrap_err().to_string();
            assert!(error.contains("TENUTO_LOG") && error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn levels_and_targets_are_filters() {
        for right in ["info", "WARN", "warn,command_handler=debug", "off", "sqlx::query=trace,info"] {
            assert!(filter(right).is_ok(), "{right}");
        }
    }
}
