//! What operators of the log did to Tenuto's streams: they deleted a stream, for good or not, or
//! set a limit on it.
//!
//! Until a scavenge the events are still in `$all`, so the hash chains alone do not show it.

use std::collections::BTreeMap;

use domain::proof::seal;
use domain::views::stream_prefixes;
use event_store::{LOG_STREAM, RecordedEvent, StreamLimits, TOMBSTONE_TYPE, described_by};

use super::super::findings::Finding;

/// For each stream, the effect of the last event about it.
#[derive(Debug, Default)]
pub(super) struct Operators(BTreeMap<String, String>);

impl Operators {
    /// Takes an event if an operator, and not Tenuto, has written it. Returns whether it was taken.
    pub fn take(&mut self, event: &RecordedEvent) -> bool {
        let position = event.position;
        if event.event_type == TOMBSTONE_TYPE && is_ours(&event.stream) {
            self.0.insert(event.stream.clone(), format!("the stream was deleted for good, at position {position}"));
            return true;
        }
        let Some(stream) = described_by(&event.stream).filter(|stream| is_ours(stream)) else { return false };
        let limits = StreamLimits::in_metadata(&event.data);
        if limits.is_none() {
            self.0.remove(stream);
        } else {
            self.0.insert(stream.to_owned(), in_words(limits, Some(position.commit)));
        }
        true
    }

    /// A finding for each stream whose events are hidden or deleted.
    pub fn findings(self) -> impl Iterator<Item = Finding> {
        self.0.into_iter().map(|(stream, reason)| Finding::Stream { stream, reason })
    }
}

/// The effect of a stream's limits in words, and how to lift them.
pub(crate) fn in_words(limits: StreamLimits, position: Option<u64>) -> String {
    let place = position.map(|position| format!(", at position {position}")).unwrap_or_default();
    format!("{limits}{place}; until a scavenge, the events are visible again when the metadata is set to {{}}")
}

fn is_ours(stream: &str) -> bool {
    [LOG_STREAM, seal::STREAM].contains(&stream)
        || stream_prefixes().iter().any(|prefix| stream.starts_with(prefix.as_str()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::DateTime;
    use event_store::Position;
    use uuid::Uuid;

    use super::*;

    fn event(stream: &str, event_type: &str, data: &str) -> RecordedEvent {
        RecordedEvent {
            id: Uuid::nil(),
            stream: stream.to_owned(),
            revision: 0,
            position: Position { commit: 7, prepare: 7 },
            event_type: event_type.to_owned(),
            data: Bytes::copy_from_slice(data.as_bytes()),
            metadata: Bytes::new(),
            created: DateTime::UNIX_EPOCH,
        }
    }

    fn found(events: &[RecordedEvent]) -> Vec<String> {
        let mut operators = Operators::default();
        for event in events {
            assert!(operators.take(event), "{event:?}");
        }
        operators.findings().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn each_operation_on_tenutos_streams_is_named() {
        let found = found(&[
            event("$$order-1", "$metadata", r#"{"$tb":9223372036854775807}"#),
            event("$$order-2", "$metadata", r#"{"$maxCount":3}"#),
            event("$$workflow-w", "$metadata", r#"{"$maxAge":3}"#),
            event("order-3", "$streamDeleted", ""),
        ]);
        assert!(found[0].starts_with("stream order-1: the stream was deleted, at position 7"), "{}", found[0]);
        assert!(found[1].contains("stream order-2: the stream's metadata hides events: $maxCount 3"), "{}", found[1]);
        assert!(found[2].contains("deleted for good, at position 7"), "{}", found[2]);
        assert!(found[3].contains("stream workflow-w: "), "{}", found[3]);
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn the_last_metadata_counts_and_metadata_without_a_limit_hides_nothing() {
        let deleted = event("$$order-1", "$metadata", r#"{"$tb":9223372036854775807}"#);
        assert_eq!(found(&[deleted, event("$$order-1", "$metadata", "{}")]), Vec::<String>::new());
    }

    #[test]
    fn operations_on_streams_of_others_are_ignored() {
        for stream in ["$$invoice-1", "invoice-1", "$$$order-1"] {
            assert!(!Operators::default().take(&event(stream, "$streamDeleted", "")), "{stream}");
        }
        assert!(!Operators::default().take(&event("order-1", "OrderPlaced", "")));
    }
}
