//! What a stream's metadata hides: an operator of the server deleted the stream, or set a limit on
//! it.
//!
//! The stream's own events do not show this. A deleted stream reads like a stream that never
//! existed, and accepts events again.

use std::fmt;

use event_store_protocol::metadata::{SOFT_DELETED, limits_in, metadata_stream_of};

use super::error::ReadError;
use super::store::EventStore;

/// The limits in a stream's metadata. They hide events at once; a scavenge removes the hidden
/// events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamLimits {
    /// `$tb`: the first visible revision.
    pub truncate_before: Option<u64>,
    /// `$maxCount`: how many events are visible.
    pub max_count: Option<u64>,
    /// `$maxAge`: for how many seconds an event is visible.
    pub max_age: Option<u64>,
}

impl StreamLimits {
    /// Reads the limits as the server does.
    pub fn in_metadata(data: &[u8]) -> Self {
        let limits = limits_in(data);
        Self {
            truncate_before: limits.truncate_before.filter(|first| *first > 0),
            max_count: limits.max_count,
            max_age: limits.max_age,
        }
    }

    /// Whether the whole stream is visible and stays so.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the stream was deleted and may be written again.
    pub fn is_deleted(&self) -> bool {
        self.truncate_before == Some(SOFT_DELETED)
    }
}

impl fmt::Display for StreamLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_deleted() {
            return f.write_str("the stream was deleted");
        }
        let limits = [("$tb", self.truncate_before), ("$maxCount", self.max_count), ("$maxAge", self.max_age)];
        let set: Vec<String> =
            limits.iter().filter_map(|(name, limit)| limit.map(|limit| format!("{name} {limit}"))).collect();
        write!(f, "the stream's metadata hides events: {}", set.join(", "))
    }
}

impl EventStore {
    /// The limits in a stream's metadata. The error is `StreamDeleted` for a stream that was
    /// deleted for good.
    pub async fn stream_limits(&self, stream: &str) -> Result<StreamLimits, ReadError> {
        let metadata = self.read_stream_backwards(&metadata_stream_of(stream), 1).await;
        let metadata = metadata.map_err(|error| match error {
            ReadError::StreamDeleted(_) => ReadError::StreamDeleted(stream.to_owned()),
            other => other,
        })?;
        Ok(metadata.last().map(|event| StreamLimits::in_metadata(&event.data)).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_named_and_a_deletion_is_named_as_such() {
        let named = |text: &str| StreamLimits::in_metadata(text.as_bytes()).to_string();
        assert_eq!(named(r#"{"$tb":3,"$maxAge":60}"#), "the stream's metadata hides events: $tb 3, $maxAge 60");
        assert_eq!(named(r#"{"$tb":9223372036854775807}"#), "the stream was deleted");
    }

    #[test]
    fn metadata_without_limits_hides_nothing() {
        for text in ["{}", r#"{"$acl":{"$r":"a"}}"#, r#"{"$tb":0}"#, "not json", r#"{"$maxCount":"3"}"#] {
            assert!(StreamLimits::in_metadata(text.as_bytes()).is_none(), "{text}");
        }
    }
}
