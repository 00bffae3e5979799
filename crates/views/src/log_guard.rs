//! Compares the log with the views while a process runs, and counts the orders whose key is
//! missing.
//!
//! The projector and the readers of requests and replies verify their own checkpoints, when they
//! begin and after each reconnection. The guard is for roles that do not read the log.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use back_off::{BackOff, Limits};
use event_store::EventStore;
use leader_consumer::{LogAlarm, OriginError};
use metrics::{Collector, DescriptorEncoder};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::keyless::{Keyless, keyless};
use crate::origin::{LogCheckError, REMEDY, verify_log};
use crate::view_figures::{KEYLESS, KEYLESS_OPEN};

/// The name under which the guard raises the alarm.
const VIEWS: &str = "the views";
/// The pause between two comparisons.
const EVERY: Duration = Duration::from_secs(1);
/// The pause between two counts, while no key is missing. It is short at first, because views that
/// are being built show more and more orders. It is long later, because a count reads every order.
const COUNTS: Limits = Limits::new(Duration::from_secs(2), Duration::from_mins(5));
/// The pause while keys are missing, so that it soon shows when they are back.
const RECOUNTED_EVERY: Duration = Duration::from_secs(30);

/// The last count of the orders whose key is missing. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct KeyCount(Arc<RwLock<Keyless>>);

impl KeyCount {
    /// The last count.
    pub fn now(&self) -> Keyless {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts, and returns the pause until the next count: `while_none`, if no key is missing.
    async fn count(&self, pool: &PgPool, while_none: Duration) -> Duration {
        match keyless(pool).await {
            Ok(counted) => {
                let (before, orders) = (self.now().orders, counted.orders);
                if before != orders && orders > 0 {
                    tracing::error!("{counted}");
                }
                *self.0.write().unwrap_or_else(PoisonError::into_inner) = counted;
                if orders > 0 { RECOUNTED_EVERY } else { while_none }
            }
            Err(error) => {
                tracing::warn!(%error, "orders whose key is missing could not be counted");
                RECOUNTED_EVERY
            }
        }
    }

    async fn keep_counting(&self, pool: &PgPool) {
        let mut back_off = BackOff::new(COUNTS);
        loop {
            let pause = self.count(pool, back_off.next_pause()).await;
            sleep(pause).await;
        }
    }
}

impl Collector for KeyCount {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Keyless { orders, open, .. } = self.now();
        KEYLESS.write(&mut encoder, orders)?;
        KEYLESS_OPEN.write(&mut encoder, open)
    }
}

/// Compares the log with the views, and raises the alarm if the views are of another log. Clones
/// share their results.
#[derive(Clone)]
pub struct LogGuard {
    log: EventStore,
    pool: PgPool,
    alarm: LogAlarm,
    verified: Arc<watch::Sender<bool>>,
    keys: KeyCount,
}

impl LogGuard {
    /// A guard. It compares nothing until [`LogGuard::watch`] runs.
    pub fn new(log: EventStore, pool: PgPool, alarm: LogAlarm) -> Self {
        Self { log, pool, alarm, verified: Arc::new(watch::Sender::new(false)), keys: KeyCount::default() }
    }

    /// Compares each second, and counts missing keys, until it is dropped.
    pub async fn watch(&self) {
        tokio::join!(self.keep_comparing(), self.keys.keep_counting(&self.pool));
    }

    /// The orders whose key is missing.
    pub fn keys(&self) -> KeyCount {
        self.keys.clone()
    }

    /// Waits until a comparison has found that the views are of this log.
    pub async fn verified(&self) {
        let mut verified = self.verified.subscribe();
        // The guard holds the sender, so the channel is not closed while this waits.
        let _ = verified.wait_for(|verified| *verified).await.is_ok();
    }

    async fn keep_comparing(&self) {
        let mut is_warned = false;
        loop {
            if let Some(is_right) = self.compare(&mut is_warned).await {
                self.verified.send_replace(is_right);
            }
            sleep(EVERY).await;
        }
    }

    /// Whether the views are of this log. `None`: the comparison failed, which is logged the first
    /// time.
    async fn compare(&self, is_warned: &mut bool) -> Option<bool> {
        match verify_log(&self.log, &self.pool).await {
            Ok(_) => {
                self.alarm.clear(VIEWS);
                Some(true)
            }
            Err(LogCheckError::Origin(OriginError::Mismatch(mismatch))) => {
                self.alarm.raise(VIEWS, &format!("{mismatch}; {REMEDY}"));
                Some(false)
            }
            // Probes report an outage. The last result stands.
            Err(error) => {
                if !std::mem::replace(is_warned, true) {
                    tracing::warn!(%error, "the log cannot be compared with the views now; retrying each second");
                }
                None
            }
        }
    }
}
