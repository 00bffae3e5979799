//! Commands that look after what a system stores: its views, its log, and the keys of personal data.

#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when the reader has closed the pipe; use `command_line::output`"
)]

pub mod backup;
pub mod check;
pub mod keys;
pub mod parked;
pub mod rebuild;
pub mod reset;
