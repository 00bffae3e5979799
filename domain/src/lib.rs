//! Orders, workflows and the decisions about them, pure: no clock, no randomness, no IO.
//!
//! The heart is a decider ([`order`]): [`order::decide_next`] turns a command into events or refuses it,
//! [`order::evolve`] folds events into a state, and [`order::pending`] says what a state is waiting for. Time, ids and
//! jitter arrive as data and are recorded, so that folding the same events gives the same state, for ever.
//!
//! [`workflow`] is what an order follows: a definition, read from YAML and checked before it is used.
//! [`fault_matrix`] tries a definition against everything that can go wrong.
//! [`replay`] makes the decisions of a history once more, and says why each was made.
//! [`backtest`] runs a past order through another definition.
//! [`proof`] says whether a history is the one that was written.
//! [`wire`] is the only place that knows how events are written in the log.
//! [`views`] says what is shown of an order.

pub mod backtest;
pub mod fault_matrix;
pub mod ids;
pub mod json;
pub mod order;
pub mod proof;
pub mod replay;
pub mod stream_prefix;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod views;
pub mod wire;
pub mod workflow;

/// A moment in UTC, as recorded in events: milliseconds are its finest unit.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
