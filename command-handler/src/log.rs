//! The log, as the write side needs it: a port, so that the same driver also runs on a simulated
//! one.

use std::future::Future;

use domain::batch_request::BATCH_STREAM_PREFIX;
use domain::stream_prefix;
use domain::wire::participants::REQUEST_STREAM_PREFIX;
use domain::wire::webhooks::WEBHOOK_STREAM_PREFIX;
use domain::wire::{KEY_STREAM_PREFIX, WORKFLOW_STREAM_PREFIX};
use event_store::{AppendError, Appended, EventStore, Expected, NewEvent, ReadError, RecordedEvent, StreamLimits};

/// The prefixes of the streams that a command handler appends to.
pub fn streams() -> [&'static str; 6] {
    let orders = stream_prefix::get();
    let participants = REQUEST_STREAM_PREFIX;
    [orders, WORKFLOW_STREAM_PREFIX, participants, KEY_STREAM_PREFIX, BATCH_STREAM_PREFIX, WEBHOOK_STREAM_PREFIX]
}

/// Streams of events.
pub trait Log: Clone + Send + Sync + 'static {
    /// Events of a stream, from a revision on, at most `max`; a stream that does not exist has
    /// none.
    fn read(
        &self,
        stream: &str,
        from: u64,
        max: usize,
    ) -> impl Future<Output = Result<Vec<RecordedEvent>, ReadError>> + Send;

    /// What a stream's metadata hides of it; the error is `StreamDeleted` for one that was deleted
    /// for good.
    fn limits(&self, stream: &str) -> impl Future<Output = Result<StreamLimits, ReadError>> + Send;

    /// Appends all of the events or none, if the stream stands where it is expected to.
    fn append(
        &self,
        stream: &str,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> impl Future<Output = Result<Appended, AppendError>> + Send;
}

impl Log for EventStore {
    async fn read(&self, stream: &str, from: u64, max: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.read_stream(stream, from, max).await
    }

    async fn limits(&self, stream: &str) -> Result<StreamLimits, ReadError> {
        self.stream_limits(stream).await
    }

    async fn append(&self, stream: &str, expected: Expected, events: Vec<NewEvent>) -> Result<Appended, AppendError> {
        EventStore::append(self, stream, expected, events).await
    }
}
