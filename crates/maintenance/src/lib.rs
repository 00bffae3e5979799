//! Looks after what a system stores: its views, its log, and the keys of personal data.
//!
//! Each module is a function that returns a result or a typed error. [`command`] holds the options
//! of the commands, and prints the results.

#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when the reader has closed the pipe; use `command_line::output`"
)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

pub mod backup;
pub mod check;
pub mod command;
pub mod copy;
mod error;
pub mod keys;
mod other_log;
pub mod parked;
pub mod rebuild;
pub mod reset;

pub use error::MaintenanceError;
