//! The log's identity: a UUID in the first event of a stream that every log of Tenuto has.
//!
//! A server offers no identity, and two logs may have the same positions. So a reader stores the
//! identity with its checkpoint, and notices when the log was replaced. The stream is a contract:
//! participants read it too.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::{AppendError, ReadError};
use super::store::EventStore;
use super::types::{Expected, NewEvent, Position, RecordedEvent};

/// The stream whose first event has the identity.
pub const LOG_STREAM: &str = "tenuto-log";
/// The type of that event.
pub const LOG_BEGUN: &str = "LogBegun";

/// The data of that event.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogBegun {
    log_id: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stream_prefix: Option<String>,
}

/// The content of the first event of a log's identity stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// Its identity.
    pub id: Uuid,
    /// The prefix of the names of the users' streams. `None`: no prefix was chosen.
    pub stream_prefix: Option<String>,
}

impl EventStore {
    /// The log's identity. `None`: the log has none yet.
    pub async fn identity(&self) -> Result<Option<Uuid>, ReadError> {
        Ok(self.settings().await?.map(|settings| settings.id))
    }

    /// The log's identity and settings. `None`: the log has none yet.
    pub async fn settings(&self) -> Result<Option<LogSettings>, ReadError> {
        self.read_stream(LOG_STREAM, 0, 1).await?.first().map(settings_in).transpose()
    }

    /// The log's identity. A log without one gets one. If several callers try at once, all get the
    /// same one.
    pub async fn identity_or_new(&self) -> Result<Uuid, IdentityError> {
        Ok(self.begin(None).await?.id)
    }

    /// The log's identity and settings. A log without them gets these. If several callers try at
    /// once, one of them sets them.
    pub async fn begin(&self, stream_prefix: Option<&str>) -> Result<LogSettings, IdentityError> {
        if let Some(settings) = self.settings().await? {
            return Ok(settings);
        }
        let begun = log_begun(Uuid::now_v7(), stream_prefix)?;
        match self.append(LOG_STREAM, Expected::NoStream, vec![begun]).await {
            Ok(_) | Err(AppendError::WrongExpectedRevision { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let missing = || ReadError::Refused(format!("the stream {LOG_STREAM} exists, and its first event is missing"));
        Ok(self.settings().await?.ok_or_else(missing)?)
    }

    /// The event at exactly this position. `None`: the position has no event.
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

fn log_begun(log_id: Uuid, stream_prefix: Option<&str>) -> Result<NewEvent, AppendError> {
    let stream_prefix = stream_prefix.map(str::to_owned);
    let data = serde_json::to_vec(&LogBegun { log_id, stream_prefix })
        .map_err(|error| AppendError::Refused(error.to_string()))?;
    Ok(NewEvent {
        id: log_id,
        event_type: LOG_BEGUN.to_owned(),
        data: data.into(),
        metadata: Bytes::from_static(b"{}"),
    })
}

fn settings_in(event: &RecordedEvent) -> Result<LogSettings, ReadError> {
    let begun: Result<LogBegun, _> = serde_json::from_slice(&event.data);
    match begun {
        Ok(LogBegun { log_id: id, stream_prefix }) if event.event_type == LOG_BEGUN => {
            Ok(LogSettings { id, stream_prefix })
        }
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

    const GOLDEN: &str = include_str!("../golden/LogBegun.json");
    const WITH_PREFIX: &str = include_str!("../golden/LogBegunWithPrefix.json");

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
    fn the_identity_is_written_as_in_the_golden_file_and_read_from_there() {
        let id = Uuid::from_u128(0x0193_7000_0000_7000_8000_0000_0000_0001);
        for (golden, prefix) in [(GOLDEN, None), (WITH_PREFIX, Some("shop-order-"))] {
            let written = log_begun(id, prefix).unwrap();
            assert_eq!((written.id, written.event_type.as_str()), (id, LOG_BEGUN));
            assert_eq!(String::from_utf8(written.data.to_vec()).unwrap(), golden.trim_end());
            let settings = LogSettings { id, stream_prefix: prefix.map(str::to_owned) };
            assert_eq!(settings_in(&recorded(LOG_BEGUN, golden)), Ok(settings));
        }
    }

    #[test]
    fn an_event_of_another_application_in_the_stream_is_an_error_and_no_identity() {
        for (event_type, data) in [("Started", GOLDEN), (LOG_BEGUN, "{}"), (LOG_BEGUN, "{\"logId\":\"x\"}")] {
            assert!(matches!(settings_in(&recorded(event_type, data)), Err(ReadError::Refused(_))), "{data}");
        }
    }
}
