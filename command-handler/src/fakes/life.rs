//! The life of an instance, so that tests can end it anywhere.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_util::sync::CancellationToken;

use super::watched::Watched;

/// Whether an instance is alive. Once it is not, its calls of the ports have no effect and never
/// return: from outside, that is what a killed process looks like. While it is frozen, it makes no
/// calls, and sees no results of those that it made.
#[derive(Debug, Clone)]
pub struct Life {
    over: CancellationToken,
    frozen: Watched,
    moments: Arc<AtomicUsize>,
    last: usize,
}

impl Life {
    /// One that lasts until it is ended.
    pub fn long() -> Self {
        Self::of(usize::MAX)
    }

    /// One that ends at its n-th moment. Every call of a port has two: before it has an effect, and
    /// before its result is seen.
    pub fn of(moments: usize) -> Self {
        Self { over: CancellationToken::new(), frozen: Watched::default(), moments: Arc::default(), last: moments }
    }

    /// Ends it.
    pub fn end(&self) {
        self.over.cancel();
    }

    /// Whether it was ended.
    pub fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Waits for its end.
    pub async fn over(&self) {
        self.over.cancelled().await;
    }

    /// Freezes it.
    pub fn freeze(&self) {
        self.frozen.set(1);
    }

    /// Has it go on where it stood still.
    pub fn thaw(&self) {
        self.frozen.set(0);
    }

    /// How many moments it had so far.
    pub fn moments(&self) -> usize {
        self.moments.load(Ordering::Relaxed)
    }

    /// Makes a call of a port.
    pub async fn lead<T>(&self, call: impl Future<Output = T>) -> T {
        self.frozen.wait_until(|frozen| frozen == 0).await;
        self.moment();
        let result = tokio::select! {
            biased;
            () = self.over.cancelled() => pending().await,
            result = call => result,
        };
        self.frozen.wait_until(|frozen| frozen == 0).await;
        self.moment();
        if self.is_over() {
            return pending().await;
        }
        result
    }

    fn moment(&self) {
        if self.moments.fetch_add(1, Ordering::Relaxed) + 1 == self.last {
            self.end();
        }
    }
}
