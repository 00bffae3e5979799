//! Reads the stream of an order: the one place that decodes its events and folds them into its
//! state, page by page.
//!
//! [`OrderStream`] reads the events of an order one after another and requires that no revision is
//! missing. [`decode`] decodes an event that a caller already has, and [`FoldedOrder`] adds it to
//! the state. Each fault of a history is an [`OrderFault`]; each caller decides what follows from
//! it. Personal data stay sealed: a caller that has keys opens the decoded `OrderPlaced` before it
//! folds the event.

mod fault;
mod fold;
mod stream;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;

use domain::order::Event;
use domain::wire::{self, Decoded};
use event_store::RecordedEvent;

pub use fault::{OrderFault, StreamError};
pub use fold::{FoldedOrder, fold};
pub use stream::{OrderEvent, OrderStream, PAGE};

/// Decodes an event of an order's stream.
pub fn decode(event: &RecordedEvent) -> Result<Decoded, OrderFault> {
    let decoded = wire::decode(&event.event_type, &event.data, &event.metadata);
    decoded.map_err(|source| OrderFault::undecodable(event, source))
}

/// Decodes an event without its metadata.
pub fn decode_event(event: &RecordedEvent) -> Result<Event, OrderFault> {
    let decoded = wire::decode_event(&event.event_type, &event.data, &event.metadata);
    decoded.map_err(|source| OrderFault::undecodable(event, source))
}

/// Whether an event begins the stream of another application, which only has the name of an order's
/// stream.
pub fn is_foreign(event: &RecordedEvent) -> bool {
    event.revision == 0 && !wire::is_ours(&event.metadata)
}
