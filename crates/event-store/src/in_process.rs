//! A server in this very process, which needs no connection: for the calls of every order and every view. Rare calls
//! go over the wire there too.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use tracing::{debug, warn};

use super::connection::Retry;
use super::error::{AppendError, ReadError};
use super::types::{Appended, Expected, Filter, NewEvent, Position, RecordedEvent, SubscriptionItem};

/// A server in this process. It answers by the same rules as over the wire.
#[async_trait]
pub trait InProcess: Send + Sync {
    /// How clients reach it over the wire.
    fn connection_string(&self) -> &str;

    /// Whether it has closed, which is for good.
    fn is_closed(&self) -> bool;

    /// Appends all events or none, and answers once they are durable.
    async fn append(&self, stream: &str, expected: Expected, events: Vec<NewEvent>)
    -> Result<Appended, InProcessError>;

    /// Up to `max` events of a stream from a revision on, that one included.
    async fn read_forwards(&self, stream: &str, from: u64, max: usize) -> Result<Vec<RecordedEvent>, InProcessError>;

    /// Up to `max` events of a stream, from its last one back.
    async fn read_backwards(&self, stream: &str, max: usize) -> Result<Vec<RecordedEvent>, InProcessError>;

    /// The position of the last event in the log; `None` if the log is empty.
    fn head(&self) -> Result<Option<Position>, InProcessError>;

    /// Follows `$all` after a position, or from the beginning.
    fn follow(&self, filter: &Filter, after: Option<Position>) -> Result<Box<dyn Cursor>, InProcessError>;
}

/// A place in `$all`, and what is wanted from there on.
#[async_trait]
pub trait Cursor: Send {
    /// Reads on, and waits where there is nothing more. May be dropped while waiting: nothing is lost by it.
    async fn next(&mut self) -> Result<Passed, InProcessError>;
}

/// What a cursor has come past.
#[derive(Debug, Clone)]
pub struct Passed {
    /// What passes the filter.
    pub events: Vec<RecordedEvent>,
    /// The last position looked at; `None` at the beginning of the log.
    pub through: Option<Position>,
    /// That was all there is, for the first time or after having fallen behind.
    pub caught_up: bool,
}

/// Why a server in this process does not do what it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InProcessError {
    /// The stream is not as expected. The revision of its last event; `None`: it has no events.
    #[error("the stream's last revision is {0:?}")]
    WrongExpectedRevision(Option<u64>),
    /// The stream was deleted for good.
    #[error("the stream was deleted")]
    StreamDeleted,
    /// The events are larger than the server takes in one append.
    #[error("{0}")]
    TooLarge(String),
    /// It cannot do so at this moment, and may in the next.
    #[error("{0}")]
    Unavailable(String),
    /// It has too much to do, or too little room.
    #[error("{0}")]
    Overloaded(String),
    /// It never will.
    #[error("{0}")]
    Refused(String),
}

pub(super) async fn append(
    server: &dyn InProcess,
    stream: &str,
    expected: Expected,
    events: Vec<NewEvent>,
) -> Result<Appended, AppendError> {
    let mut retry = Retry::new();
    loop {
        match server.append(stream, expected, events.clone()).await {
            Ok(appended) => return Ok(appended),
            Err(error) if is_worth_another_try(server, &error) && retry.pause().await => {}
            Err(error) => return Err(append_error(stream, expected, error)),
        }
    }
}

pub(super) async fn read_forwards(
    server: &dyn InProcess,
    stream: &str,
    from: u64,
    max: usize,
) -> Result<Vec<RecordedEvent>, ReadError> {
    read(server, stream, || server.read_forwards(stream, from, max)).await
}

pub(super) async fn read_backwards(
    server: &dyn InProcess,
    stream: &str,
    max: usize,
) -> Result<Vec<RecordedEvent>, ReadError> {
    read(server, stream, || server.read_backwards(stream, max)).await
}

async fn read<F>(server: &dyn InProcess, stream: &str, read: impl Fn() -> F) -> Result<Vec<RecordedEvent>, ReadError>
where
    F: Future<Output = Result<Vec<RecordedEvent>, InProcessError>>,
{
    let mut retry = Retry::new();
    loop {
        match read().await {
            Ok(events) => return Ok(events),
            Err(error) if is_worth_another_try(server, &error) && retry.pause().await => {}
            Err(error) => return Err(read_error(stream, error)),
        }
    }
}

pub(super) fn head(server: &dyn InProcess) -> Result<Option<Position>, ReadError> {
    server.head().map_err(|error| read_error("$all", error))
}

/// Follows `$all` by reading on: there is nothing that could break but the server itself.
pub(super) struct Following {
    server: Arc<dyn InProcess>,
    cursor: Result<Box<dyn Cursor>, InProcessError>,
    /// Read, and not yet handed out.
    items: VecDeque<SubscriptionItem>,
    retry: Retry,
}

impl Following {
    pub(super) fn start(server: Arc<dyn InProcess>, filter: &Filter, after: Option<Position>) -> Self {
        let cursor = server.follow(filter, after);
        Self { server, cursor, items: VecDeque::new(), retry: Retry::new() }
    }

    pub(super) async fn next(&mut self) -> SubscriptionItem {
        loop {
            if let Some(item) = self.items.pop_front() {
                return item;
            }
            let passed = match &mut self.cursor {
                Ok(cursor) => cursor.next().await,
                Err(error) => Err(error.clone()),
            };
            match passed {
                Ok(passed) => {
                    self.retry = Retry::new();
                    self.items.extend(items(passed));
                }
                Err(error) if self.server.is_closed() => {
                    debug!(%error, "the subscription to $all has ended with the node");
                    pending::<()>().await;
                }
                Err(error) => {
                    warn!(%error, "the subscription to $all broke and is taken up again");
                    self.retry.pause_once().await;
                }
            }
        }
    }
}

fn items(Passed { events, through, caught_up }: Passed) -> impl Iterator<Item = SubscriptionItem> {
    let further = through.filter(|through| events.last().is_none_or(|event| event.position < *through));
    let events = events.into_iter().map(SubscriptionItem::Event);
    events.chain(further.map(SubscriptionItem::Checkpoint)).chain(caught_up.then_some(SubscriptionItem::CaughtUp))
}

/// As on the wire: a server that says it is overloaded is believed at once, and one that has closed stays so.
fn is_worth_another_try(server: &dyn InProcess, error: &InProcessError) -> bool {
    matches!(error, InProcessError::Unavailable(_)) && !server.is_closed()
}

fn append_error(stream: &str, expected: Expected, error: InProcessError) -> AppendError {
    match error {
        InProcessError::WrongExpectedRevision(actual) => {
            AppendError::WrongExpectedRevision { stream: stream.into(), expected, actual }
        }
        InProcessError::StreamDeleted => AppendError::StreamDeleted(stream.into()),
        InProcessError::TooLarge(reason) => AppendError::TooLarge(reason),
        InProcessError::Unavailable(reason) | InProcessError::Overloaded(reason) => AppendError::Unavailable(reason),
        InProcessError::Refused(reason) => AppendError::Refused(reason),
    }
}

fn read_error(stream: &str, error: InProcessError) -> ReadError {
    match error {
        InProcessError::StreamDeleted => ReadError::StreamDeleted(stream.into()),
        InProcessError::Unavailable(reason) | InProcessError::Overloaded(reason) => ReadError::Unavailable(reason),
        other => ReadError::Refused(other.to_string()),
    }
}
