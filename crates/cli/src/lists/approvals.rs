//! `tenuto approvals`: the steps that wait for a person.

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

/// Options of `tenuto approvals`.
#[derive(Debug, Args)]
pub struct ApprovalsArgs {
    #[command(flatten)]
    page: PageArgs,
    #[command(flatten)]
    list: ListArgs,
}

const QUERY: &str = "query($first: Int, $after: String) { approvals(first: $first, after: $after) {
    nodes { order { id status state } step asks since until outcomes onTimeout withoutAnswer }
    pageInfo { hasNextPage endCursor }
} }";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Approval {
    order: Order,
    step: String,
    asks: Option<String>,
    since: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    outcomes: Vec<String>,
    without_answer: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Order {
    id: String,
}

pub(super) async fn print(args: ApprovalsArgs) -> Result<ExitCode, CommandError> {
    let PageArgs { first, after } = args.page;
    args.list.print("approvals", QUERY, &json!({ "first": first, "after": after }), render).await
}

fn render(approvals: &Connection<Approval>, palette: Palette) -> String {
    if approvals.nodes.is_empty() {
        return "No step waits for a person\n".to_owned();
    }
    let mut table = Table::new([
        ("ORDER", Side::Left),
        ("STEP", Side::Left),
        ("ASKS FOR", Side::Left),
        ("SINCE", Side::Left),
        ("UNTIL", Side::Left),
        ("OUTCOMES", Side::Left),
        ("WITHOUT AN ANSWER", Side::Left),
    ]);
    for approval in &approvals.nodes {
        table.row([
            (approval.order.id.clone(), Tint::Bold),
            (approval.step.clone(), Tint::Plain),
            (approval.asks.clone().unwrap_or_default(), Tint::Plain),
            (moment::render(approval.since), Tint::Dim),
            (approval.until.map(moment::render).unwrap_or_default(), Tint::Dim),
            (approval.outcomes.join(", "), Tint::Plain),
            (approval.without_answer.clone().unwrap_or_default(), Tint::Dim),
        ]);
    }
    format!(
        "{}{}Answer with: tenuto answer ORDER STEP OUTCOME --reason TEXT\n",
        table.render(palette),
        approvals.more()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_listed_with_what_it_takes_and_what_happens_without() {
        let approvals = json!({
            "nodes": [{ "order": { "id": "large" }, "step": "approve", "asks": "approval", "since": "2026-01-02T03:04:05Z",
                        "until": "2026-01-04T03:04:05Z", "outcomes": ["approved", "rejected"], "onTimeout": null,
                        "withoutAnswer": "The step fails, and the order is undone" }],
            "pageInfo": { "hasNextPage": false, "endCursor": "c" },
        });
        let shown = render(&serde_json::from_value(approvals).unwrap(), Palette::NONE);
        let row = "  large  approve  approval  2026-01-02 03:04:05.000 UTC  2026-01-04 03:04:05.000 UTC  approved, rejected  \
                   The step fails, and the order is undone\n";
        assert!(shown.contains(row), "{shown}");
        assert!(shown.ends_with("Answer with: tenuto answer ORDER STEP OUTCOME --reason TEXT\n"));
    }
}
