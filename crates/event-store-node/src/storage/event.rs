//! An event in memory: its content and its position.

use bytes::Bytes;
use chrono::Utc;
use prost::Message;

use super::{StorageError, StoredEvent};

pub(crate) use event_store_protocol::metadata::TOMBSTONE_TYPE;
/// The revision that the protocol gives to a tombstone, independent of the stream's last revision.
pub(crate) const TOMBSTONE_REVISION: u64 = i64::MAX.unsigned_abs();

/// The protocol counts time in ticks of 100 ns since 1970.
pub(crate) const TICKS_PER_SECOND: u64 = 10_000_000;

pub(crate) fn now() -> u64 {
    u64::try_from(Utc::now().timestamp_micros()).unwrap_or(0) * 10
}

#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) position: u64,
    pub(crate) record: StoredEvent,
}

impl Event {
    pub(super) fn decode(position: u64, value: Bytes) -> Result<Self, StorageError> {
        Ok(Self { position, record: StoredEvent::decode(value)? })
    }

    /// Whether it marks its stream as deleted for good.
    pub(crate) fn is_tombstone(&self) -> bool {
        self.record.event_type == TOMBSTONE_TYPE
    }

    /// Its approximate size in memory and on the wire.
    pub(crate) fn size(&self) -> usize {
        let record = &self.record;
        record.stream.len() + record.event_type.len() + record.metadata.len() + record.data.len() + 128
    }
}
