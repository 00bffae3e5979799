//! Client commands. They speak to the server over HTTP, as any other client would, and know nothing of
//! what is behind it.
//!
//! A command ends with 0 when all went as asked, with 1 when an order did not (refused, stuck,
//! unknown), and with an error, which the caller turns into 2, when the command itself could not be
//! carried out.

#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when the reader has closed the pipe; use `command_line::output`"
)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod client;
mod error;
pub mod forget;
pub mod operate;
pub mod place;
mod retry;
pub mod samples;
pub mod show;
mod timeline;
mod views;
pub mod watch;

pub use error::CommandError;

/// The exit code for "an order did not go as asked".
const NOT_AS_ASKED: u8 = 1;

#[cfg(test)]
mod stub;
