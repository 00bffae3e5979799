//! `tenuto audit`: whether what the log and the views say of orders is what was written, and the proof of it for others.
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

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use domain::ids::OrderId;

use command_line::output;
use error::AuditError;

/// The exit code for "something is not as it was written".
const DIFFERENCES: u8 = 1;

/// Options of `tenuto audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Check the log, the chain of each order, the seals and the views; or a bundle, without any server
    ///
    /// Every difference is named with the order, the revision and what is wrong. Views are compared where a database is named.
    /// Events that were cut off the end of the log are missed where the views have them, or a seal that was kept outside covers them.
    Verify(verify::VerifyArgs),
    /// Sign what all orders are, up to a position of the log, and append the seal to the log
    ///
    /// The log is read and checked first. The seal names the root of a Merkle tree over the last event of every order. Keep a copy
    /// outside (--out): one that is only in the log goes where the log goes.
    Seal(seal::SealArgs),
    /// Write an order's history: as a bundle that proves itself, or as a timeline for people
    Export(export::ExportArgs),
    /// Make an Ed25519 key to sign seals with; the public key is written beside it
    Keygen {
        /// The file for the private key (PEM, PKCS#8), which must not be there yet; the public key goes to FILE.pub
        file: PathBuf,
    },
}

/// Carries it out.
pub async fn run(args: AuditArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let code = match args.command {
        AuditCommand::Verify(args) => verify::run(args).await?,
        AuditCommand::Seal(args) => seal::run(args).await?,
        AuditCommand::Export(args) => export::run(args).await?,
        AuditCommand::Keygen { file } => keygen::run(&file)?,
    };
    Ok(code)
}

/// An order's id on the command line.
fn order_id(text: &str) -> Result<OrderId, String> {
    OrderId::new(text).map_err(|error| format!("an order's id {error}"))
}

/// Prints to standard output. A reader that has seen enough does not change what was found.
fn print(text: &str) -> Result<(), AuditError> {
    match output::print(text) {
        Err(error) if error.is_closed_pipe() => Ok(()),
        printed => Ok(printed?),
    }
}

/// Clean, or not.
fn code(clean: bool) -> ExitCode {
    if clean { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENCES) }
}
