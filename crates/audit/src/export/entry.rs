//! One event in readable form.

use chrono::{DateTime, Utc};
use domain::order::summary;
use domain::wire::{Decoded, Metadata};
use event_store::RecordedEvent;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// An entry of a timeline.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub revision: u64,
    pub recorded_at: DateTime<Utc>,
    /// Milliseconds since the previous entry. Below 0 if the clocks of two machines disagree.
    pub since_previous_ms: i64,
    #[serde(rename = "type")]
    pub event_type: String,
    /// What happened, in a sentence.
    pub summary: String,
    pub step: Option<String>,
    pub actor: Option<String>,
    /// The second person who approved what the principal asked for.
    pub approved_by: Option<String>,
    pub reason: Option<String>,
    pub data: Value,
    pub event_id: Uuid,
    pub position: u64,
    pub correlation_id: Option<String>,
    pub causation_id: Option<Uuid>,
    pub hash: Option<String>,
}

impl Entry {
    /// The entries of all events.
    pub fn of_all(events: &[RecordedEvent]) -> Vec<Self> {
        let before = events.first().into_iter().chain(events);
        before.zip(events).map(|(before, event)| Self::of(event, before.created)).collect()
    }

    fn of(event: &RecordedEvent, before: DateTime<Utc>) -> Self {
        let decoded = order_stream::decode(event);
        let (summary, step) = match &decoded {
            Ok(Decoded { event, .. }) => (summary(event), event.step().cloned()),
            Err(fault) => (format!("cannot be read: {}", fault.reason()), None),
        };
        // The metadata of an event may be readable even if the event is not.
        let metadata: Option<Metadata> = serde_json::from_slice(&event.metadata).ok();
        let (correlation_id, causation_id, actor, approved_by, reason, hash) = match metadata {
            Some(Metadata {
                correlation_id,
                causation_id,
                actor,
                approved_by,
                reason,
                hash,
                traceparent: _,
                schema: _,
            }) => (Some(correlation_id), causation_id, actor, approved_by, reason, Some(hash)),
            None => (None, None, None, None, None, None),
        };
        Self {
            revision: event.revision,
            recorded_at: event.created,
            since_previous_ms: (event.created - before).num_milliseconds(),
            event_type: event.event_type.clone(),
            summary,
            step,
            actor,
            approved_by,
            reason,
            data: serde_json::from_slice(&event.data)
                .unwrap_or_else(|_| String::from_utf8_lossy(&event.data).into_owned().into()),
            event_id: event.id,
            position: event.position.commit,
            correlation_id,
            causation_id,
            hash,
        }
    }
}
