//! Whether the log is the one that the views were made from: verified at start, and every second after that.
//!
//! The projector and the readers of requests and replies verify their own checkpoints, whenever they begin and whenever the
//! connection to the log was made again. This is for the roles that follow nothing.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use event_store::EventStore;
use leader_consumer::{LogAlarm, OriginError};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use views::{Keyless, LogCheckError, REMEDY, keyless, verify_log};

use crate::supervisor::{TaskHealth, keep_running};

/// Who raises the alarm.
const VIEWS: &str = "the views";
/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// Between two counts of the orders whose key is missing, at most. Each reads every order.
const COUNTED_EVERY: Duration = Duration::from_mins(5);
/// After the first count. The pause doubles with each count: views that are being made show more and more orders.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The same, while there are some, so that it soon shows when the keys are back.
const RECOUNTED_EVERY: Duration = Duration::from_secs(30);

/// The orders whose key is missing, as they were last counted. Clones look at the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyCount(Arc<RwLock<Keyless>>);

impl KeyCount {
    /// How many there were.
    pub fn now(&self) -> Keyless {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts them, and returns how long that is good for, if no key is missing for this long.
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
}

/// Watches the log in the background, and raises the alarm where it is another one.
pub(crate) struct LogGuard {
    verified: watch::Receiver<bool>,
    keys: KeyCount,
}

impl LogGuard {
    /// Watches until told to stop.
    pub fn start(log: EventStore, pool: PgPool, alarm: LogAlarm, stop: CancellationToken, tasks: TaskHealth) -> Self {
        let (sender, verified) = watch::channel(false);
        let (keys, sender) = (KeyCount::default(), Arc::new(sender));
        let (counted, stopped) = (keys.clone(), stop.clone());
        let watch = move || {
            let (log, pool, alarm, stop) = (log.clone(), pool.clone(), alarm.clone(), stopped.clone());
            let (sender, counted) = (sender.clone(), counted.clone());
            async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = watch_log(&log, &pool, &alarm, &sender) => {}
                    () = count_keys(&pool, &counted) => {}
                }
            }
        };
        tokio::spawn(keep_running("the comparison of the log with the views", watch, stop, tasks));
        Self { verified, keys }
    }

    /// The orders whose key is missing.
    pub fn keys(&self) -> KeyCount {
        self.keys.clone()
    }

    /// Waits until the log was found to be the right one, or the guard has stopped.
    pub async fn verified(&mut self) {
        // An error says that the guard has stopped.
        let _ = self.verified.wait_for(|verified| *verified).await.is_ok();
    }
}

async fn count_keys(pool: &PgPool, keys: &KeyCount) {
    let mut while_none = FIRST_PAUSE;
    loop {
        let pause = keys.count(pool, while_none).await;
        tokio::time::sleep(pause).await;
        while_none = (while_none * 2).min(COUNTED_EVERY);
    }
}

async fn watch_log(log: &EventStore, pool: &PgPool, alarm: &LogAlarm, verified: &watch::Sender<bool>) {
    let mut is_told = false;
    loop {
        if let Some(is_right) = look(log, pool, alarm, &mut is_told).await {
            verified.send_replace(is_right);
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Whether the log is the right one; `None`: that cannot be found out now. The first time, a warning
/// says why.
async fn look(log: &EventStore, pool: &PgPool, alarm: &LogAlarm, is_told: &mut bool) -> Option<bool> {
    match verify_log(log, pool).await {
        Ok(_) => {
            alarm.clear(VIEWS);
            Some(true)
        }
        Err(LogCheckError::Origin(OriginError::Mismatch(mismatch))) => {
            alarm.raise(VIEWS, &format!("{mismatch}; {REMEDY}"));
            Some(false)
        }
        // Probes report an outage. What was known before it stands.
        Err(error) => {
            if !std::mem::replace(is_told, true) {
                tracing::warn!(%error, "the log cannot be compared with the views now; this is tried again each second");
            }
            None
        }
    }
}
