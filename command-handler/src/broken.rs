//! Orders that this instance puts off, since it cannot drive them. Their histories are broken, which is logged once for each
//! order and reason, or their participants have no address here.

use std::num::NonZeroUsize;

use domain::ids::OrderId;
use lru::LruCache;
use tracing::error;

/// Orders that are remembered as logged. One that makes room may be logged again.
const MAX_LOGGED: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");
/// Orders that wait to be put off. One for which there is no room comes back when its lease ends.
const MAX_WAITING: usize = 10_000;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Broken {
    logged: LruCache<OrderId, String>,
    waiting: Vec<OrderId>,
    without_address: Vec<OrderId>,
}

impl Default for Broken {
    fn default() -> Self {
        Self { logged: LruCache::new(MAX_LOGGED), waiting: Vec::new(), without_address: Vec::new() }
    }
}

impl Broken {
    /// An order that was due cannot be driven.
    pub fn note(&mut self, order: &OrderId, reason: String) {
        if self.logged.get(order) != Some(&reason) {
            error!(%order, reason, "an order that is due cannot be driven: it is put off, ten minutes at a time");
            self.logged.put(order.clone(), reason);
        }
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push(order.clone());
        }
    }

    /// Notes an order whose due steps all wait for participants that have no address here.
    pub fn note_without_address(&mut self, order: &OrderId) {
        if self.without_address.len() < MAX_WAITING {
            self.without_address.push(order.clone());
        }
    }

    /// Those that wait for an address.
    pub fn take_without_address(&mut self) -> Vec<OrderId> {
        std::mem::take(&mut self.without_address)
    }

    /// Those that are to be put off.
    pub fn take(&mut self) -> Vec<OrderId> {
        std::mem::take(&mut self.waiting)
    }
}
