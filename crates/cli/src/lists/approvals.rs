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

const REQUESTS: &str = "query { operationRequests(first: 200) {
    nodes { request { id orderId operation step matches requestedBy reason expiresAt own maySettle } }
    pageInfo { hasNextPage endCursor }
} }";

#[derive(Debug, Deserialize)]
struct Waiting {
    request: Request,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    id: String,
    order_id: Option<String>,
    operation: String,
    step: Option<String>,
    matches: Option<u64>,
    requested_by: String,
    reason: String,
    expires_at: DateTime<Utc>,
    own: bool,
    may_settle: bool,
}

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
    args.list.print("approvals", QUERY, &json!({ "first": first, "after": after }), render).await?;
    args.list.print("operationRequests", REQUESTS, &json!({}), render_requests).await
}

/// The operations that a second person has to approve.
fn render_requests(requests: &Connection<Waiting>, palette: Palette) -> String {
    if requests.nodes.is_empty() {
        return String::new();
    }
    let mut table = Table::new([
        ("REQUEST", Side::Left),
        ("OPERATION", Side::Left),
        ("ON", Side::Left),
        ("BY", Side::Left),
        ("REASON", Side::Left),
        ("UNTIL", Side::Left),
        ("YOU", Side::Left),
    ]);
    for Waiting { request } in &requests.nodes {
        let step = request.step.as_ref().map(|step| format!(" {step}")).unwrap_or_default();
        let of_batch = || format!("{} orders", request.matches.unwrap_or_default());
        let you = match (request.own, request.may_settle) {
            (true, _) => "asked for it: another person approves",
            (false, true) => "can approve it",
            (false, false) => "",
        };
        table.row([
            (request.id.clone(), Tint::Bold),
            (format!("{}{step}", request.operation), Tint::Plain),
            (request.order_id.clone().unwrap_or_else(of_batch), Tint::Plain),
            (request.requested_by.clone(), Tint::Plain),
            (request.reason.clone(), Tint::Plain),
            (moment::render(request.expires_at), Tint::Dim),
            (you.to_owned(), Tint::Dim),
        ]);
    }
    format!(
        "\n{}{}Approve with: tenuto approve REQUEST; decline with: tenuto decline REQUEST --reason TEXT\n",
        table.render(palette),
        requests.more()
    )
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
    fn what_waits_for_a_second_person_is_listed_with_who_asked_and_who_can_approve_it() {
        let request = |id: &str, order: Option<&str>, own: bool| {
            json!({ "request": { "id": id, "orderId": order, "operation": "skip", "step": "ship", "matches": 200, "requestedBy": "ann",
                    "reason": "sent by hand", "expiresAt": "2026-01-04T03:04:05Z", "own": own, "maySettle": !own } })
        };
        let requests = json!({
            "nodes": [request("large:1", Some("large"), true), request("0198", None, false)],
            "pageInfo": { "hasNextPage": false, "endCursor": "c" },
        });
        let shown = render_requests(&serde_json::from_value(requests).unwrap(), Palette::NONE);
        for row in [
            "  large:1  skip ship  large       ann  sent by hand  2026-01-04 03:04:05.000 UTC  asked for it: another person approves\n",
            "  0198     skip ship  200 orders  ann  sent by hand  2026-01-04 03:04:05.000 UTC  can approve it\n",
        ] {
            assert!(shown.contains(row), "{shown}");
        }
    }

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
