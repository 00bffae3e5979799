//! Whether a checkpoint belongs to the log that it is used on.
//!
//! In addition to its position, a checkpoint stores the log's identity and a mark: the id of an
//! event at or before the position. The identity shows that the log was replaced. The log's head
//! shows that an older backup was restored. The mark shows that an older backup was restored and
//! has grown beyond the checkpoint since.

use std::fmt;

use event_store::{EventStore, IdentityError, Position, ReadError};
use uuid::Uuid;

/// A checkpoint, and facts about its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Every event up to here is handled.
    pub position: Position,
    /// The log's identity. `None`: the checkpoint was written by a version without identities.
    pub log: Option<Uuid>,
    /// `None`: no event was received yet.
    pub mark: Option<Mark>,
}

/// An event of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Its position.
    pub position: Position,
    /// Its id.
    pub event: Uuid,
}

/// How a log differs from the log of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// The log has another identity, or none.
    OtherLog {
        /// The identity of the checkpoint's log.
        expected: Uuid,
        /// The identity of this log.
        found: Option<Uuid>,
    },
    /// The log ends before the checkpoint.
    Ahead {
        /// The checkpoint's position.
        position: u64,
        /// The log's last position. 0: the log is empty.
        head: u64,
    },
    /// The log has another event at the mark's position, or no event although no scavenge has
    /// removed it.
    OtherEvent {
        /// The mark's position.
        position: u64,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherLog { expected, found: Some(found) } => {
                write!(f, "this is another log: the checkpoint is of log {expected}, and this is log {found}")
            }
            Self::OtherLog { expected, found: None } => {
                write!(f, "this is another log: the checkpoint is of log {expected}, and this one has no identity")
            }
            Self::Ahead { position, head } => {
                write!(
                    f,
                    "the checkpoint is ahead of the log: it is at position {position}, and the log ends at {head}"
                )
            }
            Self::OtherEvent { position } => {
                write!(f, "the log was changed behind the checkpoint: it has another event at position {position}")
            }
        }
    }
}

/// Why a checkpoint cannot be used, or not yet.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// It belongs to another log. Waiting does not help.
    #[error("{0}")]
    Mismatch(Mismatch),
    /// The log cannot be read or written at present.
    #[error(transparent)]
    Log(#[from] IdentityError),
}

impl From<ReadError> for OriginError {
    fn from(error: ReadError) -> Self {
        Self::Log(error.into())
    }
}

/// Compares a checkpoint with the log, and returns the log's identity. `None` is a reader that has
/// handled nothing: it accepts any log. A log without an identity gets one, unless the checkpoint
/// belongs to another log.
pub async fn verify(log: &EventStore, checkpoint: Option<&Checkpoint>) -> Result<Uuid, OriginError> {
    if let Some(checkpoint) = checkpoint
        && let Some(mismatch) = compare(log, checkpoint).await?
    {
        return Err(OriginError::Mismatch(mismatch));
    }
    Ok(log.identity_or_new().await?)
}

/// How the log differs from the checkpoint's log. Writes nothing.
pub async fn compare(log: &EventStore, checkpoint: &Checkpoint) -> Result<Option<Mismatch>, ReadError> {
    if let Some(expected) = checkpoint.log {
        let found = log.identity().await?;
        if found != Some(expected) {
            return Ok(Some(Mismatch::OtherLog { expected, found }));
        }
    }
    let head = log.head().await?;
    if head.is_none_or(|head| head.commit < checkpoint.position.commit) {
        let head = head.map_or(0, |head| head.commit);
        return Ok(Some(Mismatch::Ahead { position: checkpoint.position.commit, head }));
    }
    let Some(mark) = checkpoint.mark else { return Ok(None) };
    let is_there = match log.event_at(mark.position).await? {
        Some(found) => found.id == mark.event,
        None => log.gaps().await?.cover(mark.position.commit..mark.position.commit.saturating_add(1)),
    };
    Ok((!is_there).then_some(Mismatch::OtherEvent { position: mark.position.commit }))
}
