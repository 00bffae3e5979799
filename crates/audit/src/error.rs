//! Why nothing could be found out. That something is not as it was written is no error: it is an answer.

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
    /// A server is not named.
    #[error(transparent)]
    NotNamed(#[from] NotNamed),
    /// There is no log to audit.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
    /// The seal cannot be appended.
    #[error("the seal cannot be appended to the log")]
    Append(#[source] AppendError),
    /// Another seal came first.
    #[error("another seal was made meanwhile; run the same command again")]
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
        /// Why.
        source: io::Error,
    },
    /// A file is larger than any bundle or seal.
    #[error("{} is larger than {most} bytes, which no bundle or seal should be", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// How large it may be, in bytes.
        most: u64,
    },
    /// A file holds no key.
    #[error("{}: {source}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// Why.
        source: KeyError,
    },
    /// A file holds something else than it should.
    #[error("{} is no {what}: {reason}", file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The log has no such order.
    #[error("there is no order {0} in the log")]
    NoSuchOrder(String),
    /// The log has no order.
    #[error("there is nothing to seal: the log has no order up to position {0}")]
    NothingToSeal(u64),
    /// The log has no order.
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
        /// Why.
        why: String,
    },
    /// The system gives no random numbers.
    #[error("the key cannot be made: the system gives no random numbers")]
    NoRandomness,
    /// A part of the audit failed.
    #[error("a part of the audit ended before it was done: {0}")]
    Broken(String),
    /// The result cannot be written.
    #[error(transparent)]
    Output(#[from] WriteError),
}
