//! `tenuto workflows`: the registered workflows.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::print::ListArgs;
use crate::CommandError;
use command_line::moment;
use command_line::output::{Palette, Tint};
use command_line::table::{Side, Table};

/// Options of `tenuto workflows`.
#[derive(Debug, Args)]
pub struct WorkflowsArgs {
    #[command(flatten)]
    list: ListArgs,
}

const QUERY: &str = "{ workflows { truncated nodes { name versions {
    version registeredAt orders { open ended byState { state count } } } } } }";

#[derive(Debug, Deserialize)]
struct Workflows {
    truncated: bool,
    nodes: Vec<Workflow>,
}

#[derive(Debug, Deserialize)]
struct Workflow {
    name: String,
    versions: Vec<Version>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    #[serde(rename = "version")]
    number: i32,
    registered_at: DateTime<Utc>,
    /// `None`: the caller may not count orders.
    orders: Option<Orders>,
}

#[derive(Debug, Deserialize)]
struct Orders {
    open: i64,
    ended: i64,
}

pub(super) async fn print(args: WorkflowsArgs) -> Result<ExitCode, CommandError> {
    args.list.print("workflows", QUERY, &Value::Null, render).await
}

fn render(workflows: &Workflows, palette: Palette) -> String {
    if workflows.nodes.is_empty() {
        return "No workflow is registered. `tenuto workflow check FILE` checks a file; the command handler registers the \
                files of its folder of workflows\n"
            .to_owned();
    }
    let mut table = Table::new([
        ("WORKFLOW", Side::Left),
        ("VERSION", Side::Right),
        ("REGISTERED", Side::Left),
        ("OPEN", Side::Right),
        ("ENDED", Side::Right),
    ]);
    for Workflow { name, versions } in &workflows.nodes {
        for (index, Version { number, registered_at, orders }) in versions.iter().enumerate() {
            let count = |of: fn(&Orders) -> i64| orders.as_ref().map_or_else(|| "?".to_owned(), |o| of(o).to_string());
            table.row([
                (name.clone(), if index == 0 { Tint::Bold } else { Tint::Dim }),
                (number.to_string(), Tint::Plain),
                (moment::render(*registered_at), Tint::Dim),
                (count(|orders| orders.open), Tint::Plain),
                (count(|orders| orders.ended), Tint::Plain),
            ]);
        }
    }
    let more = if workflows.truncated { "  and more, which are not listed: the list has 500 versions\n" } else { "" };
    format!("{}{more}", table.render(palette))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stub::Stub;

    fn workflows(truncated: bool) -> Value {
        let version = |version, orders: Value| json!({ "version": version, "registeredAt": "2026-01-02T03:04:05Z", "orders": orders });
        json!({ "truncated": truncated, "nodes": [
            { "name": "fulfil", "versions": [version(2, json!({ "open": 3, "ended": 12 })), version(1, Value::Null)] },
        ] })
    }

    #[test]
    fn each_version_has_a_line_with_its_orders() {
        let shown = render(&serde_json::from_value(workflows(true)).unwrap(), Palette::NONE);
        let expected = "  WORKFLOW  VERSION  REGISTERED                   OPEN  ENDED
  fulfil          2  2026-01-02 03:04:05.000 UTC     3     12
  fulfil          1  2026-01-02 03:04:05.000 UTC     ?      ?
  and more, which are not listed: the list has 500 versions
";
        assert_eq!(shown, expected);
        assert!(!render(&serde_json::from_value(workflows(false)).unwrap(), Palette::NONE).contains("more"));
    }

    #[tokio::test]
    async fn the_list_is_one_query() {
        let stub = Stub::start().await;
        stub.answers([json!({ "data": { "workflows": workflows(false) } })]);
        let args = WorkflowsArgs { list: ListArgs::of(&stub.base) };
        assert_eq!(print(args).await.unwrap(), ExitCode::SUCCESS);
        assert_eq!(stub.queries().len(), 1);
    }
}
