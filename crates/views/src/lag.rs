//! How far the views are behind the log: the age of the first event that they do not have, read
//! from the log.
//!
//! The age of the last event that they have means nothing while no orders come. A difference of
//! positions counts events that are not for the views.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::views::stream_prefixes;
use event_store::{EventStore, Filter, Position, SubscriptionItem};
use sqlx::PgPool;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::checkpoint;
use crate::error::ViewsError;

/// How long the log has to return its end, and then its first event after the views.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a measurement is used again, also a failed one: otherwise each caller would wait for
/// the log in turn.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// How long an error waits for the lag that it reports.
const FOR_AN_ERROR: Duration = Duration::from_millis(500);

/// How far the views are behind the log.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Lag {
    /// The position of the log's last event. Not all of them are for the views.
    pub log: Option<u64>,
    /// The checkpoint of the views.
    pub views: Option<u64>,
    /// The age of the first event that the views do not have; zero: they have every event. `None`:
    /// the log did not answer in time.
    pub seconds: Option<f64>,
}

/// For operators: seconds, and both positions.
impl std::fmt::Display for Lag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { log, views, seconds } = self;
        let Some(seconds) = seconds else { return f.write_str("how far they are behind the log is not known now") };
        let at = |position: Option<u64>| position.map_or_else(|| "nothing".to_owned(), |at| at.to_string());
        write!(f, "{seconds:.3} s behind the log (at {} of {})", at(*views), at(*log))
    }
}

/// The time and the result of the last measurement.
type Measured = (Instant, Result<Lag, ViewsError>);

/// Measures the lag, at most once a second. Cheap to clone.
#[derive(Clone)]
pub struct LagMeter {
    pool: PgPool,
    log: EventStore,
    last: Arc<Mutex<Option<Measured>>>,
}

impl LagMeter {
    /// Of the views in this database, which are made from this log.
    pub fn new(pool: PgPool, log: EventStore) -> Self {
        Self { pool, log, last: Arc::default() }
    }

    /// The database of the views.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The lag. Callers at the same time get the same result.
    pub async fn measure(&self) -> Result<Lag, ViewsError> {
        let mut last = self.last.lock().await;
        if let Some((at, measured)) = *last
            && at.elapsed() < GOOD_FOR
        {
            return measured;
        }
        let measured = match checkpoint::read(&self.pool).await {
            Ok(views) => self.of(views).await,
            Err(error) => Err(error.into()),
        };
        *last = Some((Instant::now(), measured));
        measured
    }

    /// The lag of views with this checkpoint, if it can be measured quickly.
    pub async fn for_an_error(&self, views: Option<Position>) -> Option<Lag> {
        timeout(FOR_AN_ERROR, self.of(views)).await.ok()?.ok()
    }

    /// The lag of views with this checkpoint.
    pub async fn of(&self, views: Option<Position>) -> Result<Lag, ViewsError> {
        let log = self.head().await?;
        let seconds = if log <= views { Some(0.0) } else { self.age_of_the_first_after(views).await };
        Ok(Lag { log: log.map(|log| log.commit), views: views.map(|views| views.commit), seconds })
    }

    /// The position of the log's last event.
    async fn head(&self) -> Result<Option<Position>, ViewsError> {
        Ok(timeout(PATIENCE, self.log.head()).await.map_err(|_| ViewsError::LogUnavailable)??)
    }

    async fn age_of_the_first_after(&self, views: Option<Position>) -> Option<f64> {
        let filter = Filter::StreamPrefixes(stream_prefixes().to_vec());
        let mut coming = self.log.subscribe_all(filter, views);
        let first = async {
            loop {
                match coming.next().await {
                    SubscriptionItem::Event(event) => return Some(event.created),
                    SubscriptionItem::CaughtUp => return None,
                    SubscriptionItem::Checkpoint(_) | SubscriptionItem::Resumed => {}
                }
            }
        };
        let first = timeout(PATIENCE, first).await.ok()?;
        Some(first.map_or(0.0, age_seconds))
    }
}

/// Never negative: clocks of two machines may differ.
fn age_seconds(recorded: DateTime<Utc>) -> f64 {
    (Utc::now() - recorded).to_std().unwrap_or_default().as_secs_f64()
}
