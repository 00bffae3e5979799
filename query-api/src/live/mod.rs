//! Orders as they change, for those who subscribe.
//!
//! The projector announces each step of the views; what changed by it is read once for all subscribers of an instance ([`hub`],
//! [`window`]) and handed to each through a queue of its own. A subscriber gets each order as it is by then: changes that follow one
//! another quickly come as one. It begins with what it missed ([`follow`]), and one that does not take what it asked for is let go,
//! so that it holds up nobody.

mod follow;
mod hub;
mod stats;
mod window;

use std::sync::Arc;

use domain::filter::OrderFilter;
use futures::Stream;
use sqlx::PgPool;
use tokio::sync::Semaphore;
use views::{Store, Unknown};

use crate::error::StoreError;
use crate::schema::Order;
use crate::view_position::ViewPosition;
use hub::Hub;
pub(crate) use stats::Counted;
pub use stats::LiveStats;

/// Changes that wait for one subscriber; at the next it is let go. More than one reading of the hub brings at once.
pub const QUEUE: usize = 1_024;
/// Subscriptions of an instance.
const MAX_SUBSCRIPTIONS: usize = 10_000;

/// What somebody wants to hear of.
#[derive(Debug, Clone)]
pub enum Interest {
    /// One order.
    Order(String),
    /// Every order that meets this when it changes.
    Matching(Box<OrderFilter>),
}

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// With the orders as they are.
    Present,
    /// With the orders that changed after this position.
    Position(u64),
    /// With what changes from now on.
    Now,
}

/// Why a subscription has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    #[error(
        "more than {QUEUE} changes waited to be taken: subscribe again, from the position of the last one that you have"
    )]
    TooSlow,
    #[error("this instance has as many subscriptions as it takes, try another or later")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where to subscribe. Cheap to clone.
#[derive(Clone)]
pub struct Live {
    hub: Hub,
    places: Arc<Semaphore>,
    stats: LiveStats,
}

impl Live {
    /// For the views in that database, told of by that position.
    pub fn new(pool: PgPool, view_position: ViewPosition, stats: LiveStats) -> Self {
        Self { hub: Hub::new(pool, view_position), places: Arc::new(Semaphore::new(MAX_SUBSCRIPTIONS)), stats }
    }

    /// A name in the criteria that does not exist, if there is one: no change would ever meet them.
    pub async fn unknown(&self, criteria: &OrderFilter) -> Result<Option<Unknown>, StoreError> {
        Store::without_snapshot(self.hub.pool.clone()).unknown(criteria).await.map_err(StoreError::from)
    }

    /// What changes, until the subscriber leaves or is let go; the reason is the last item then.
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
