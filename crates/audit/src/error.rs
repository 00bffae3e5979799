//! Why an audit could not be carried out. Differences are no error: they are a result.

use std::io;
use std::path::PathBuf;

use domain::proof::keys::KeyError;
use event_store::{AppendError, ReadError};
use projector::compare::CompareError;

use command_line::output::WriteError;
use servers::log::OpenError;
use servers::{NotNamed, PostgresError};

/// Why an audit could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The server's address is unknown.
    #[error(transparent)]
    NotNamed(#[from] NotNamed),
    /// The log cannot be opened.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
    /// The seal cannot be appended.
    #[error("the seal cannot be appended to the log")]
    Append(#[source] AppendError),
    /// Another seal was appended first.
    #[error("another seal was appended meanwhile; run the same command again")]
    SealedMeanwhile,
    /// The views cannot be read.
    #[error("the views cannot be reached")]
    Database(#[from] sqlx::Error),
    /// The views cannot be reached.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The views cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// A file cannot be read or written.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file is larger than any bundle or seal.
    #[error("{} is larger than {most} bytes, which no bundle or seal should be", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// The largest allowed size, in bytes.
        most: u64,
    },
    /// The file has no key.
    #[error("{}: {source}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// The cause.
        source: KeyError,
    },
    /// The file has other content than required.
    #[error("{} is no {what}: {reason}", file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// The required content.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The log has no such order.
    #[error("the log has no order {0}")]
    NoSuchOrder(String),
    /// The log has no order to seal.
    #[error("there is nothing to seal: the log has no order up to position {0}")]
    NothingToSeal(u64),
    /// The log has no order to verify.
    #[error(
        "nothing was verified: the log has no order up to position {0}; is it the right log (--event-store, --data)?"
    )]
    NothingToVerify(u64),
    /// The bundle has no events.
    #[error("nothing was verified: {} has no events", .0.display())]
    EmptyBundle(PathBuf),
    /// A key was given for a bundle without a seal.
    #[error(
        "the key was not verified: {} has no seal; export the order again once a seal covers it, or leave --public-key out", .0.display()
    )]
    UnsealedBundle(PathBuf),
    /// The log cannot be sealed up to this position.
    #[error("--to {to}: {why}")]
    To {
        /// The position.
        to: u64,
        /// The reason.
        why: String,
    },
    /// The system provides no random numbers.
    #[error("the key cannot be made: the system provides no random numbers")]
    NoRandomness,
    /// A part of the audit ended early.
    #[error("a part of the audit ended before it was done: {0}")]
    Broken(String),
    /// The result cannot be written.
    #[error(transparent)]
    Output(#[from] WriteError),
}
