//! `tenuto event-store check`: checks whether the embedded log is whole.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use command_line::data_folder::DataFolder;
use command_line::output;
use event_store_node::CheckReport;

use crate::MaintenanceError;
use crate::check::check;

/// The exit code for "there was nothing to check".
const NOTHING: u8 = 2;

/// Options of `tenuto event-store check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 if the log is whole; 1 if it has faults; 2 if it has no event, or cannot be read."
)]
pub struct CheckArgs {
    #[command(flatten)]
    data: DataFolder,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Checks the log, and prints the report. Exit code 1: the log has faults; 2: it has no event.
pub fn run(args: &CheckArgs) -> Result<ExitCode, MaintenanceError> {
    let report = check(&args.data)?;
    // A closed standard output does not change the result, which the exit code reports too.
    if args.json {
        output::announce(&(serde_json::to_string_pretty(&report)? + "\n"));
    } else {
        output::announce(&summary(&args.data.event_store(), &report));
    }
    Ok(exit_code(&report))
}

pub(super) fn exit_code(report: &CheckReport) -> ExitCode {
    match (report.is_sound(), report.events) {
        (true, 0) => ExitCode::from(NOTHING),
        (true, _) => ExitCode::SUCCESS,
        (false, _) => ExitCode::FAILURE,
    }
}

/// The report, for people.
pub(super) fn summary(folder: &Path, report: &CheckReport) -> String {
    let CheckReport { last_position, events, removed, streams, tables, table_bytes, .. } = report;
    let CheckReport { mended: repairs, problems, gave_up, took_ms, .. } = report;
    let took = Duration::from_millis(*took_ms);
    let mut text = format!(
        "{}: {events} events in {streams} streams, up to position {last_position}; {tables} tables of {table_bytes} bytes; checked in {took:.1?}\n",
        folder.display()
    );
    let mut line = |line: std::fmt::Arguments| writeln!(text, "{line}").unwrap_or_default();
    if *removed > 0 {
        line(format_args!("scavenges have removed {removed} more events"));
    }
    for repair in repairs {
        line(format_args!("repaired on opening: {repair}"));
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
