//! `tenuto event-store check`: whether the embedded log is whole.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use event_store_node::{CheckReport, StorageError, check_log};

use command_line::data_folder::DataFolder;
use command_line::output;
use command_line::running::{self, Running};

/// The exit code for "there was nothing to check".
pub(crate) const NOTHING: u8 = 2;

/// Options of `tenuto event-store check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    data: DataFolder,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

/// A log that cannot be checked.
#[derive(Debug, thiserror::Error)]
#[error("the event log in {folder} cannot be checked")]
struct NotChecked {
    folder: String,
    source: StorageError,
}

/// Two processes cannot have a log open at once.
#[derive(Debug, thiserror::Error)]
#[error(
    "the event log in {folder} is in use by process {}: stop it, or check a copy, which `tenuto event-store backup --from '{}' \
     --to FOLDER` makes and checks", running.pid, running.event_store
)]
struct InUse {
    folder: String,
    running: Running,
}

/// Exit code 1: something is wrong with the log.
pub fn run(args: &CheckArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let folder = args.data.event_store();
    if let Ok(Some(running)) = running::in_folder(&args.data.data, "") {
        return Err(InUse { folder: folder.display().to_string(), running }.into());
    }
    let report = check_log(&folder).map_err(|source| NotChecked { folder: folder.display().to_string(), source })?;
    // A closed standard output does not change the result, which the exit code reports too.
    if args.json {
        output::announce(&(serde_json::to_string_pretty(&report)? + "\n"));
    } else {
        output::announce(&summary(&folder, &report));
    }
    if report.is_sound() && report.events == 0 {
        return Ok(ExitCode::from(NOTHING));
    }
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was found, for a person.
pub(crate) fn summary(folder: &Path, report: &CheckReport) -> String {
    let CheckReport { last_position, events, removed, streams, tables, table_bytes, .. } = report;
    let CheckReport { mended, problems, gave_up, took_ms, .. } = report;
    let took = Duration::from_millis(*took_ms);
    let mut text = format!(
        "{}: {events} events in {streams} streams, up to position {last_position}; {tables} tables of {table_bytes} bytes; checked in {took:.1?}\n",
        folder.display()
    );
    let mut line = |line: std::fmt::Arguments| writeln!(text, "{line}").unwrap_or_default();
    if *removed > 0 {
        line(format_args!("scavenges have removed {removed} more events"));
    }
    for mended in mended {
        line(format_args!("mended on opening: {mended}"));
    }
    for problem in problems {
        line(format_args!("{problem}"));
    }
    match (problems.len(), gave_up) {
        (0, _) if *events == 0 => {
            line(format_args!("nothing was checked: the log has no event; is it the right folder?"));
        }
        (0, _) => line(format_args!("nothing is wrong")),
        (_, false) => line(format_args!("{} problems", problems.len())),
        (_, true) => line(format_args!("{} problems, and more that were not looked for", problems.len())),
    }
    text
}
