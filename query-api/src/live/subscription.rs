//! One subscription: its orders, where it begins, and why it ends.

use domain::filter::OrderFilter;

use crate::error::QueryError;

/// How many changes may wait for one subscriber. At the next one it is disconnected. One window of
/// the hub has fewer.
pub const QUEUE: usize = 1_024;

/// The orders of a subscription.
#[derive(Debug, Clone)]
pub enum Interest {
    /// One order.
    Order(String),
    /// Each order that matches this when it changes.
    Matching(Box<OrderFilter>),
}

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// With the orders as they are.
    Present,
    /// With the orders that changed after this position.
    Position(u64),
    /// With the changes from now on.
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
    Query(#[from] QueryError),
}
