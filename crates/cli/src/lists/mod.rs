//! Commands that print a list from the views: one query, and a table or the server's answer as
//! JSON.

mod workflows;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::CommandError;
use crate::client::{Client, ServerArgs};
use command_line::output::{self, Palette};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum ListCommand {
    /// List the registered workflows: their versions, and how many orders follow each
    Workflows(workflows::WorkflowsArgs),
}

/// Options of every list.
#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Print the answer of the server, as JSON
    #[arg(long)]
    json: bool,
}

/// Prints a list. Exit code 2, by the caller: the server cannot be reached or refuses.
pub async fn run(command: ListCommand) -> Result<ExitCode, CommandError> {
    let printed = match command {
        ListCommand::Workflows(args) => workflows::print(args).await,
    };
    output::forgive_closed_pipe(printed)
}

impl ListArgs {
    #[cfg(test)]
    fn of(server: &str) -> Self {
        Self { server: ServerArgs::of(server), json: false }
    }

    /// Asks for one field of the query, and prints its value.
    async fn print<T: DeserializeOwned>(
        &self,
        field: &str,
        query: &str,
        variables: &Value,
        render: impl FnOnce(T, Palette) -> String,
    ) -> Result<ExitCode, CommandError> {
        let client = self.server.client()?;
        let mut data: Value = client.query(query, variables).await?;
        if self.json {
            output::print_json(&format!("{:#}\n", json!({ "data": data })))?;
        } else {
            let value = read(&client, data[field].take())?;
            output::print(&render(value, Palette::of_stdout()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn read<T: DeserializeOwned>(client: &Client, value: Value) -> Result<T, CommandError> {
    serde_json::from_value(value)
        .map_err(|error| CommandError::Answer { url: format!("{}/graphql", client.base()), reason: error.to_string() })
}
