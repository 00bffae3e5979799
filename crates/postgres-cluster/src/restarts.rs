//! Restarts of a server that ends unexpectedly.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::cluster::Cluster;
use crate::exit::Exit;

/// The number of restarts in a row.
const MAX_RESTARTS: u32 = 6;
/// The pause before the second restart in a row. Each further pause is longer by as much.
const PAUSE: Duration = Duration::from_secs(1);
/// A server that ran for this long had started: its next failure is the first in a row.
const LASTING: Duration = Duration::from_mins(1);

impl Cluster {
    /// Restarts the server whenever it ends unexpectedly. Returns how it ended, once all restarts
    /// in a row have failed.
    pub async fn keep_running(&mut self) -> Exit {
        let mut tries = 0;
        loop {
            let exit = self.exited().await;
            let begun = Instant::now();
            loop {
                if tries == MAX_RESTARTS {
                    return exit;
                }
                sleep(PAUSE * tries).await;
                tries += 1;
                match self.restart().await {
                    Ok(()) => break,
                    Err(error) => tracing::warn!(%error, tries, "the embedded Postgres does not start again yet"),
                }
            }
            tracing::warn!(%exit, after_ms = begun.elapsed().as_millis(), "the embedded Postgres was restarted");
            // Failures count only while they follow one another.
            if timeout(LASTING, self.exited()).await.is_err() {
                tries = 0;
            }
        }
    }
}
