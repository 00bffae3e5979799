//! `tenuto event-store backup`: a copy of the embedded log, made while its node runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use event_store::EventStore;
use event_store_node::backup::{BackupError, BackupReport, backup};
use event_store_node::check_log;

use crate::check;
use command_line::data_folder::DataFolder;
use command_line::output;
use command_line::running;

/// Options of `tenuto event-store backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The node whose log is copied, as a connection string [default: that of what runs in the folder .tenuto, or
    /// `esdb://127.0.0.1:2113?tls=false`]
    #[arg(long, env = "TENUTO_EVENTSTORE", value_name = "esdb://HOST:PORT?tls=…", hide_env_values = true)]
    from: Option<String>,
    /// The data folder for the copy: a new one, or that of an earlier backup
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

/// Removes a copy that has no event, and the data folder around it if nothing else is there: neither may look like a backup.
fn remove(folder: &Path, data: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        tracing::warn!(folder = %folder.display(), %error, "the copy holds no event and could not be removed");
    }
    // A folder that holds anything else stays.
    let _ = fs::remove_dir(data);
}

/// Whether the copy has no event. A finished backup has counted them; the copy of a failed one is counted here.
fn holds_nothing(folder: &Path, done: &Result<BackupReport, BackupError>) -> bool {
    match done {
        Ok(report) => report.check.events == 0,
        Err(_) => check_log(folder).is_ok_and(|copy| copy.events == 0),
    }
}

/// Exit code 1: something is wrong with the copy.
pub async fn run(args: BackupArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let (log, data) = (EventStore::connect(&running::event_store(args.from.as_deref())?)?, args.to);
    let folder = DataFolder { data: data.clone() }.event_store();
    let is_new = !folder.exists();
    let done = backup(&log, &folder).await;
    if is_new && holds_nothing(&folder, &done) {
        remove(&folder, &data);
    }
    let report = done?;
    let added = format!("{}: {} events added in {:.1?}\n", folder.display(), report.added, begun.elapsed());
    output::announce(&(added + &check::summary(&folder, &report.check)));
    if report.check.is_sound() && report.check.events == 0 {
        return Ok(ExitCode::from(check::NOTHING));
    }
    Ok(if report.check.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
