//! The commands: their options, the texts that they print, and their exit codes.

pub mod backtest;
pub mod replay;
pub mod workflow;

use command_line::output;

use crate::LabError;
use crate::workflow::FileError;

/// The exit code for "the order does not exist", and for "some orders differ".
const NOT_AS_ASKED: u8 = 1;

/// Prints the faults of a file to standard error, a line each. Any other error is returned.
fn complain_of_faults(error: LabError) -> Result<(), LabError> {
    match error {
        LabError::File(faults @ FileError::Faults { .. }) => {
            output::complain(&faults.to_string());
            Ok(())
        }
        other => Err(other),
    }
}
