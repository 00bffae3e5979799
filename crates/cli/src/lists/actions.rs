//! `tenuto actions`: what people did to orders.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::print::{Connection, ListArgs, PageArgs};
use crate::CommandError;
use command_line::moment;
use command_line::output::{Palette, Tint};
use command_line::table::{Side, Table};

/// Options of `tenuto actions`.
#[derive(Debug, Args)]
pub struct ActionsArgs {
    /// Only what this principal did, or this person whom a machine acted for
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Not before this
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<DateTime<Utc>>,
    /// Before this
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<DateTime<Utc>>,
    #[command(flatten)]
    page: PageArgs,
    #[command(flatten)]
    list: ListArgs,
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    moment::parse(text)
        .ok_or_else(|| format!("{text:?} is no moment; write one like 2026-01-31 or 2026-01-31T09:00:00Z"))
}

const QUERY: &str = "query($actor: String, $from: DateTime, $to: DateTime, $first: Int, $after: String) {
    actions(actor: $actor, from: $from, to: $to, first: $first, after: $after) {
        nodes { order { id } revision type recordedAt actor reason step summary }
        pageInfo { hasNextPage endCursor }
    } }";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Action {
    order: Order,
    recorded_at: DateTime<Utc>,
    actor: String,
    reason: Option<String>,
    summary: String,
}

#[derive(Debug, Deserialize)]
struct Order {
    id: String,
}

pub(super) async fn print(args: ActionsArgs) -> Result<ExitCode, CommandError> {
    let ActionsArgs { actor, since, until, page: PageArgs { first, after }, list } = args;
    let variables = json!({ "actor": actor, "from": since, "to": until, "first": first, "after": after });
    list.print("actions", QUERY, &variables, render).await
}

fn render(actions: &Connection<Action>, palette: Palette) -> String {
    if actions.nodes.is_empty() {
        return "No action is recorded\n".to_owned();
    }
    let mut table = Table::new([
        ("WHEN", Side::Left),
        ("WHO", Side::Left),
        ("ORDER", Side::Left),
        ("WHAT", Side::Left),
        ("WHY", Side::Left),
    ]);
    for action in &actions.nodes {
        table.row([
            (moment::render(action.recorded_at), Tint::Dim),
            (action.actor.clone(), Tint::Bold),
            (action.order.id.clone(), Tint::Plain),
            (action.summary.clone(), Tint::Plain),
            (action.reason.clone().unwrap_or_default(), Tint::Dim),
        ]);
    }
    table.render(palette) + &actions.more()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_is_a_line_with_who_did_what_to_which_order_and_why() {
        let actions = json!({
            "nodes": [{ "order": { "id": "10248" }, "revision": 7, "type": "OrderPaused", "recordedAt": "2026-01-02T03:04:05Z",
                        "actor": "ann", "reason": "she called", "step": null, "summary": "The order is paused" }],
            "pageInfo": { "hasNextPage": false, "endCursor": "c" },
        });
        let shown = render(&serde_json::from_value(actions).unwrap(), Palette::NONE);
        let expected = "  WHEN                         WHO  ORDER  WHAT                 WHY
  2026-01-02 03:04:05.000 UTC  ann  10248  The order is paused  she called
";
        assert_eq!(shown, expected);
    }
}
