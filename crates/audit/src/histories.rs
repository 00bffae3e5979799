//! Orders' histories in the form that the hash chain needs.

use domain::ids::OrderId;
use domain::proof::chain::{self, Fault, Head, RawEvent};
use event_store::RecordedEvent;

/// The faults in the events of an order. `known` is the latest head that the order is known to have
/// had.
pub(super) fn faults(order: &OrderId, events: &[RecordedEvent], known: Option<&Head>) -> Vec<Fault> {
    chain::check(order, &events.iter().map(raw).collect::<Vec<_>>(), known)
}

/// An event in the form that the hash chain needs.
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
