//! Read your writes: a query that names the position of a command waits, for a time, until the
//! views have that position.
//!
//! Each field may ask for a position, and one answer reads one snapshot. So the wait for the
//! furthest position comes before the snapshot. The snapshot itself then shows whether it has the
//! position of a field ([`Store::at_least`]): no answer is stale, even if an announcement was
//! wrong.
//!
//! [`Store::at_least`]: views::Store::at_least

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{ErrorExtensions, InputObject};
use tokio::sync::Semaphore;
use views::Lag;

use crate::code::ErrorCode;
use crate::error::QueryError;
use crate::schema::Position;
use crate::view_position::ViewPosition;

/// How many requests may wait at once in an instance. Further ones are refused.
const MAX_WAITING: usize = 1_000;
/// The longest wait, in milliseconds: shorter than the time limit of a request.
pub const MAX_WAIT_MS: i32 = 20_000;
/// The default wait; the same as the default below.
pub const USUAL_WAIT: Duration = Duration::from_secs(5);

/// How fresh an answer has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, InputObject)]
pub struct Freshness {
    /// The position in the answer of a command. The views have this event and all before it.
    pub position: Position,
    /// How long to wait for this position, in milliseconds, at most 20000. After that the answer is
    /// an error with the code `VIEWS_BEHIND`.
    #[graphql(default = 5000)]
    pub wait_ms: i32,
}

/// A wait that is negative or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`waitMs` must be from 0 to {MAX_WAIT_MS}")]
pub struct BadWait;

/// The views do not have the requested position.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("the views have not come to position {wanted} in time: they are at {}", .had.map_or_else(|| "none".to_owned(), |at| at.to_string()))]
pub struct ViewsBehind {
    /// The requested position.
    pub wanted: u64,
    /// The checkpoint of the views.
    pub had: Option<u64>,
    /// The lag of the views, if it could be measured.
    pub lag: Option<Lag>,
}

impl Freshness {
    /// How long to wait.
    pub fn wait(&self) -> Result<Duration, BadWait> {
        let milliseconds = u64::try_from(self.wait_ms).ok().filter(|_| self.wait_ms <= MAX_WAIT_MS);
        milliseconds.map(Duration::from_millis).ok_or(BadWait)
    }
}

impl From<ViewsBehind> for async_graphql::Error {
    fn from(behind: ViewsBehind) -> Self {
        ErrorCode::ViewsBehind.error(&behind).extend_with(|_, extensions| {
            extensions.set("wantedPosition", behind.wanted.to_string());
            extensions.set("viewsPosition", behind.had.map(|had| had.to_string()));
            extensions.set("logPosition", behind.lag.and_then(|lag| lag.log).map(|log| log.to_string()));
            extensions.set("lagSeconds", behind.lag.and_then(|lag| lag.seconds));
        })
    }
}

/// The requests that wait. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Waiting {
    view_position: ViewPosition,
    places: Arc<Semaphore>,
}

impl Waiting {
    /// For these announcements.
    pub fn new(view_position: ViewPosition) -> Self {
        Self { view_position, places: Arc::new(Semaphore::new(MAX_WAITING)) }
    }

    /// Returns when the announced position is at least this one, or after the time.
    pub async fn until(&self, position: u64, most: Duration) -> Result<(), QueryError> {
        let mut announced = self.view_position.listen().await;
        if *announced.borrow() >= Some(position) || most.is_zero() {
            return Ok(());
        }
        let _place = self.places.try_acquire().map_err(|_| QueryError::TooManyWaiting)?;
        // The snapshot shows whether this was in time.
        let _ = tokio::time::timeout(most, announced.wait_for(|at| *at >= Some(position))).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_has_bounds() {
        let wait = |wait_ms| Freshness { position: Position(1), wait_ms }.wait();
        assert_eq!(wait(0), Ok(Duration::ZERO));
        assert_eq!(wait(MAX_WAIT_MS), Ok(Duration::from_secs(20)));
        assert_eq!((wait(-1), wait(MAX_WAIT_MS + 1)), (Err(BadWait), Err(BadWait)));
    }

    #[tokio::test]
    async fn waiters_are_bounded() {
        let nowhere = sqlx::postgres::PgPoolOptions::new().connect_lazy("postgres://127.0.0.1:1/none").unwrap();
        let waiting = Waiting::new(ViewPosition::new(nowhere));
        let places = waiting.places.clone().acquire_many_owned(u32::try_from(MAX_WAITING).unwrap()).await.unwrap();
        assert_eq!(waiting.until(1, Duration::from_secs(20)).await, Err(QueryError::TooManyWaiting));
        drop(places);
        assert_eq!(waiting.until(1, Duration::from_millis(1)).await, Ok(()));
    }
}
