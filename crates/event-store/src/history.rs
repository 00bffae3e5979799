//! The whole log, event by event, for making a copy of it.
//!
//! The server sends events only as fast as they are taken. When the connection breaks, reading
//! continues after the last delivered event.

use std::sync::Arc;

use super::connection::{Built, Connection, Retry, in_time};
use super::convert;
use super::error::ReadError;
use super::fault::{self, Fault};
use super::link::Reading;
use super::types::{Position, Record};

/// The events of `$all` in order, including the server's own, up to the end of the log.
pub struct History {
    connection: Arc<Connection>,
    reading: Option<(Built, Reading)>,
    from: Option<Position>,
    /// The last delivered event.
    last: Option<Position>,
    retry: Retry,
}

impl History {
    pub(super) fn start(connection: Arc<Connection>, from: Option<Position>) -> Self {
        Self { connection, reading: None, from, last: None, retry: Retry::new() }
    }

    /// The next event. `None`: the end of the log was reached.
    pub async fn next(&mut self) -> Result<Option<Record>, ReadError> {
        loop {
            match self.read().await {
                Ok(None) => return Ok(None),
                // A new connection begins with the last delivered event again.
                Ok(Some(record)) if Some(record.event.position) <= self.last => {}
                Ok(Some(record)) => {
                    self.last = Some(record.event.position);
                    self.retry = Retry::new();
                    return Ok(Some(record));
                }
                Err(fault) if fault.is_worth_another_try() && self.retry.pause().await => {}
                Err(fault) => return Err(fault::read_error("$all", fault)),
            }
        }
    }

    async fn read(&mut self) -> Result<Option<Record>, Fault> {
        let (built, mut reading) = match self.reading.take() {
            Some(open) => open,
            None => open(&self.connection, self.last.or(self.from)).await?,
        };
        let next = in_time(convert::next_record(&mut reading)).await;
        let next = next.inspect_err(|fault| self.connection.observe(&built, fault))?;
        if next.is_some() {
            self.reading = Some((built, reading));
        }
        Ok(next)
    }
}

/// Does not borrow the history: an open reading cannot be shared between threads, and the future
/// would have to stay on one.
async fn open(connection: &Connection, from: Option<Position>) -> Result<(Built, Reading), Fault> {
    let built = in_time(connection.link()).await?;
    let reading = in_time(built.read(convert::read_all(from, u64::MAX))).await;
    let reading = reading.inspect_err(|fault| connection.observe(&built, fault))?;
    Ok((built, reading))
}
