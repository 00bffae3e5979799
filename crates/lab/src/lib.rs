//! Past orders and workflow files on trial: an order's life step by step (`replay`), another definition
//! on the orders of the past (`backtest`), and a file against everything that can go wrong (`workflow`).
//!
//! Histories are read from the log itself, not from the views.

#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when the reader has closed the pipe; use `command_line::output`"
)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

pub mod backtest;
mod error;
mod history;
pub mod replay;
pub mod workflow;

pub use error::LabError;
pub use history::LogError;
pub use workflow::FileError;

/// The exit code for "the order does not exist", and for "some orders differ".
const NOT_AS_ASKED: u8 = 1;
