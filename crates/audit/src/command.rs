//! `tenuto audit`: the subcommands, their output, and their exit codes.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use command_line::output::{self, WriteError};

use crate::error::AuditError;
use crate::export::{ExportArgs, export};
use crate::keygen::{keygen, write_new};
use crate::seal::{SealArgs, Sealing, seal};
use crate::verify::{VerifyArgs, verify};

/// The exit code for "there are differences".
const DIFFERENCES: u8 = 1;

/// Options of `tenuto audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Check the log, the chain of each order, the seals and the views; or a bundle, without any
    /// server
    ///
    /// Each difference is reported with the order, the revision and what is wrong. Views are
    /// compared if a database is known. Events that were cut off the end of the log are noticed
    /// only if the views have them, or a seal outside of the log covers them.
    #[command(
        after_help = "Exit code: 0 if everything is as it was written; 1 if something is not; 2 if it is not known."
    )]
    Verify(VerifyArgs),
    /// Sign the state of all orders, up to a position of the log, and append the seal to the log
    ///
    /// The log is read and checked first. The seal has the root of a Merkle tree over the last
    /// event of every order. Keep a copy outside of the log (--out): a seal that is only in the log
    /// can be lost with it.
    #[command(
        after_help = "Exit code: 0 if it is sealed; 1 if something is not as it was written; 2 if nothing could be sealed."
    )]
    Seal(SealArgs),
    /// Write an order's history: as a bundle that proves itself, or as a timeline for people
    #[command(
        after_help = "Exit code: 0 if it is exported; 1 if it is, and something in it was changed; 2 if nothing was exported."
    )]
    Export(ExportArgs),
    /// Make an Ed25519 key to sign seals with, and write the public key next to it
    Keygen {
        /// The file for the private key (PEM, PKCS#8), which must not exist; the public key goes to
        /// FILE.pub
        file: PathBuf,
    },
}

/// Runs the command, and prints the result. Exit code 1: there are differences.
pub async fn run(args: AuditArgs) -> Result<ExitCode, AuditError> {
    let is_clean = match args.command {
        AuditCommand::Verify(args) => {
            let report = verify(&args).await?;
            forgiving(if args.json {
                output::print_json(&report.to_json())
            } else {
                output::print(&report.to_text())
            })?;
            report.is_clean()
        }
        AuditCommand::Seal(args) => {
            let sealing = seal(&args).await?;
            forgiving(output::print(&sealing.to_string()))?;
            matches!(sealing, Sealing::Sealed { .. })
        }
        AuditCommand::Export(args) => {
            let exported = export(&args).await?;
            tracing::info!(order = args.order_id(), "the history of an order was exported");
            match &args.out {
                Some(out) => write_new(out, exported.text.as_bytes())?,
                None => forgiving(output::print(&exported.text))?,
            }
            for finding in &exported.findings {
                output::complain(&output::printable(&format!("tenuto: {finding}")));
            }
            exported.findings.is_empty()
        }
        AuditCommand::Keygen { file } => {
            forgiving(output::print(&keygen(&file)?.to_string()))?;
            true
        }
    };
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENCES) })
}

/// A reader that closes the output early does not change the exit code.
fn forgiving(printed: Result<(), WriteError>) -> Result<(), AuditError> {
    match printed {
        Err(error) if error.is_closed_pipe() => Ok(()),
        printed => Ok(printed?),
    }
}
