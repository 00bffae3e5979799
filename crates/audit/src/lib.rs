//! Proof: whether what the log and the views say of orders is what was written, and the proof of it for others.
//!
//! The log is read as it is: what is checked here was not handed over by a server that might have an interest in the answer.
//! A command ends with 0 when everything is as it was written, with 1 when something is not, and with 2 when that could not be
//! found out.

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
pub use verify::{VerifyArgs, verify};

/// An order's id on the command line.
fn order_id(text: &str) -> Result<domain::ids::OrderId, String> {
    domain::ids::OrderId::new(text).map_err(|error| format!("an order's id {error}"))
}
