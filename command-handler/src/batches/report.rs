//! The orders that a batch names, and what it reports about them.

use domain::Timestamp;
use domain::filter::OrderFilter;
use domain::ids::InvalidOrderId;

use crate::orchestrator::{Accepted, CommandError};

/// Of which orders something is asked.
#[derive(Debug, PartialEq)]
pub(crate) enum Which {
    /// Those that are named, in that order.
    Named(Vec<String>),
    /// Those that match, by their ids, and come after this one.
    Matching { criteria: Box<OrderFilter>, after: Option<String> },
}

/// What a batch reports.
#[derive(Debug)]
pub(crate) enum Report {
    /// The first: how many orders match, that they were placed before this moment, and whether a
    /// second person would have to approve it.
    Beginning { matches: u64, before: Timestamp, needs_approval: bool },
    /// The command about an order was taken.
    Taken(Accepted),
    /// It was not.
    Refused { order_id: String, because: NotTaken },
    /// The last: each order was reported.
    Done,
    /// The last: the batch ended before its time, for this reason.
    Stopped(String),
}

/// Why a command about an order was not taken.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// No order can have that id.
    NoSuchId(InvalidOrderId),
    Command(CommandError),
}

/// Why a batch did not begin.
#[derive(Debug)]
pub(crate) enum NotBegun {
    /// The command about its first order failed.
    Command(CommandError),
    /// It was stopped before its first order.
    Stopped(String),
}
