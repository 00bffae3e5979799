//! Orders, workflows and the decisions about them, pure: no clock, no randomness, no IO.
//!
//! The core is a decider ([`order`]): [`order::decide_next`] turns a command into events or refuses
//! it, [`order::evolve`] folds events into a state, and [`order::pending`] lists the due work of a
//! state. Time, ids and jitter arrive as data and are recorded, so the same events give the same
//! state, for ever.
//!
//! - [`workflow`] is the definition that an order follows, read from YAML and checked.
//! - [`fault_matrix`] tries a definition against every possible fault.
//! - [`replay`] repeats the decisions of a history, and explains each.
//! - [`backtest`] runs a past order through another definition.
//! - [`batch_request`] is a batch that a second person has to approve.
//! - [`proof`] checks that a history is unchanged.
//! - [`expectation`] estimates when orders and steps end.
//! - [`wire`] is the only module that knows how the log stores events.
//! - [`trace`] shows a history as spans.
//! - [`views`] defines what users see of an order, and [`request_views`] of what waits for a second
//!   person.
//! - [`webhook`] is what systems of the shop are notified of.

pub mod backtest;
pub mod batch_request;
pub mod duration;
pub mod error_class;
pub mod expectation;
pub mod fault_matrix;
pub mod filter;
pub mod ids;
pub mod json;
pub mod order;
pub mod proof;
pub mod replay;
pub mod request_views;
pub mod stream_prefix;
mod streams;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod trace;
pub mod views;
pub mod webhook;
pub mod wire;
pub mod workflow;

/// A time in UTC, as events record it, in milliseconds.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
