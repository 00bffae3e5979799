//! Why nothing could be found out. That something is not as it was written is no error: it is an answer.

use std::io;
use std::path::PathBuf;

use domain::proof::keys::KeyError;
use event_store::client::{AppendError, ReadError};
use projector::compare::CompareError;

use command_line::output::WriteError;
use servers::log::OpenError;
use servers::{NotNamed, PostgresError};

/// Why an audit could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum AuditError {
    #[error(transparent)]
    NotNamed(#[from] NotNamed),
    #[error(transparent)]
    Log(#[from] OpenError),
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
    #[error("the seal cannot be appended to the log")]
    Append(#[source] AppendError),
    #[error("another seal was made meanwhile; run the same command again")]
    SealedMeanwhile,
    #[error("the views cannot be reached")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    #[error(transparent)]
    Compare(#[from] CompareError),
    #[error("{}: {source}", file.display())]
    File { file: PathBuf, source: io::Error },
    #[error("{} is larger than {most} bytes, which no bundle or seal should be", file.display())]
    TooLarge { file: PathBuf, most: u64 },
    #[error("{}: {source}", file.display())]
    Key { file: PathBuf, source: KeyError },
    #[error("{} is no {what}: {reason}", file.display())]
    Content { file: PathBuf, what: &'static str, reason: String },
    #[error("there is no order {0} in the log")]
    NoSuchOrder(String),
    #[error("there is nothing to seal: the log has no order up to position {0}")]
    NothingToSeal(u64),
    #[error(
        "nothing was verified: the log has no order up to position {0}; is it the right log (--event-store, --data)?"
    )]
    NothingToVerify(u64),
    #[error("nothing was verified: {} has no events", .0.display())]
    EmptyBundle(PathBuf),
    #[error(
        "the key was not verified: {} has no seal; export the order again once a seal covers it, or leave --public-key out", .0.display()
    )]
    UnsealedBundle(PathBuf),
    #[error("--to {to}: {why}")]
    To { to: u64, why: String },
    #[error("the key cannot be made: the system gives no random numbers")]
    NoRandomness,
    #[error("a part of the audit ended before it was done: {0}")]
    Broken(String),
    #[error(transparent)]
    Output(#[from] WriteError),
}
