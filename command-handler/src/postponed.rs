//! Orders that are due, and that this instance cannot drive: their histories are broken, or their
//! participants have no address here. The to-do list postpones them. A broken history is logged
//! once for each order and reason.

use std::num::NonZeroUsize;
use std::sync::Mutex;

use domain::ids::OrderId;
use lru::LruCache;
use tracing::error;

use crate::lock::lock;

/// How many orders are remembered as logged. An order that makes room may be logged again.
const MAX_LOGGED: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");
/// The limit of each list. An order without room comes back when its lease ends.
const MAX_WAITING: usize = 10_000;

/// The orders that the to-do list has to postpone.
#[derive(Debug)]
pub(crate) struct PostponedOrders(Mutex<Lists>);

#[derive(Debug)]
struct Lists {
    logged: LruCache<OrderId, String>,
    broken: Vec<OrderId>,
    without_address: Vec<OrderId>,
}

impl Default for PostponedOrders {
    fn default() -> Self {
        let logged = LruCache::new(MAX_LOGGED);
        Self(Mutex::new(Lists { logged, broken: Vec::new(), without_address: Vec::new() }))
    }
}

impl PostponedOrders {
    /// Adds an order whose history is broken.
    pub fn add_broken(&self, order: &OrderId, reason: String) {
        let mut lists = lock(&self.0);
        if lists.logged.get(order) != Some(&reason) {
            error!(%order, reason, "an order that is due cannot be driven; it is postponed by ten minutes at a time");
            lists.logged.put(order.clone(), reason);
        }
        if lists.broken.len() < MAX_WAITING {
            lists.broken.push(order.clone());
        }
    }

    /// Adds an order whose due steps all wait for participants without an address here.
    pub fn add_without_address(&self, order: &OrderId) {
        let mut lists = lock(&self.0);
        if lists.without_address.len() < MAX_WAITING {
            lists.without_address.push(order.clone());
        }
    }

    /// Removes and returns the orders that wait for an address.
    pub fn take_without_address(&self) -> Vec<OrderId> {
        std::mem::take(&mut lock(&self.0).without_address)
    }

    /// Removes and returns the orders with a broken history.
    pub fn take_broken(&self) -> Vec<OrderId> {
        std::mem::take(&mut lock(&self.0).broken)
    }
}
