//! Makes batches of what the subscription delivers.

use event_store::{Position, RecordedEvent, Subscription, SubscriptionItem};
use tokio::time::{Instant, timeout_at};

/// A batch is closed when its events hold more bytes than this, whatever their number.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// The subscription, and what has been taken from it for the next batch.
pub(crate) struct Intake {
    subscription: Subscription,
    limit: usize,
    collected: Collected,
}

/// What came, in order, and how far that goes.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub events: Vec<RecordedEvent>,
    /// Everything up to here has been seen, in `events` or filtered out.
    pub through: Option<Position>,
    /// Whether, after these, the views have all that there was.
    pub caught_up: bool,
    /// Whether the connection to the log was made again: some of these events may come from another one.
    pub resumed: bool,
    bytes: usize,
}

impl Intake {
    pub fn new(subscription: Subscription, limit: usize) -> Self {
        Self { subscription, limit, collected: Collected::default() }
    }

    /// Waits for something to come; then, if `not_before` is still ahead, for more until then or until the batch is full.
    /// May be dropped while waiting: what was collected stays here.
    pub async fn fill(&mut self, not_before: Instant) {
        if self.collected.is_empty() {
            let item = self.subscription.next().await;
            self.collected.add(item);
        }
        while !self.is_full() {
            // Past the deadline this still takes what is there already.
            match timeout_at(not_before, self.subscription.next()).await {
                Ok(item) => self.collected.add(item),
                Err(_) => return,
            }
        }
    }

    /// Hands over what was collected.
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
