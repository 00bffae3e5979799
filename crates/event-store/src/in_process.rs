//! A server in the same process, reached without a connection. It takes the frequent calls: those
//! of every order and every view. Rare calls use the network even then.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use tracing::{debug, warn};

use super::connection::Retry;
use super::error::{AppendError, ReadError};
use super::types::{Appended, Expected, Filter, NewEvent, Position, RecordedEvent, SubscriptionItem};

/// A server in this process. Its rules and answers are the same as over the network.
#[async_trait]
pub trait InProcess: Send + Sync {
    /// The connection string for clients that use the network.
    fn connection_string(&self) -> &str;

    /// Whether it has closed. A closed server stays closed.
    fn is_closed(&self) -> bool;

    /// Appends all events or none, and returns after they are durable.
    async fn append(&self, stream: &str, expected: Expected, events: Vec<NewEvent>)
    -> Result<Appended, InProcessError>;

    /// Up to `max` events of a stream from a revision on, inclusive.
    async fn read_forwards(&self, stream: &str, from: u64, max: usize) -> Result<Vec<RecordedEvent>, InProcessError>;

    /// Up to `max` events of a stream, from its last event backwards.
    async fn read_backwards(&self, stream: &str, max: usize) -> Result<Vec<RecordedEvent>, InProcessError>;

    /// The position of the last event in the log; `None` if the log is empty.
    fn head(&self) -> Result<Option<Position>, InProcessError>;

    /// Follows `$all` after a position, or from the beginning.
    fn follow(&self, filter: &Filter, after: Option<Position>) -> Result<Box<dyn Cursor>, InProcessError>;
}

/// A position in `$all`, and a filter for the events after it.
#[async_trait]
pub trait Cursor: Send {
    /// Reads the next events, and waits if there are none yet. May be dropped while waiting: no
    /// event is lost.
    async fn next(&mut self) -> Result<Passed, InProcessError>;
}

/// The events between two places of a cursor.
#[derive(Debug, Clone)]
pub struct Passed {
    /// The events that pass the filter.
    pub events: Vec<RecordedEvent>,
    /// The last position that was examined. `None` at the beginning of the log.
    pub through: Option<Position>,
    /// The cursor has reached the end of the log, for the first time or after falling behind.
    pub caught_up: bool,
}

/// Why a server in this process refuses a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InProcessError {
    /// The stream is not at the expected revision. The revision of its last event; `None`: it has
    /// no events.
    #[error("the stream's last revision is {0:?}")]
    WrongExpectedRevision(Option<u64>),
    /// The stream was deleted for good.
    #[error("the stream was deleted")]
    StreamDeleted,
    /// The events are larger than the server accepts in one append.
    #[error("{0}")]
    TooLarge(String),
    /// Not possible at present. The same call may succeed later.
    #[error("{0}")]
    Unavailable(String),
    /// It has too much to do, or too little room.
    #[error("{0}")]
    Overloaded(String),
    /// The same call can never succeed.
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

/// A subscription to `$all` by repeated reads. It has no connection that could break.
pub(super) struct Following {
    server: Arc<dyn InProcess>,
    cursor: Result<Box<dyn Cursor>, InProcessError>,
    /// Read, and not delivered yet.
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
                    warn!(%error, "the subscription to $all was interrupted and resumes");
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

/// As over the network: a server that reports overload is not called again at once, and a closed
/// one stays closed.
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
