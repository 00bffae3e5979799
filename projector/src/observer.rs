//! Another part of the process that follows the log too, without a subscription.

use std::fmt;
use std::sync::Arc;

use event_store::RecordedEvent;

/// Receives the events of each batch, once the views have them and the checkpoint has passed them.
/// After a crash of Postgres, some events may come again.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<Observe>>);

/// What an observer does with a batch.
type Observe = dyn Fn(&[RecordedEvent]) + Send + Sync;

impl Observer {
    /// An observer. It must return at once: the projector waits for it.
    pub fn new(observe: impl Fn(&[RecordedEvent]) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(observe)))
    }

    pub(crate) fn committed(&self, events: &[RecordedEvent]) {
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
