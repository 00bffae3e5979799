//! Listens to a channel of Postgres, and reconnects.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::time::sleep;

/// The pause before the next attempt, while the database is away.
const PAUSE: Duration = Duration::from_secs(1);

/// Receives the notifications of a channel.
pub struct Listening {
    pool: PgPool,
    channel: &'static str,
    listener: Option<PgListener>,
    /// Whether the last attempt to listen failed, or its connection ended.
    failed: bool,
}

impl Listening {
    /// Begins to listen with the first call of `next`.
    pub fn to(channel: &'static str, pool: PgPool) -> Self {
        Self { pool, channel, listener: None, failed: false }
    }

    /// The next notification; `None`: some may have been missed, as at the beginning. While the
    /// database is away, this returns `None` again and again. Must not be dropped while it waits.
    pub async fn next(&mut self) -> Option<String> {
        if let Some(listener) = &mut self.listener {
            match listener.try_recv().await {
                Ok(Some(notification)) => return Some(notification.payload().to_owned()),
                // The connection was lost; the listener reconnects by itself.
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
