//! The whole log, event by event: for whoever makes a copy of it.
//!
//! It is read as the server sends it, which it does no faster than it is taken; when the connection breaks, it is read on
//! from the last event handed out.

use std::sync::Arc;

use eventstore::{Error, ReadAllOptions, ReadStream};

use super::connection::{Built, Connection, Retry, in_time, is_worth_another_try};
use super::convert;
use super::error::{self, ReadError};
use super::types::{Position, RecordedEvent};

/// An event with all that the server keeps of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The event.
    pub event: RecordedEvent,
    /// What its writer said that its data is.
    pub content_type: String,
    /// When the server recorded it, to the last digit: ticks of 100 ns since 1970.
    pub created_ticks: u64,
}

/// Events of `$all` in order, the server's own among them, up to where the log ends.
pub struct History {
    connection: Arc<Connection>,
    reading: Option<(Built, ReadStream)>,
    from: Option<Position>,
    /// The last one handed out.
    last: Option<Position>,
    retry: Retry,
}

impl History {
    pub(super) fn start(connection: Arc<Connection>, from: Option<Position>) -> Self {
        Self { connection, reading: None, from, last: None, retry: Retry::new() }
    }

    /// The next event; `None` at the end of the log, as it was when it was reached.
    pub async fn next(&mut self) -> Result<Option<Record>, ReadError> {
        loop {
            match self.read().await {
                Ok(None) => return Ok(None),
                // Reading on begins with the last one again.
                Ok(Some(record)) if Some(record.event.position) <= self.last => {}
                Ok(Some(record)) => {
                    self.last = Some(record.event.position);
                    self.retry = Retry::new();
                    return Ok(Some(record));
                }
                Err(error) if is_worth_another_try(&error) && self.retry.pause().await => {}
                Err(error) => return Err(error::read_error("$all", error)),
            }
        }
    }

    async fn read(&mut self) -> Result<Option<Record>, Error> {
        let (built, mut reading) = match self.reading.take() {
            Some(open) => open,
            None => self.open().await?,
        };
        let next = in_time(reading.next()).await.inspect_err(|error| self.connection.observe(&built, error))?;
        let Some(resolved) = next else { return Ok(None) };
        let unclear = || Error::InternalParsingError("an event of $all without a time".into());
        let record = convert::record_from_wire(resolved).ok_or_else(unclear)?;
        self.reading = Some((built, reading));
        Ok(Some(record))
    }

    async fn open(&self) -> Result<(Built, ReadStream), Error> {
        let position = convert::start_to_wire(self.last.or(self.from));
        let built = self.connection.client().await?;
        let options = ReadAllOptions::default().position(position).forwards();
        let reading = in_time(built.read_all(&options)).await;
        let reading = reading.inspect_err(|error| self.connection.observe(&built, error))?;
        Ok((built, reading))
    }
}
