//! What the node stores on disk. It is never sent over the wire. Every later version must be able
//! to read it: a field number keeps its meaning for ever, and fields are only added.

use bytes::Bytes;
use event_store_protocol::metadata::{Limits, limits_in};
use prost::Message;

/// The value under a position.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct StoredEvent {
    #[prost(string, tag = "1")]
    pub(crate) stream: String,
    #[prost(uint64, tag = "2")]
    pub(crate) revision: u64,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) id: Bytes,
    /// Ticks of 100 ns since 1970, as in the protocol.
    #[prost(uint64, tag = "4")]
    pub(crate) created: u64,
    #[prost(string, tag = "5")]
    pub(crate) event_type: String,
    #[prost(string, tag = "6")]
    pub(crate) content_type: String,
    #[prost(bytes = "bytes", tag = "7")]
    pub(crate) metadata: Bytes,
    #[prost(bytes = "bytes", tag = "8")]
    pub(crate) data: Bytes,
}

/// The value under a stream's name.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct StoredStream {
    /// The stream's number, under which its events and their ids are indexed: the position of its
    /// first event.
    #[prost(uint64, tag = "1")]
    pub(crate) number: u64,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) last_revision: Option<u64>,
    /// Deleted for good.
    #[prost(bool, tag = "3")]
    pub(crate) tombstoned: bool,
}

/// The limits in a stream's metadata that reading and appending need, so that neither has to read
/// the metadata stream.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct StoredLimits {
    /// Earlier revisions are hidden. The largest 64-bit signed number means that the stream is
    /// deleted, and may be written again.
    #[prost(uint64, optional, tag = "1")]
    pub(crate) truncate_before: Option<u64>,
    /// Only this many of the last events are visible.
    #[prost(uint64, optional, tag = "2")]
    pub(crate) max_count: Option<u64>,
    /// Events older than this many seconds are hidden.
    #[prost(uint64, optional, tag = "3")]
    pub(crate) max_age: Option<u64>,
}

impl StoredLimits {
    /// The limits in metadata with this data.
    pub(crate) fn in_metadata(data: &[u8]) -> Self {
        let Limits { truncate_before, max_count, max_age } = limits_in(data);
        Self { truncate_before, max_count, max_age }
    }
}
