//! Who saw whose personal data: counted, and a log line for each request of an authenticated caller
//! that read some. It names orders, and nothing personal.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use access::{AccessCounts, Caller};

/// A line names at most this many orders; then comes another line.
const MAX_ORDERS: usize = 100;

/// The orders whose personal data one request has read so far.
#[derive(Debug)]
pub struct Disclosures {
    principal: String,
    counts: AccessCounts,
    orders: Mutex<BTreeSet<String>>,
}

impl Disclosures {
    /// For a request of this caller; `None`: callers are not authenticated.
    pub fn to(caller: &Caller, counts: &AccessCounts) -> Option<Self> {
        let principal = caller.name()?.to_owned();
        Some(Self { principal, counts: counts.clone(), orders: Mutex::default() })
    }

    /// The request has read the personal data of this order.
    pub fn note(&self, order: &str) {
        let full = {
            let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
            orders.insert(order.to_owned());
            (orders.len() >= MAX_ORDERS).then(|| std::mem::take(&mut *orders))
        };
        if let Some(orders) = full {
            self.log(&orders);
        }
    }

    fn log(&self, orders: &BTreeSet<String>) {
        self.counts.note_disclosures(orders.len());
        let names: Vec<&str> = orders.iter().map(String::as_str).collect();
        tracing::info!(principal = self.principal, orders = names.join(" "), "personal data were read");
    }
}

impl Drop for Disclosures {
    fn drop(&mut self) {
        let orders = std::mem::take(self.orders.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !orders.is_empty() {
            self.log(&orders);
        }
    }
}
