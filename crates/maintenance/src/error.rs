//! Why a maintenance command failed.

use std::io;

use command_handler::CallbackSecretsError;
use command_line::output::WriteError;
use command_line::running::NotFound;
use event_store::ConnectError;
use event_store_node::backup::BackupError;
use projector::ReprojectError;
use projector::rebuild::RebuildError;
use servers::log::OpenError;
use servers::stream_prefix::PrefixError;
use servers::{NotNamed, ServerError};
use views::LogCheckError;

use crate::check::CheckError;
use crate::copy::CopyError;
use crate::keys::KeysError;
use crate::other_log::OtherLog;
use crate::reset::ResetError;

/// Why a maintenance command failed.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// A server is not named.
    #[error(transparent)]
    NotNamed(#[from] NotNamed),
    /// The servers of this folder were not found.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The log's connection string cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A server cannot be used.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The log's stream prefix cannot be used.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// The log could not be compared with the views.
    #[error(transparent)]
    LogCheck(#[from] LogCheckError),
    /// The views are of another log.
    #[error(transparent)]
    OtherLog(#[from] OtherLog),
    /// The rebuild failed.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// A stream could not be projected again.
    #[error(transparent)]
    Reproject(#[from] ReprojectError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The log could not be copied.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A log could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The log was not copied to another server.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The log could not be checked.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The system gives no random numbers.
    #[error("no key can be made: the system gives no random numbers")]
    NoRandomness,
    /// Keys were not copied.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The secret of callbacks was not rotated.
    #[error(transparent)]
    CallbackSecrets(#[from] CallbackSecretsError),
    /// The data of a folder was not removed.
    #[error(transparent)]
    Reset(#[from] ResetError),
    /// The operator's answer cannot be read.
    #[error(transparent)]
    Terminal(io::Error),
    /// The result cannot be written as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The result cannot be printed.
    #[error(transparent)]
    Write(#[from] WriteError),
}
