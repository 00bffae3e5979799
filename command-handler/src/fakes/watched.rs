//! A number that others watch. Tokio's `watch` would do, but it wakes its watchers in an order that
//! its own dice choose, and no test can seed those.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// See the head of this file.
#[derive(Debug, Clone, Default)]
pub struct Watched(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    number: AtomicU64,
    changed: Notify,
}

impl Watched {
    pub fn get(&self) -> u64 {
        self.0.number.load(Ordering::SeqCst)
    }

    pub fn set(&self, number: u64) {
        self.0.number.store(number, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }

    /// One more.
    pub fn count(&self) {
        self.set(self.get() + 1);
    }

    /// Waits until the condition holds.
    pub async fn wait_until(&self, wanted: impl Fn(u64) -> bool) {
        loop {
            // Before the number is read, so that no change after it goes unnoticed.
            let changed = self.0.changed.notified();
            if wanted(self.get()) {
                return;
            }
            changed.await;
        }
    }
}
