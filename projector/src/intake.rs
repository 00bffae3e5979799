//! Collects the events of the subscription into batches.

use event_store::{Position, RecordedEvent, Subscription, SubscriptionItem};
use tokio::time::{Instant, timeout_at};

/// A batch is full when its events have this many bytes, whatever their number.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// The subscription, and what was collected from it for the next batch.
pub(crate) struct Intake {
    subscription: Subscription,
    limit: usize,
    collected: Collected,
}

/// Events in their order, and the position up to which the log was read.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub events: Vec<RecordedEvent>,
    /// Each event up to here is in `events`, or was filtered out.
    pub through: Option<Position>,
    /// Whether the log had no more events after these.
    pub caught_up: bool,
    /// Whether the client reconnected to the log: some of these events may be from another log.
    pub resumed: bool,
    bytes: usize,
}

impl Intake {
    pub fn new(subscription: Subscription, limit: usize) -> Self {
        Self { subscription, limit, collected: Collected::default() }
    }

    /// Waits for an item, and then for more until `not_before`, or until the batch is full. May be
    /// dropped while waiting: the collected items stay here.
    pub async fn fill(&mut self, not_before: Instant) {
        if self.collected.is_empty() {
            let item = self.subscription.next().await;
            self.collected.add(item);
        }
        while !self.is_full() {
            // After the deadline this still takes the items that have arrived.
            match timeout_at(not_before, self.subscription.next()).await {
                Ok(item) => self.collected.add(item),
                Err(_) => return,
            }
        }
    }

    /// Takes what was collected.
    pub fn take(&mut self) -> Collected {
        std::mem::take(&mut self.collected)
    }

    fn is_full(&self) -> bool {
        self.collected.events.len() >= self.limit || self.collected.bytes >= BATCH_BYTES
    }
}

impl Collected {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.through.is_none() && !self.caught_up && !self.resumed
    }

    fn add(&mut self, item: SubscriptionItem) {
        match item {
            SubscriptionItem::Event(event) => {
                self.bytes += event.data.len() + event.metadata.len();
                self.through = Some(event.position);
                self.events.push(event);
            }
            SubscriptionItem::Checkpoint(position) => self.through = Some(position),
            SubscriptionItem::CaughtUp => self.caught_up = true,
            SubscriptionItem::Resumed => self.resumed = true,
        }
    }
}
