//! Proof that the log and the views have what was written about orders, for oneself and for others.
//!
//! The log is read directly: no server that might have an interest in the result takes part. A
//! command ends with 0 if there are no differences, with 1 if there are some, and with 2 if the
//! check could not be made.

#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when the reader has closed the pipe; use `command_line::output`"
)]
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod bundle;
mod command;
mod error;
mod export;
mod findings;
mod heads;
mod histories;
pub mod http;
mod keygen;
mod seal;
mod seals;
mod verification;
mod verify;
mod views;
mod walk;

pub use command::{AuditArgs, run};
pub use error::AuditError;
pub use export::{ExportArgs, Exported, export};
pub use findings::{Finding, Report};
pub use keygen::{KeyPair, keygen};
pub use seal::{SealArgs, Sealing, seal};
pub use verify::{VerifyArgs, verify, verify_log};

/// Parses an order's id from the command line.
fn order_id(text: &str) -> Result<domain::ids::OrderId, String> {
    domain::ids::OrderId::new(text).map_err(|error| format!("an order's id {error}"))
}
