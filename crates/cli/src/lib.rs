//! Client commands. They call the server over HTTP, as any other client does.
//!
//! A command exits with 0 if all orders went as requested, and with 1 if an order did not (refused,
//! stuck, unknown). If the command itself failed, it returns an error, and the caller exits with 2.

#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when the reader has closed the pipe; use `command_line::output`"
)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

pub mod answer;
mod client;
mod error;
pub mod forget;
pub mod lists;
pub mod operate;
pub mod place;
pub mod ready;
mod retry;
pub mod samples;
pub mod settle;
pub mod show;
mod timeline;
mod views;
pub mod watch;
pub mod webhook;

pub use error::CommandError;

/// The exit code for "an order did not go as requested".
const NOT_AS_ASKED: u8 = 1;

#[cfg(test)]
mod stub;
