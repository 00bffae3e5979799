//! `tenuto event-store backup`: a copy of the embedded log, made while its node runs.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use event_store::backup::backup;
use event_store::client::EventStore;

use super::check;
use crate::args::DataFolder;
use crate::commands::output;
use crate::running;

/// Options of `tenuto event-store backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The node whose log is copied, as a connection string [default: that of what runs in the folder .tenuto, or
    /// `esdb://127.0.0.1:2113?tls=false`]
    #[arg(long, env = "TENUTO_EVENTSTORE", value_name = "esdb://HOST:PORT?tls=…", hide_env_values = true)]
    from: Option<String>,
    /// The data folder for the copy: a new one, or that of an earlier backup
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

/// Exit code 1: something is wrong with the copy.
pub(super) async fn run(args: BackupArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let folder = DataFolder { data: args.to }.event_store();
    let report = backup(&EventStore::connect(&running::event_store(args.from.as_deref())?)?, &folder).await?;
    let added = format!("{}: {} events added in {:.1?}\n", folder.display(), report.added, begun.elapsed());
    output::announce(&(added + &check::summary(&folder, &report.check)));
    if report.check.is_sound() && report.check.events == 0 {
        return Ok(ExitCode::from(check::NOTHING));
    }
    Ok(if report.check.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
