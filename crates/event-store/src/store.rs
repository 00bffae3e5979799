//! The client: append, read and subscribe, with reconnection.

use std::sync::Arc;

use event_store_protocol::streams::{AppendReq, ReadReq};
use serde_json::value::RawValue;

use super::connection::{Connection, Retry};
use super::error::{AppendError, ConnectError, ReadError};
use super::history::History;
use super::in_process::InProcess;
use super::subscription::Subscription;
use super::types::{Appended, Expected, Filter, NewEvent, Position, Record, RecordedEvent};
use super::{convert, fault, in_process};

/// The server accepts any bytes marked as JSON, and its readers fail later. So the client checks.
fn check(event: &NewEvent) -> Result<(), AppendError> {
    let not_json = |error| AppendError::Refused(format!("the data of {} is not JSON: {error}", event.event_type));
    serde_json::from_slice::<&RawValue>(&event.data).map(drop).map_err(not_json)
}

/// A connection to an `EventStoreDB`, made when first used and again whenever it breaks. Cheap to
/// clone. The clones share the connection, which carries any number of concurrent calls.
#[derive(Clone)]
pub struct EventStore {
    pub(super) connection: Arc<Connection>,
    /// The server itself, if it is in this process.
    in_process: Option<Arc<dyn InProcess>>,
}

impl EventStore {
    /// Takes a connection string such as `esdb://127.0.0.1:2113?tls=false`. The server need not run
    /// yet.
    pub fn connect(connection_string: &str) -> Result<Self, ConnectError> {
        Ok(Self { connection: Arc::new(Connection::new(connection_string)?), in_process: None })
    }

    /// A server in this process, reached without the network: the same functions at a fraction of
    /// the cost.
    pub fn in_process(server: Arc<dyn InProcess>) -> Result<Self, ConnectError> {
        let own = Self::connect(server.connection_string())?;
        Ok(Self { in_process: Some(server), ..own })
    }

    /// Why there is no connection to the server, if the last attempt failed. Does not connect.
    pub fn outage(&self) -> Option<String> {
        self.connection.outage()
    }

    /// Appends all events or none, and returns after they are durable.
    ///
    /// After a failure of the connection it is retried for some seconds with the same event ids, so
    /// that an append whose answer was lost is not made twice. If that is not enough, the error is
    /// `Unavailable`. The events may then be in the stream or not, and the same call may safely be
    /// made again.
    pub async fn append(
        &self,
        stream: &str,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, AppendError> {
        if events.is_empty() {
            return Err(AppendError::Refused("an append without events".into()));
        }
        events.iter().try_for_each(check)?;
        if let Some(server) = &self.in_process {
            return in_process::append(&**server, stream, expected, events).await;
        }
        self.append_messages(stream, expected, &convert::append(stream, expected, events)).await
    }

    /// Appends events as another log has them, with their ids and content types. A repeated append
    /// is recognised as one by [`EventStore::append`] is.
    pub async fn append_copies(
        &self,
        stream: &str,
        expected: Expected,
        events: &[Record],
    ) -> Result<Appended, AppendError> {
        self.append_messages(stream, expected, &convert::append_copies(stream, expected, events)).await
    }

    async fn append_messages(
        &self,
        stream: &str,
        expected: Expected,
        messages: &[AppendReq],
    ) -> Result<Appended, AppendError> {
        let mut retry = Retry::new();
        loop {
            let written = self.connection.call(async |link| convert::appended(link.append(messages).await?)).await;
            match written {
                Ok(written) => return Ok(written),
                Err(fault) if fault.is_worth_another_try() && retry.pause().await => {}
                Err(fault) => return Err(fault::append_error(stream, expected, fault)),
            }
        }
    }

    /// Reads a stream forwards from a revision, inclusive. A stream that does not exist has no
    /// events.
    pub async fn read_stream(&self, stream: &str, from: u64, max: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        if let Some(server) = &self.in_process {
            return in_process::read_forwards(&**server, stream, from, max).await;
        }
        self.read(stream, |count| convert::read_stream(stream, from, count), max).await
    }

    /// Reads a whole stream, up to a position of the log, in pages. A stream that does not exist
    /// has no events.
    pub async fn read_stream_to(&self, stream: &str, to: Position) -> Result<Vec<RecordedEvent>, ReadError> {
        let mut events = Vec::new();
        let take = |event: RecordedEvent| {
            let is_wanted = event.position <= to;
            events.extend(is_wanted.then_some(event));
            is_wanted
        };
        self.each_while(stream, take).await?;
        Ok(events)
    }

    /// Reads a stream in pages, up to its end or until `take` returns `false`.
    pub(super) async fn each_while(
        &self,
        stream: &str,
        mut take: impl FnMut(RecordedEvent) -> bool,
    ) -> Result<(), ReadError> {
        const PAGE: usize = 500;
        let mut from = 0;
        loop {
            let page = self.read_stream(stream, from, PAGE).await?;
            let is_last = page.len() < PAGE;
            from = page.last().map_or(from, |last| last.revision + 1);
            if !page.into_iter().all(&mut take) || is_last {
                return Ok(());
            }
        }
    }

    /// Reads a stream backwards from its end. A stream that does not exist has no events.
    pub async fn read_stream_backwards(&self, stream: &str, max: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        if let Some(server) = &self.in_process {
            return in_process::read_backwards(&**server, stream, max).await;
        }
        self.read(stream, |count| convert::read_stream_backwards(stream, count), max).await
    }

    /// The position of the last event in the log; `None` if the log is empty.
    pub async fn head(&self) -> Result<Option<Position>, ReadError> {
        if let Some(server) = &self.in_process {
            return in_process::head(&**server);
        }
        let events = self.read("$all", |_| convert::read_all_backwards(1), 1).await?;
        Ok(events.first().map(|event| event.position))
    }

    /// Reads `$all` forwards from a position, inclusive, or from the beginning.
    pub async fn read_all(&self, from: Option<Position>, max: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.read("$all", |count| convert::read_all(from, count), max).await
    }

    /// Subscribes to `$all` after a position, or from the beginning. See [`Subscription`]. Must be
    /// called on a Tokio runtime.
    pub fn subscribe_all(&self, filter: Filter, after: Option<Position>) -> Subscription {
        match &self.in_process {
            Some(server) => Subscription::in_process(server.clone(), &filter, after),
            None => Subscription::start(self.connection.clone(), filter, after),
        }
    }

    /// Everything in `$all` from a position, inclusive, or from the beginning.
    pub fn history(&self, from: Option<Position>) -> History {
        History::start(self.connection.clone(), from)
    }

    /// Reads at most this many events, and starts over if the connection breaks meanwhile.
    async fn read(
        &self,
        stream: &str,
        request: impl Fn(u64) -> ReadReq,
        max: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let request = request(max as u64);
        let mut retry = Retry::new();
        loop {
            match self.connection.call(async |link| convert::collect(link.read(request.clone()).await?).await).await {
                Ok(events) => return Ok(events),
                Err(fault) if fault.is_worth_another_try() && retry.pause().await => {}
                Err(fault) => return Err(fault::read_error(stream, fault)),
            }
        }
    }
}
