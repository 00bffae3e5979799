//! The whole log, event by event: for whoever makes a copy of it.
//!
//! It is read as the server sends it, which it does no faster than it is taken; when the connection breaks, it is read on
//! from the last event handed out.

use std::sync::Arc;

use super::connection::{Built, Connection, Retry, in_time};
use super::convert;
use super::error::{self, ReadError};
use super::fault::Fault;
use super::link::Reading;
use super::types::{Position, Record};

/// Events of `$all` in order, the server's own among them, up to where the log ends.
pub struct History {
    connection: Arc<Connection>,
    reading: Option<(Built, Reading)>,
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
                Err(fault) if fault.is_worth_another_try() && self.retry.pause().await => {}
                Err(fault) => return Err(error::read_error("$all", fault)),
            }
        }
    }

    async fn read(&mut self) -> Result<Option<Record>, Fault> {
        let (built, mut reading) = match self.reading.take() {
            Some(open) => open,
            None => self.open().await?,
        };
        let next = in_time(convert::next_record(&mut reading)).await;
        let next = next.inspect_err(|fault| self.connection.observe(&built, fault))?;
        if next.is_some() {
            self.reading = Some((built, reading));
        }
        Ok(next)
    }

    async fn open(&self) -> Result<(Built, Reading), Fault> {
        let request = convert::read_all(self.last.or(self.from), u64::MAX);
        let built = in_time(self.connection.link()).await?;
        let reading = in_time(built.read(request)).await;
        let reading = reading.inspect_err(|fault| self.connection.observe(&built, fault))?;
        Ok((built, reading))
    }
}
