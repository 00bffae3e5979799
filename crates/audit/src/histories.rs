//! Orders' histories, as the chain looks at them.

use domain::ids::OrderId;
use domain::proof::chain::{self, Fault, Head, RawEvent};
use event_store::RecordedEvent;

/// What is wrong with all events of an order, of which `known` is the latest head that it is known to have had.
pub(super) fn faults(order: &OrderId, events: &[RecordedEvent], known: Option<&Head>) -> Vec<Fault> {
    chain::check(order, &events.iter().map(raw).collect::<Vec<_>>(), known)
}

/// An event for the chain to look at.
pub(super) fn raw(event: &RecordedEvent) -> RawEvent<'_> {
    RawEvent {
        revision: event.revision,
        position: event.position.commit,
        id: event.id,
        event_type: &event.event_type,
        data: &event.data,
        metadata: &event.metadata,
    }
}
