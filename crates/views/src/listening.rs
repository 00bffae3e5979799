//! A channel of Postgres, listened to for as long as somebody wants to hear.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::time::sleep;

/// How long to wait for a database that is away.
const PAUSE: Duration = Duration::from_secs(1);

/// Hears what is told on a channel.
pub struct Listening {
    pool: PgPool,
    channel: &'static str,
    listener: Option<PgListener>,
    /// The last attempt at listening came to nothing, or to an end.
    failed: bool,
}

impl Listening {
    /// Begins with the first that is waited for.
    pub fn to(channel: &'static str, pool: PgPool) -> Self {
        Self { pool, channel, listener: None, failed: false }
    }

    /// What is told next; `None`: something may have been missed, as at the beginning. While nothing can be heard, that is said again
    /// and again. Must not be dropped while it waits.
    pub async fn next(&mut self) -> Option<String> {
        if let Some(listener) = &mut self.listener {
            match listener.try_recv().await {
                Ok(Some(told)) => return Some(told.payload().to_owned()),
                // The connection was lost, and is taken up again by the listener.
                Ok(None) => return None,
                Err(_) => {
                    (self.listener, self.failed) = (None, true);
                    return None;
                }
            }
        }
        if self.failed {
            sleep(PAUSE).await;
        }
        self.listener = self.begin().await.ok();
        self.failed = self.listener.is_none();
        None
    }

    async fn begin(&self) -> Result<PgListener, sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(self.channel).await?;
        Ok(listener)
    }
}
