//! Subscriptions to orders as they change.
//!
//! The projector announces each batch. An instance reads the changes once for all its subscribers
//! ([`hub`], [`window`]), and passes them to each through a separate queue. A subscriber gets each
//! order in its present state, so that changes in quick succession arrive as one. It begins with
//! the changes that it missed ([`follow`]). A subscriber that does not read its changes is
//! disconnected, so that it delays no other one.

mod follow;
mod hub;
mod stats;
mod subscription;
mod window;

use std::sync::Arc;

use domain::filter::OrderFilter;
use futures::Stream;
use sqlx::PgPool;
use tokio::sync::Semaphore;
use views::{Store, Unknown};

use crate::error::QueryError;
use crate::schema::Order;
use crate::view_position::ViewPosition;
use hub::Hub;
pub(crate) use stats::Counted;
pub use stats::LiveStats;
pub use subscription::{Begin, Ended, Interest};

/// How many subscriptions an instance has.
const MAX_SUBSCRIPTIONS: usize = 10_000;

/// The subscriptions of an instance. Cheap to clone.
#[derive(Clone)]
pub struct Live {
    hub: Hub,
    places: Arc<Semaphore>,
    stats: LiveStats,
}

impl Live {
    /// For the views in this database, whose changes this position announces.
    pub fn new(pool: PgPool, view_position: ViewPosition, stats: LiveStats) -> Self {
        Self { hub: Hub::new(pool, view_position), places: Arc::new(Semaphore::new(MAX_SUBSCRIPTIONS)), stats }
    }

    /// The first name in the criteria that does not exist: no change matches them.
    pub async fn unknown(&self, criteria: &OrderFilter) -> Result<Option<Unknown>, QueryError> {
        Store::without_snapshot(self.hub.pool.clone()).unknown(criteria).await.map_err(QueryError::from)
    }

    /// The changes, until the subscriber leaves or is disconnected. Then the last item has the
    /// reason.
    pub fn subscribe(
        &self,
        interest: Interest,
        from: Begin,
    ) -> Result<impl Stream<Item = Result<Order, Ended>> + use<>, Ended> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| Ended::TooMany)?;
        let counted = self.stats.subscription();
        Ok(follow::changes(self.hub.clone(), interest, from, (place, counted)))
    }
}
