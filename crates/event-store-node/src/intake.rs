//! What may be taken in from all clients together before the writer has room for it.
//!
//! Messages of which a part is still to come, and appends of which some events are still to come, take memory for as
//! long as their clients like. So there is a budget for either, and a time after which they are given up. There are two, so
//! that messages which never become whole refuse no append that comes in one piece.
//!
//! Nobody waits for room: who waits holds up the flow of his connection, and with it others who have room already.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::change::Failure;

#[derive(Clone)]
pub(crate) struct Intake {
    messages: Arc<Semaphore>,
    appends: Arc<Semaphore>,
    bytes: u32,
    /// What a client may take over one message, or one append.
    pub(crate) patience: Duration,
}

impl Intake {
    /// So many bytes for either.
    pub(crate) fn new(bytes: u32, patience: Duration) -> Self {
        let room = || Arc::new(Semaphore::new(bytes as usize));
        Self { messages: room(), appends: room(), bytes, patience }
    }

    /// Room for a message, until the permit is dropped; refused at once if there is none.
    pub(crate) fn room_for(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Failure> {
        self.messages.clone().try_acquire_many_owned(count(bytes).min(self.bytes)).map_err(|_| Failure::Overloaded)
    }

    /// Room for an append, of which nothing has come.
    pub(crate) fn nothing(&self) -> Held {
        Held { room: self.appends.clone(), permit: None }
    }
}

/// The room that an append holds, until this is dropped.
pub(crate) struct Held {
    room: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// Takes room for some more, or refuses at once.
    pub(crate) fn more(&mut self, bytes: usize) -> Result<(), Failure> {
        let more = self.room.clone().try_acquire_many_owned(count(bytes)).map_err(|_| Failure::Overloaded)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }
}

fn count(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
