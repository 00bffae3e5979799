//! A place where something waits until the test lets it go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Closed at first. One passes.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    reached: AtomicBool,
    open: Notify,
}

impl Gate {
    /// Waits until it is open.
    pub async fn pass(&self) {
        self.0.reached.store(true, Ordering::Relaxed);
        self.0.open.notified().await;
    }

    /// Whether a task has reached it.
    pub fn is_reached(&self) -> bool {
        self.0.reached.load(Ordering::Relaxed)
    }

    /// Lets through the tasks that wait, and later ones.
    pub fn open(&self) {
        self.0.open.notify_one();
    }
}
