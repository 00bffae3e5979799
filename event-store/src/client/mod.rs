//! The client: append, read and subscribe, with reconnection.
//!
//! What the `eventstore` crate leaves to its caller is done here. Its connection loop ends for good once discovery fails,
//! so the inner client is rebuilt ([`connection`]). A call whose answer never came may have been carried out, so an append
//! is repeated with the same event ids, which the server recognises. A dropped subscription is taken up again after the
//! last position handed out ([`subscription`]).

mod connection;
mod convert;
mod embedded;
mod error;
mod history;
mod subscription;
mod types;

use std::sync::Arc;

use eventstore::{AppendToStreamOptions, Client, Error, ReadAllOptions, ReadStream, ReadStreamOptions, StreamPosition};

use crate::node::{Direction, Inside, NodeHandle};
use connection::{Connection, Retry, is_worth_another_try};
pub use error::{AppendError, ConnectError, ReadError};
pub use history::{History, Record};
pub use subscription::{Subscription, SubscriptionItem};
pub use types::{Appended, Expected, Filter, NewEvent, Position, RecordedEvent};

/// A connection to an `EventStoreDB`, made when first used and remade whenever it breaks. Cheap to clone; the clones
/// share the connection, which carries any number of calls at once.
#[derive(Clone)]
pub struct EventStore {
    connection: Arc<Connection>,
    /// The node itself, where it is in this process.
    node: Option<Inside>,
}

impl EventStore {
    /// Takes a connection string, `esdb://127.0.0.1:2113?tls=false` for one. No server needs to be there yet.
    pub fn connect(connection_string: &str) -> Result<Self, ConnectError> {
        Ok(Self { connection: Arc::new(Connection::new(connection_string)?), node: None })
    }

    /// A node in this process, reached without a wire: all that a connection does, for a fraction of the work.
    pub fn embedded(node: &NodeHandle) -> Result<Self, ConnectError> {
        Ok(Self { node: Some(node.inside()), ..Self::connect(&node.connection_string())? })
    }

    /// Appends all events or none, and answers once they are durable.
    ///
    /// A failure of the connection is retried for some seconds with the same event ids, so that an append that was
    /// carried out without our hearing of it is not made twice. The error is `Unavailable` when that was not enough;
    /// the events may then be in the stream or not, and the same call may safely be made again.
    pub async fn append(
        &self,
        stream: &str,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, AppendError> {
        if events.is_empty() {
            return Err(AppendError::Refused("an append without events".into()));
        }
        if let Some(node) = &self.node {
            return embedded::append(node, stream, expected, events).await;
        }
        let events = events.into_iter().map(convert::to_wire).collect::<Result<Vec<_>, _>>()?;
        let options = AppendToStreamOptions::default().expected_revision(convert::expected_to_wire(expected));

        let mut retry = Retry::new();
        loop {
            let events = events.clone();
            match self.connection.call(async |client| client.append_to_stream(stream, &options, events).await).await {
                Ok(written) => {
                    return Ok(Appended {
                        revision: written.next_expected_version,
                        position: convert::position(written.position),
                    });
                }
                Err(error) if is_worth_another_try(&error) && retry.pause().await => {}
                Err(error) => return Err(error::append_error(stream, expected, error)),
            }
        }
    }

    /// Reads a stream forwards from a revision, that one included. A stream that does not exist has no events.
    pub async fn read_stream(&self, stream: &str, from: u64, max: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        if let Some(node) = &self.node {
            return embedded::read(node, stream, from, Direction::Forwards, max).await;
        }
        let options = ReadStreamOptions::default().position(StreamPosition::Position(from)).forwards();
        self.read(stream, options.max_count(max), max).await
    }

    /// Reads a whole stream, up to a position of the log, in pages. A stream that does not exist has no events.
    pub async fn read_stream_to(&self, stream: &str, to: Position) -> Result<Vec<RecordedEvent>, ReadError> {
        const PAGE: usize = 500;
        let mut events: Vec<RecordedEvent> = Vec::new();
        loop {
            let from = events.last().map_or(0, |last| last.revision + 1);
            let page = self.read_stream(stream, from, PAGE).await?;
            let is_last = page.len() < PAGE;
            events.extend(page.into_iter().filter(|event| event.position <= to));
            if is_last || events.last().is_none_or(|last| last.revision < from) {
                return Ok(events);
            }
        }
    }

    /// Reads a stream backwards from its end. A stream that does not exist has no events.
    pub async fn read_stream_backwards(&self, stream: &str, max: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        if let Some(node) = &self.node {
            return embedded::read(node, stream, u64::MAX, Direction::Backwards, max).await;
        }
        let options = ReadStreamOptions::default().position(StreamPosition::End).backwards();
        self.read(stream, options.max_count(max), max).await
    }

    /// The position of the last event of all, or `None` while there is none.
    pub async fn head(&self) -> Result<Option<Position>, ReadError> {
        if let Some(node) = &self.node {
            return embedded::head(node);
        }
        let options = ReadAllOptions::default().position(StreamPosition::End).backwards().max_count(1);
        let events = self.collect(&Source::All(options), 1).await.map_err(|error| error::read_error("$all", error))?;
        Ok(events.first().map(|event| event.position))
    }

    /// Reads `$all` forwards from a position, that one included, or from the beginning.
    pub async fn read_all(&self, from: Option<Position>, max: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        let options = ReadAllOptions::default().position(convert::start_to_wire(from)).forwards().max_count(max);
        self.collect(&Source::All(options), max).await.map_err(|error| error::read_error("$all", error))
    }

    /// Subscribes to `$all` after a position, or from the beginning. See [`Subscription`]. Must be called on a Tokio
    /// runtime.
    pub fn subscribe_all(&self, filter: Filter, after: Option<Position>) -> Subscription {
        match &self.node {
            Some(node) => Subscription::embedded(node, &filter, after),
            None => Subscription::start(self.connection.clone(), filter, after),
        }
    }

    /// Everything in `$all` from a position on, that one included, or from the beginning.
    pub fn history(&self, from: Option<Position>) -> History {
        History::start(self.connection.clone(), from)
    }

    async fn read(
        &self,
        stream: &str,
        options: ReadStreamOptions,
        max: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        match self.collect(&Source::Stream(stream, options), max).await {
            Err(Error::ResourceNotFound) => Ok(Vec::new()),
            other => other.map_err(|error| error::read_error(stream, error)),
        }
    }

    /// Opens a read and collects it, and starts over when the connection breaks on the way.
    async fn collect(&self, source: &Source<'_>, max: usize) -> Result<Vec<RecordedEvent>, Error> {
        let mut retry = Retry::new();
        loop {
            match self.connection.call(async |client| collect(source.open(client).await?, max).await).await {
                Err(error) if is_worth_another_try(&error) && retry.pause().await => {}
                outcome => return outcome,
            }
        }
    }
}

/// What is read.
enum Source<'a> {
    Stream(&'a str, ReadStreamOptions),
    All(ReadAllOptions),
}

impl Source<'_> {
    async fn open(&self, client: &Client) -> Result<ReadStream, Error> {
        match self {
            Self::Stream(stream, options) => client.read_stream(*stream, options).await,
            Self::All(options) => client.read_all(options).await,
        }
    }
}

async fn collect(mut reading: ReadStream, max: usize) -> Result<Vec<RecordedEvent>, Error> {
    let mut events = Vec::new();
    while events.len() < max {
        let Some(resolved) = reading.next().await? else { break };
        events.extend(convert::from_wire(resolved));
    }
    Ok(events)
}
