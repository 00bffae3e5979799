//! Commands to a running system. Most speak to the server over HTTP, as any other client would, and know nothing of what is
//! behind it; those that look into the past (`replay`, `backtest`) read the log itself.
//!
//! A command ends with 0 when all went as asked, with 1 when an order did not (refused, stuck, unknown), and with an error,
//! which the caller turns into 2, when the command itself could not be carried out.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

pub mod backtest;
pub mod client;
mod complaints;
pub mod duration;
mod error;
pub mod forget;
mod history;
mod moment;
pub mod operate;
pub mod output;
pub mod place;
pub mod progress;
pub mod replay;
mod retry;
pub mod show;
mod suggest;
mod table;
pub mod timeline;
mod views;
pub mod watch;
pub mod workflow;

pub use error::CommandError;

/// The exit code for "an order did not go as asked".
const NOT_AS_ASKED: u8 = 1;

#[cfg(test)]
mod stub;
