//! The timeline of an order: its events, for people.

use async_graphql::connection::{ConnectionNameType, EdgeNameType};
use async_graphql::{ID, OutputType, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::Value;
use views::Page;
use views::TimelineRow;

use super::connection::Named;
use crate::paging::{PageArguments, PageError, encode_cursor};

/// An event of an order.
#[derive(SimpleObject)]
pub struct TimelineEntry {
    /// Index of the event in the order's stream.
    revision: i64,
    #[graphql(name = "type")]
    event_type: String,
    recorded_at: DateTime<Utc>,
    /// The event, in a sentence.
    summary: String,
    /// Its step.
    step: Option<String>,
    /// The principal, if a person acted.
    actor: Option<String>,
    /// The second person who approved what this one asked for.
    approved_by: Option<String>,
    /// The reason that this person gave.
    reason: Option<String>,
    /// The event's data, as in the log.
    data: Value,
    correlation_id: Option<ID>,
    causation_id: Option<ID>,
    /// The event's link in the chain of hashes.
    hash: String,
}

/// A page of a timeline.
pub type TimelineConnection = Named<TimelineEntry, TimelineName, TimelineName>;

/// Names the connection after the timeline, not after its entries.
pub struct TimelineName;

impl ConnectionNameType for TimelineName {
    fn type_name<T: OutputType>() -> String {
        "TimelineConnection".to_owned()
    }
}

impl EdgeNameType for TimelineName {
    fn type_name<T: OutputType>() -> String {
        "TimelineEdge".to_owned()
    }
}

impl From<TimelineRow> for TimelineEntry {
    fn from(row: TimelineRow) -> Self {
        Self {
            revision: row.revision,
            event_type: row.event_type,
            recorded_at: row.recorded_at,
            summary: row.summary,
            step: row.step,
            actor: row.actor,
            approved_by: row.approved_by,
            reason: row.reason,
            data: row.data.0,
            correlation_id: row.correlation_id.map(ID),
            causation_id: row.causation_id.map(ID::from),
            hash: row.hash,
        }
    }
}

impl TimelineEntry {
    /// The entry for a caller that may not see what is in the event.
    pub fn without_data(row: TimelineRow) -> Self {
        Self { data: Value::from("⟦data⟧"), ..Self::from(row) }
    }
}

/// Checks paging arguments for a timeline.
pub fn page(arguments: &PageArguments) -> Result<Page<i64>, PageError> {
    arguments.check(|cursor| cursor.strip_prefix("revision|")?.parse().ok())
}

/// The cursor of an entry.
pub fn cursor(row: &TimelineRow) -> String {
    encode_cursor(&format!("revision|{}", row.revision))
}
