//! Whether the log is the one that the views were made from: verified at start, and every second after that.
//!
//! The projector and the readers of requests and replies verify their own checkpoints, whenever they begin and whenever the
//! connection to the log was made again. This is for the roles that follow nothing.

use std::time::Duration;

use event_store::client::EventStore;
use follower::{LogAlarm, OriginError};
use projector::{LogCheckError, REMEDY, verify_log};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Who raises the alarm.
const VIEWS: &str = "the views";
/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// Watches the log in the background, and raises the alarm where it is another one.
pub(crate) struct LogGuard {
    verified: watch::Receiver<bool>,
}

impl LogGuard {
    /// Watches until told to stop.
    pub fn start(log: EventStore, pool: PgPool, alarm: LogAlarm, stop: CancellationToken) -> Self {
        let (sender, verified) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = watch_log(&log, &pool, &alarm, &sender) => {}
            }
        });
        Self { verified }
    }

    /// Waits until the log was found to be the right one. Returns `false` if the guard was told to stop before.
    pub async fn verified(&mut self) -> bool {
        self.verified.wait_for(|verified| *verified).await.is_ok()
    }
}

async fn watch_log(log: &EventStore, pool: &PgPool, alarm: &LogAlarm, verified: &watch::Sender<bool>) {
    let mut is_told = false;
    loop {
        match verify_log(log, pool).await {
            Ok(_) => {
                alarm.clear(VIEWS);
                verified.send_replace(true);
            }
            Err(LogCheckError::Origin(OriginError::Mismatch(mismatch))) => {
                alarm.raise(VIEWS, &format!("{mismatch}; {REMEDY}"));
                verified.send_replace(false);
            }
            // Probes report an outage. What was known before it stands.
            Err(error) if !is_told => {
                is_told = true;
                tracing::warn!(%error, "the log cannot be compared with the views now; this is tried again each second");
            }
            Err(_) => {}
        }
        tokio::time::sleep(EVERY).await;
    }
}
