//! Tries past orders and workflow files: an order's life step by step ([`replay`]), another
//! definition on past orders ([`backtest`]), and a file against everything that can fail
//! ([`workflow`]). These return results; [`command`] prints them, and [`http`] serves them.
//!
//! Histories come from the log, not from the views.

#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when the reader has closed the pipe; use `command_line::output`"
)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

pub mod backtest;
pub mod command;
mod error;
mod history;
pub mod http;
pub mod replay;
pub mod workflow;

pub use error::LabError;
pub use history::LogError;
pub use workflow::FileError;
