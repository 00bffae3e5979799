//! Commands that print a list from the views: one query, and a table or the server's answer as
//! JSON.

mod actions;
mod approvals;
mod calls;
mod ends;
mod orders;
mod print;
mod troubles;
mod waits;
mod workflows;

use std::process::ExitCode;

use clap::Subcommand;

use crate::CommandError;
use command_line::output;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum ListCommand {
    /// List orders that match a filter
    List(orders::OrdersArgs),
    /// List the steps that wait for a person, and what happens without an answer
    Approvals(approvals::ApprovalsArgs),
    /// List the orders that are stuck or late, grouped by their cause, with a repair
    Troubles(troubles::TroublesArgs),
    /// List the participants, and how many steps wait for each
    Waits(waits::WaitsArgs),
    /// List how participants answered: calls, failures, and how long they took
    Calls(calls::CallsArgs),
    /// List how many orders of each workflow ended, and how long they took
    Ends(ends::EndsArgs),
    /// List what people did to orders: who, what and why
    Actions(actions::ActionsArgs),
    /// List the registered workflows: their versions, and how many orders follow each
    Workflows(workflows::WorkflowsArgs),
}

/// Prints a list. Exit code 2, by the caller: the server cannot be reached or refuses.
pub async fn run(command: ListCommand) -> Result<ExitCode, CommandError> {
    let printed = match command {
        ListCommand::List(args) => orders::print(args).await,
        ListCommand::Approvals(args) => approvals::print(args).await,
        ListCommand::Troubles(args) => troubles::print(args).await,
        ListCommand::Waits(args) => waits::print(args).await,
        ListCommand::Calls(args) => calls::print(args).await,
        ListCommand::Ends(args) => ends::print(args).await,
        ListCommand::Actions(args) => actions::print(args).await,
        ListCommand::Workflows(args) => workflows::print(args).await,
    };
    output::forgive_closed_pipe(printed)
}
