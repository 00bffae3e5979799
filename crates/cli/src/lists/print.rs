//! What every list has in common: its options, its query, and how it is printed.

use std::process::ExitCode;

use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::CommandError;
use crate::client::ServerArgs;
use command_line::output::{self, Palette};

/// Options of every list.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Print the answer of the server, as JSON
    #[arg(long)]
    json: bool,
}

impl ListArgs {
    #[cfg(test)]
    pub fn of(server: &str) -> Self {
        Self { server: ServerArgs::of(server), json: false }
    }

    /// Asks for one field of the query, and prints its value.
    pub async fn print<T: DeserializeOwned>(
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
            let value = serde_json::from_value(data[field].take()).map_err(|error| CommandError::Answer {
                url: format!("{}/graphql", client.base()),
                reason: error.to_string(),
            })?;
            output::print(&render(value, Palette::of_stdout()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
