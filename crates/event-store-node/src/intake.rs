//! How much memory all clients together may take before the writer has room for their appends.
//!
//! Incomplete messages, and appends of which some events are still to arrive, take memory for as
//! long as their clients like. So each of the two has a budget, and a time limit. The budgets are
//! separate, so that messages which never become complete cannot refuse an append that arrives in
//! one piece.
//!
//! No call waits for room: a waiting call holds up the flow of its connection, and with it other
//! calls that already have room.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::change::Failure;

#[derive(Clone)]
pub(crate) struct Intake {
    messages: Arc<Semaphore>,
    appends: Arc<Semaphore>,
    bytes: u32,
    /// How long a client may take for one message, or for one append.
    pub(crate) patience: Duration,
}

impl Intake {
    /// `bytes` is the size of each of the two budgets.
    pub(crate) fn new(bytes: u32, patience: Duration) -> Self {
        let room = || Arc::new(Semaphore::new(bytes as usize));
        Self { messages: room(), appends: room(), bytes, patience }
    }

    /// Reserves room for a message until the permit is dropped. Refuses at once if too little is
    /// left.
    pub(crate) fn room_for(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Failure> {
        self.messages.clone().try_acquire_many_owned(count(bytes).min(self.bytes)).map_err(|_| Failure::Overloaded)
    }

    /// The reservation of an append of which nothing has arrived.
    pub(crate) fn nothing(&self) -> Held {
        Held { room: self.appends.clone(), permit: None }
    }
}

/// The room that an append holds until this is dropped.
pub(crate) struct Held {
    room: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// Reserves more room, or refuses at once.
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
