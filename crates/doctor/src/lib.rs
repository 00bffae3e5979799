//! `tenuto doctor`: checks everything that the settings of a role name, before the role starts or
//! while it runs, and says of each fault the cause and the remedy.
//!
//! A check calls the code that the role itself calls at its start, so both report the same errors.
//! All checks run at once, each with a limit of time ([`checks`]). Nothing is changed, unless
//! `--write` asks for it.

#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when the reader has closed the pipe; use `command_line::output`"
)]
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod checks;
pub mod command;
mod finding;
mod report;
mod role;
mod surroundings;

pub use command::{DoctorArgs, DoctorError, run};
pub use surroundings::{ReadWorkflows, Surroundings};
