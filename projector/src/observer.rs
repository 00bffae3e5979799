//! Another part of the process that follows the log too, without a subscription.

use std::fmt;
use std::sync::Arc;

use domain::ids::OrderId;
use domain::replay::Recorded;
use event_store::Position;

/// Receives the events of orders, decoded, once the views have them and the checkpoint has passed
/// them. After a crash of Postgres, some events may come again. One that was set aside does not
/// come.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<Observe>>);

/// What an observer does with the events of a batch.
type Observe = dyn Fn(Vec<ObservedEvent>) + Send + Sync;

/// An event of an order that is in the views.
#[derive(Debug)]
pub struct ObservedEvent {
    /// The order.
    pub order: OrderId,
    /// The event's position in `$all`.
    pub position: Position,
    /// The event.
    pub recorded: Recorded,
}

impl Observer {
    /// An observer. It must return at once: the projector waits for it.
    pub fn new(observe: impl Fn(Vec<ObservedEvent>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(observe)))
    }

    /// Whether anything is observed.
    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn committed(&self, events: Vec<ObservedEvent>) {
        if let Some(observe) = &self.0 {
            observe(events);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observer").field(&self.0.is_some()).finish()
    }
}
