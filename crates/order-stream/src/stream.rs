//! The events of one order, in sequence.

use std::error::Error;
use std::vec::IntoIter;

use domain::wire::Decoded;
use event_store::RecordedEvent;

use crate::decode;
use crate::fault::{OrderFault, StreamError};

/// The limit for events in memory: one read returns at most as many.
pub const PAGE: usize = 500;

/// An event of an order.
#[derive(Debug)]
pub struct OrderEvent {
    /// The event in the form of the log.
    pub recorded: RecordedEvent,
    /// The decoded event. Personal data in it are sealed.
    pub decoded: Decoded,
}

/// Reads the events of one order. `read` returns the events from a revision on, up to a number of
/// events.
#[derive(Debug)]
pub struct OrderStream<F> {
    read: F,
    next: u64,
    end: u64,
    page: IntoIter<RecordedEvent>,
    is_last_page: bool,
}

impl<F> OrderStream<F> {
    /// All events of the stream that `read` reads.
    pub fn new(read: F) -> Self {
        Self { read, next: 0, end: u64::MAX, page: Vec::new().into_iter(), is_last_page: false }
    }

    /// The same, from this revision on.
    #[must_use]
    pub fn starting_at(self, next: u64) -> Self {
        Self { next, ..self }
    }

    /// The same, without this revision and later ones.
    #[must_use]
    pub fn before(self, end: u64) -> Self {
        Self { end, ..self }
    }
}

impl<F, R, E> OrderStream<F>
where
    F: Fn(u64, usize) -> R,
    R: Future<Output = Result<Vec<RecordedEvent>, E>>,
    E: Error + 'static,
{
    /// The next event; `None`: there are no more. After an error, do not use the stream any more.
    pub async fn next(&mut self) -> Result<Option<OrderEvent>, StreamError<E>> {
        let Some(recorded) = self.next_recorded().await.map_err(StreamError::Log)? else { return Ok(None) };
        if recorded.revision > self.next {
            let (from, to) = (self.next, recorded.revision - 1);
            return Err(OrderFault::Missing { stream: recorded.stream, from, to }.into());
        }
        self.next = recorded.revision + 1;
        let decoded = decode(&recorded)?;
        Ok(Some(OrderEvent { recorded, decoded }))
    }

    async fn next_recorded(&mut self) -> Result<Option<RecordedEvent>, E> {
        if let Some(event) = self.page.next() {
            return Ok(Some(event));
        }
        let Some(most) = page_size(self.next, self.end).filter(|_| !self.is_last_page) else { return Ok(None) };
        let page = (self.read)(self.next, most).await?;
        self.is_last_page = page.len() < most;
        self.page = page.into_iter();
        Ok(self.page.next())
    }
}

/// How many events to read at once; `None`: the range has no more.
fn page_size(next: u64, end: u64) -> Option<usize> {
    let left = end.checked_sub(next).filter(|left| *left > 0)?;
    Some(usize::try_from(left).unwrap_or(PAGE).min(PAGE))
}
