//! Whether the user of the connection string may write. Checked at start, and not by the first
//! order.

use bytes::Bytes;
use uuid::Uuid;

use super::error::AppendError;
use super::store::EventStore;
use super::types::{Expected, NewEvent};

/// A revision that no stream has: the last one before the revision of a tombstone.
const NEVER: Expected = Expected::Revision(i64::MAX as u64 - 1);

impl EventStore {
    /// Checks whether the user may append to a stream. Nothing is appended: the append expects a
    /// revision that no stream has, and a server checks the right before it checks the revision.
    pub async fn may_append(&self, stream: &str) -> Result<(), AppendError> {
        let probe = NewEvent {
            id: Uuid::new_v4(),
            event_type: "RightsProbed".to_owned(),
            data: Bytes::from_static(b"{}"),
            metadata: Bytes::from_static(b"{}"),
        };
        match self.append(stream, NEVER, vec![probe]).await {
            Ok(_) | Err(AppendError::WrongExpectedRevision { .. } | AppendError::StreamDeleted(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
