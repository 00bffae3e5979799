//! `tenuto event-store copy`: copies a log to another server, and verifies the copy.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use audit::AuditError;
use clap::Args;
use command_line::progress::Progress;
use command_line::{output, running};
use event_store::EventStore;
use secrets::{ExposeSecret, SecretString, exposed};
use servers::log::Log;
use servers::stream_prefix::adopt;

use crate::MaintenanceError;
use crate::copy::{CopyError, CopyReport, Copying, copy};

/// Options of `tenuto event-store copy`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 if the copy is complete; 1 if the source still grows, or the audit finds faults; 2 if it cannot be made."
)]
pub struct CopyArgs {
    /// The log to copy: a connection string, or the data folder of an embedded node [default: the
    /// log of the process that runs in the folder .tenuto, or `esdb://127.0.0.1:2113?tls=false`]
    #[arg(long, env = "TENUTO_EVENTSTORE", value_name = "esdb://… or FOLDER", hide_env_values = true)]
    from: Option<SecretString>,
    /// The log that gets the copy: a connection string, or the data folder of an embedded node. It
    /// is empty, or has a beginning of this copy
    #[arg(long, env = "TENUTO_COPY_TO", value_name = "esdb://… or FOLDER", hide_env_values = true)]
    to: SecretString,
}

/// Copies the log, and prints the report.
pub async fn run(args: CopyArgs) -> Result<ExitCode, MaintenanceError> {
    let source = Log::at(&running::event_store(exposed(args.from.as_ref()))?).await?;
    let target = match Log::at(args.to.expose_secret()).await {
        Ok(target) => target,
        Err(error) => {
            source.close().await;
            return Err(error.into());
        }
    };
    let done = copied(&source.store, &target.store).await;
    target.close().await;
    source.close().await;
    done
}

async fn copied(source: &EventStore, target: &EventStore) -> Result<ExitCode, MaintenanceError> {
    let begun = Instant::now();
    adopt(source, None).await?;
    let report = copy(source, target, &Progress::start(Copying::default())).await?;
    output::print(&in_words(&report, begun.elapsed()))?;
    let is_clean = match audit::verify_log(target.clone()).await {
        Ok(audited) => {
            output::print(&audited.to_text())?;
            audited.is_clean()
        }
        // A log without orders has no chains to verify.
        Err(AuditError::NothingToVerify(_)) => true,
        Err(error) => return Err(CopyError::from(error).into()),
    };
    Ok(if report.is_complete && is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn in_words(report: &CopyReport, took: Duration) -> String {
    let CopyReport { added, events, streams, grown, is_complete, left_out } = report;
    let mut text = format!("{added} events copied in {took:.1?}\n");
    let mut line = |line: std::fmt::Arguments| writeln!(text, "{line}").unwrap_or_default();
    if *is_complete {
        line(format_args!("the target has all {events} events of {streams} streams, compared one by one"));
    } else {
        line(format_args!("the copy is not complete: the source grows as fast as it is copied"));
    }
    if *grown > 0 {
        line(format_args!(
            "the source was not quiet: {grown} events came meanwhile; stop what writes to it, and run the same command again"
        ));
    }
    if left_out.seals > 0 {
        line(format_args!(
            "left out: {} seals, which name positions of the source; keep their copies, and seal the target (tenuto audit seal)",
            left_out.seals
        ));
    }
    if left_out.of_the_server > 0 {
        line(format_args!(
            "left out: {} events of the server itself, such as its users, groups of persistent subscriptions and links",
            left_out.of_the_server
        ));
    }
    line(format_args!("positions are those of the target: rebuild the views on it (tenuto rebuild --yes)"));
    text
}
