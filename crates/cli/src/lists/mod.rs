//! Commands that print a list from the views: one query, and a table or the server's answer as
//! JSON.

mod print;
mod workflows;

use std::process::ExitCode;

use clap::Subcommand;

use crate::CommandError;
use command_line::output;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum ListCommand {
    /// List the registered workflows: their versions, and how many orders follow each
    Workflows(workflows::WorkflowsArgs),
}

/// Prints a list. Exit code 2, by the caller: the server cannot be reached or refuses.
pub async fn run(command: ListCommand) -> Result<ExitCode, CommandError> {
    let printed = match command {
        ListCommand::Workflows(args) => workflows::print(args).await,
    };
    output::forgive_closed_pipe(printed)
}
