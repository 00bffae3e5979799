//! What every list has in common: its options, its query, and how it is printed.

use std::process::ExitCode;
use std::time::Duration;

use chrono::Utc;
use clap::Args;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::CommandError;
use crate::client::ServerArgs;
use command_line::duration;
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

/// Which part of a long list.
#[derive(Debug, Args)]
pub(super) struct PageArgs {
    /// How many, at most 200
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub first: u16,
    /// Those after this place, which the list before names
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
}

/// The time range of figures: up to now.
#[derive(Debug, Args)]
pub(super) struct LastArgs {
    /// Of this time up to now, at most 31d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration::parse)]
    last: Duration,
}

impl LastArgs {
    /// As the variables of a query.
    pub fn variables(&self) -> Value {
        let to = Utc::now();
        json!({ "from": to - self.last, "to": to })
    }
}

/// A time in seconds, as the server gives it.
pub(super) fn time(seconds: f64) -> String {
    duration::render(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// A page of a long list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connection<T> {
    pub nodes: Vec<T>,
    page_info: PageInfo,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

impl<T> Connection<T> {
    /// How to list the next page, as a line; empty: this is the last page.
    pub fn more(&self) -> String {
        let PageInfo { has_next_page, end_cursor } = &self.page_info;
        let next = end_cursor.as_ref().filter(|_| *has_next_page);
        next.map(|cursor| format!("  and more: --after {cursor}\n")).unwrap_or_default()
    }
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
        render: impl FnOnce(&T, Palette) -> String,
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
            output::print(&render(&value, Palette::of_stdout()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
