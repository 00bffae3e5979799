//! The log's identity: a UUID in the first event of a stream that every log of Tenuto has.
//!
//! A server has no identity to offer, and two logs may have the same positions. So a reader keeps the identity beside its
//! checkpoint, and notices that the log was replaced. The stream is a contract: participants read it too.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::EventStore;
use super::error::{AppendError, ReadError};
use super::types::{Expected, NewEvent, Position, RecordedEvent};

/// The stream whose first event holds the identity.
pub const LOG_STREAM: &str = "tenuto-log";
/// The type of that event.
pub const LOG_BEGUN: &str = "LogBegun";

/// The data of that event.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogBegun {
    log_id: Uuid,
}

impl EventStore {
    /// The log's identity; `None`: it has none yet.
    pub async fn identity(&self) -> Result<Option<Uuid>, ReadError> {
        self.read_stream(LOG_STREAM, 0, 1).await?.first().map(identity_in).transpose()
    }

    /// The log's identity. A log that has none gets one; when several callers try, one of them succeeds.
    pub async fn identity_or_new(&self) -> Result<Uuid, IdentityError> {
        if let Some(identity) = self.identity().await? {
            return Ok(identity);
        }
        match self.append(LOG_STREAM, Expected::NoStream, vec![log_begun(Uuid::now_v7())?]).await {
            Ok(_) | Err(AppendError::WrongExpectedRevision { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let missing = || ReadError::Refused(format!("the stream {LOG_STREAM} exists, and its first event is missing"));
        Ok(self.identity().await?.ok_or_else(missing)?)
    }

    /// The event at exactly this position; `None`: no event is there.
    pub async fn event_at(&self, position: Position) -> Result<Option<RecordedEvent>, ReadError> {
        let first = self.read_all(Some(position), 1).await?.pop();
        Ok(first.filter(|event| event.position.commit == position.commit))
    }
}

/// Why the log has no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The identity could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The identity could not be written.
    #[error("the log's identity cannot be written to the stream {LOG_STREAM}: {0}")]
    Append(#[from] AppendError),
}

fn log_begun(log_id: Uuid) -> Result<NewEvent, AppendError> {
    let data = serde_json::to_vec(&LogBegun { log_id }).map_err(|error| AppendError::Refused(error.to_string()))?;
    Ok(NewEvent {
        id: log_id,
        event_type: LOG_BEGUN.to_owned(),
        data: data.into(),
        metadata: Bytes::from_static(b"{}"),
    })
}

fn identity_in(event: &RecordedEvent) -> Result<Uuid, ReadError> {
    let begun: Result<LogBegun, _> = serde_json::from_slice(&event.data);
    match begun {
        Ok(LogBegun { log_id }) if event.event_type == LOG_BEGUN => Ok(log_id),
        _ => Err(ReadError::Refused(format!(
            "the first event of the stream {LOG_STREAM} must be a {LOG_BEGUN} with a logId, and is {:?}: another \
             application uses this stream",
            event.event_type
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = include_str!("../../golden/LogBegun.json");

    fn recorded(event_type: &str, data: &str) -> RecordedEvent {
        RecordedEvent {
            id: Uuid::nil(),
            stream: LOG_STREAM.to_owned(),
            revision: 0,
            position: Position { commit: 1, prepare: 1 },
            event_type: event_type.to_owned(),
            data: Bytes::copy_from_slice(data.as_bytes()),
            metadata: Bytes::new(),
            created: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_identity_is_written_as_the_golden_file_has_it_and_read_from_there() {
        let id = Uuid::from_u128(0x0193_7000_0000_7000_8000_0000_0000_0001);
        let written = log_begun(id).unwrap();
        assert_eq!((written.id, written.event_type.as_str()), (id, LOG_BEGUN));
        assert_eq!(String::from_utf8(written.data.to_vec()).unwrap(), GOLDEN.trim_end());
        assert_eq!(identity_in(&recorded(LOG_BEGUN, GOLDEN)), Ok(id));
    }

    #[test]
    fn an_event_of_another_application_in_the_stream_is_an_error_and_no_identity() {
        for (event_type, data) in [("Started", GOLDEN), (LOG_BEGUN, "{}"), (LOG_BEGUN, "{\"logId\":\"x\"}")] {
            assert!(matches!(identity_in(&recorded(event_type, data)), Err(ReadError::Refused(_))), "{data}");
        }
    }
}
