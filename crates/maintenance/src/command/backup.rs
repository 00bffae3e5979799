//! `tenuto event-store backup`: copies the log of a running node.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use command_line::data_folder::DataFolder;
use command_line::{output, running};
use event_store::EventStore;
use secrets::{SecretString, exposed};

use super::check::{exit_code, summary};
use crate::MaintenanceError;
use crate::backup::backup;

/// Options of `tenuto event-store backup`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 if the copy is whole; 1 if it has faults; 2 if it has no event, or the log cannot be read."
)]
pub struct BackupArgs {
    /// The node whose log is copied, as a connection string [default: the log of the process that
    /// runs in the folder .tenuto, or `esdb://127.0.0.1:2113?tls=false`]
    #[arg(long, env = "TENUTO_EVENTSTORE", value_name = "esdb://HOST:PORT?tls=…", hide_env_values = true)]
    from: Option<SecretString>,
    /// The data folder for the copy: a new one, or that of an earlier backup
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

/// Copies the log, and prints the report. Exit code 1: the copy has faults; 2: the log has no
/// event.
pub async fn run(args: BackupArgs) -> Result<ExitCode, MaintenanceError> {
    let begun = Instant::now();
    let log = EventStore::connect(&running::event_store(exposed(args.from.as_ref()))?)?;
    let to = DataFolder { data: args.to };
    let report = backup(&log, &to).await?;
    let folder = to.event_store();
    let added = format!("{}: {} events added in {:.1?}\n", folder.display(), report.added, begun.elapsed());
    output::announce(&(added + &summary(&folder, &report.check)));
    Ok(exit_code(&report.check))
}
