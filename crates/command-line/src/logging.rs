//! Logs: to standard error, as lines for people or as JSON objects. A line is one event: what
//! callers and servers sent cannot add lines, colours or another direction of writing.

mod fields;
mod json;

use std::fmt;
use std::io::IsTerminal;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::reload::{Error, Handle};

use crate::output::printable;
use fields::{is_of_the_bridge, plain_name};
use json::{Json, JsonFields};

/// What is logged, and how.
#[derive(Debug, Clone, Args)]
pub struct LogOptions {
    /// The levels to log, such as `info` or `warn,command_handler=debug` [default: `warn` in `dev`,
    /// otherwise `info`]
    #[arg(
        long,
        global = true,
        env = "TENUTO_LOG",
        value_name = "LEVELS",
        value_parser = checked,
        help_heading = live::RELOADED
    )]
    pub log: Option<String>,
    /// Lines for people, or JSON [default: for people on a terminal, otherwise JSON]
    #[arg(long, global = true, env = "TENUTO_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people, coloured on a terminal.
    Human,
    /// A JSON object on a line, with the fields of OpenTelemetry's log records.
    Json,
}

/// What is logged if no level is given.
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

/// The logs of this process. Their levels can be changed.
#[derive(Clone)]
pub struct Logs {
    usual: Levels,
    replace: Arc<dyn Fn(EnvFilter) -> Result<(), Error> + Send + Sync>,
}

impl Logs {
    /// Starts the logs; `usual`: what is logged if no level is given.
    pub fn start(options: &LogOptions, usual: Levels) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let logs = tracing_subscriber::fmt().with_env_filter(options.filter(usual)).with_writer(std::io::stderr);
        let replace = match options.log_format.unwrap_or(if is_terminal { LogFormat::Human } else { LogFormat::Json }) {
            LogFormat::Human => {
                let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let logs = logs.with_ansi(is_terminal && !plain).fmt_fields(debug_fn(field).delimited(" "));
                let logs = logs.with_filter_reloading();
                let replace = replaces(logs.reload_handle());
                logs.init();
                replace
            }
            LogFormat::Json => {
                let logs = logs.fmt_fields(JsonFields).event_format(Json).with_filter_reloading();
                let replace = replaces(logs.reload_handle());
                logs.init();
                replace
            }
        };
        Self { usual, replace }
    }

    /// From now on, these levels count.
    pub fn set(&self, options: &LogOptions) {
        if let Err(error) = (self.replace)(options.filter(self.usual)) {
            tracing::error!(%error, "the levels of the logs could not be changed; restart");
        }
        // What libraries log by the other interface is bounded for itself.
        log::set_max_level(LevelFilter::current().to_string().parse().unwrap_or(log::LevelFilter::Trace));
    }
}

fn replaces<S: 'static>(handle: Handle<EnvFilter, S>) -> Arc<dyn Fn(EnvFilter) -> Result<(), Error> + Send + Sync> {
    Arc::new(move |filter| handle.reload(filter))
}

impl LogOptions {
    fn filter(&self, usual: Levels) -> EnvFilter {
        // The engine reports a compaction as failed that the node has stopped. Where one does fail,
        // the node or the engine's worker reports that too.
        let usual = format!("{},lsm_tree::compaction::worker=off", usual.filter());
        // An empty variable counts as none.
        let wanted = self.log.as_deref().filter(|levels| !levels.trim().is_empty());
        EnvFilter::new(wanted.unwrap_or(&usual))
    }
}

/// Writes a field of an event.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    match field.name() {
        "message" => writer.write_str(&printable(&format!("{value:?}"))),
        name if is_of_the_bridge(name) => Ok(()),
        name => write!(writer, "{}={}", plain_name(name), printable(&format!("{value:?}"))),
    }
}

/// Levels that can be read. The library reads an unknown level as a target: with `inof` it would
/// log nothing.
fn checked(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    for directive in text.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        let bare = !directive.contains(['=', '[', ':']);
        let is_level =
            LEVELS.iter().any(|level| level.eq_ignore_ascii_case(directive)) || directive.parse::<u8>().is_ok();
        if bare && !is_level {
            return Err(format!("{directive:?} is none of the levels {}", LEVELS.join(", ")));
        }
    }
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use super::testing::Lines;
    use super::*;

    #[test]
    fn an_event_is_one_line_without_what_would_act_on_a_terminal() {
        let (lines, fields) = (Lines::default(), debug_fn(field).delimited(" "));
        let writer = lines.clone();
        let logs = tracing_subscriber::fmt().with_ansi(false).fmt_fields(fields).with_writer(move || writer.clone());
        let hostile = "a\u{1b}[2J\u{9b}31m\r\nERROR forged\u{202e}b";
        tracing::subscriber::with_default(logs.finish(), || {
            tracing::warn!(order = hostile, error = %hostile, count = 3, "it failed: {hostile}");
        });
        let written = lines.text();
        assert_eq!(written.lines().count(), 1, "{written:?}");
        assert!(!written.trim_end().contains(|c: char| c.is_control() || c == '\u{202e}'), "{written:?}");
        assert!(written.contains("it failed: a\\u{1b}[2J") && written.contains("count=3"), "{written:?}");
    }

    #[test]
    fn levels_that_cannot_be_read_are_an_error_that_names_them() {
        let command = LogOptions::augment_args(clap::Command::new("tenuto"));
        for wrong in ["inof", "warn,loud", "command_handler=loud", "a=b=c"] {
            let given = ["tenuto", "--log", wrong];
            let error = command.clone().try_get_matches_from(given).unwrap_err().to_string();
            assert!(error.contains("--log") && error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn levels_and_targets_are_filters() {
        for right in ["", "info", "WARN", "warn,command_handler=debug", "off", "sqlx::query=trace,info"] {
            assert!(checked(right).is_ok(), "{right}");
        }
    }
}
