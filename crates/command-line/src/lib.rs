//! What commands share: how values are written on the command line, how results are shown, and
//! which servers run in this folder.

#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when the reader has closed the pipe; use `output`"
)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

pub mod data_folder;
pub mod duration;
pub mod filter;
pub mod logging;
pub mod moment;
pub mod open_files;
pub mod output;
pub mod progress;
pub mod reference;
pub mod running;
pub mod suggest;
pub mod table;
pub mod warnings;
