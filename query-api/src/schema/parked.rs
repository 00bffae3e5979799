//! Events that could not be projected.

use async_graphql::{ID, SimpleObject};
use chrono::{DateTime, Utc};
use views::ParkedRow;

use super::Position;

/// An event that could not be projected and is set aside, until an operator has it tried again
/// (`tenuto projector retry`).
#[derive(SimpleObject)]
pub struct ParkedEvent {
    /// Its stream: that of the order, or that of the metadata of the order's stream.
    stream: ID,
    /// Its index in this stream.
    revision: i64,
    /// Its position in the log.
    position: Position,
    #[graphql(name = "type")]
    event_type: String,
    recorded_at: DateTime<Utc>,
    /// Why it cannot be projected.
    reason: String,
}

impl From<ParkedRow> for ParkedEvent {
    fn from(row: ParkedRow) -> Self {
        Self {
            stream: row.stream.into(),
            revision: row.revision,
            position: Position(row.position.cast_unsigned()),
            event_type: row.event_type,
            recorded_at: row.recorded_at,
            reason: row.reason,
        }
    }
}
