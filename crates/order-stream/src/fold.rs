//! The fold of an order's events.

use domain::order::{Order, evolve};
use domain::wire::Decoded;
use event_store::{Position, RecordedEvent};

use crate::decode;
use crate::fault::OrderFault;

/// An order, folded up to one of its events.
#[derive(Debug)]
pub struct FoldedOrder {
    /// The state after that event.
    pub state: Order,
    /// The revision of that event.
    pub revision: u64,
    /// The position of that event.
    pub position: Position,
}

impl FoldedOrder {
    /// Adds an event to the order; `None`: it is the first event.
    pub fn after(before: Option<Order>, event: &RecordedEvent, decoded: &Decoded) -> Result<Self, OrderFault> {
        let (revision, position) = (event.revision, event.position);
        match evolve(before, &decoded.event) {
            Ok(state) => Ok(Self { state, revision, position }),
            Err(source) => Err(OrderFault::IllegalTransition { stream: event.stream.clone(), revision, source }),
        }
    }
}

/// Folds all events of an order; `None`: it has none.
pub fn fold(events: &[RecordedEvent]) -> Result<Option<FoldedOrder>, OrderFault> {
    events.iter().try_fold(None, |before: Option<FoldedOrder>, event| {
        FoldedOrder::after(before.map(|before| before.state), event, &decode(event)?).map(Some)
    })
}
