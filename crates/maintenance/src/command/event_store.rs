//! The commands of `tenuto event-store` that check, save and move its log.

use std::process::ExitCode;

use clap::Subcommand;

use super::{backup, check, copy};
use crate::MaintenanceError;

/// A command on a log.
#[derive(Debug, Subcommand)]
pub enum EventStoreCommand {
    /// Check the log in a data folder that no node is using
    Check(check::CheckArgs),
    /// Copy the log of a running node into a data folder, and check the copy
    ///
    /// If the folder holds an earlier backup of the same log, only new events are added. A node
    /// that is started on the folder continues where the log ended when the backup began.
    Backup(backup::BackupArgs),
    /// Copy a log to another server, such as a cluster, and verify the copy
    ///
    /// Every event keeps its stream, revision, id, data and metadata. An interrupted copy is
    /// continued by the same command. Stop what writes to the source before.
    Copy(copy::CopyArgs),
}

/// Runs the command.
pub async fn run(command: EventStoreCommand) -> Result<ExitCode, MaintenanceError> {
    match command {
        EventStoreCommand::Check(args) => check::run(&args),
        EventStoreCommand::Backup(args) => backup::run(args).await,
        EventStoreCommand::Copy(args) => Box::pin(copy::run(args)).await,
    }
}
