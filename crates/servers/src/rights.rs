//! What the user of the log's connection string may do.

use std::time::Duration;

use event_store::{AppendError, EventStore, LOG_STREAM, ReadError};
use tokio::time::timeout;

/// A role that has no answer by then starts without having checked its right to read the log.
const LOG_ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// Checks that the log may be read. Only an administrator can give a missing right, so the role
/// does not wait for it: it ends.
pub async fn may_read(log: &EventStore) -> Result<(), NoRight> {
    may_append(log, &[]).await
}

/// Checks the same, and that events may be appended to streams with these prefixes and to the log's
/// own stream.
pub async fn may_append(log: &EventStore, prefixes: &[&str]) -> Result<(), NoRight> {
    // A log that does not answer yet may still be starting, on another machine.
    timeout(LOG_ANSWERS_WITHIN, rights(log, prefixes)).await.unwrap_or(Ok(()))
}

async fn rights(log: &EventStore, prefixes: &[&str]) -> Result<(), NoRight> {
    if let Err(error @ ReadError::Refused(_)) = log.head().await {
        return Err(NoRight::Read(error));
    }
    // No order, workflow or participant has such a name.
    let probes = prefixes.iter().map(|prefix| format!("{prefix}.rights"));
    let own = (!prefixes.is_empty()).then(|| LOG_STREAM.to_owned());
    for stream in own.into_iter().chain(probes) {
        if let Err(source @ AppendError::Refused(_)) = log.may_append(&stream).await {
            return Err(NoRight::Append { stream, source });
        }
    }
    Ok(())
}

/// What the user of the connection string may not do.
#[derive(Debug, thiserror::Error)]
pub enum NoRight {
    /// Read the log.
    #[error("$all cannot be read by the user of --event-store (TENUTO_EVENTSTORE): {0}")]
    Read(ReadError),
    /// Append to a stream.
    #[error("the stream {stream} cannot be appended to by the user of --event-store (TENUTO_EVENTSTORE): {source}")]
    Append {
        /// The stream.
        stream: String,
        /// What the log answered.
        source: AppendError,
    },
}
