//! `tenuto show ORDER`: an order, its steps and its timeline, on one screen.

use std::fmt::Write;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{Client, ServerArgs};
use crate::timeline::spent;
use crate::views::{self, Entry, Everything, ParkedEvent, Standing, State};
use crate::{CommandError, NOT_AS_ASKED, timeline};
use command_line::output::{self, Palette, Tint, printable, screen};
use command_line::table::{Side, Table};
use command_line::{duration, moment};

/// Options of `tenuto show`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 if the order is shown; 1 if it does not exist; 2 if the views do not have it yet, or the server cannot be reached."
)]
pub struct ShowArgs {
    /// The order's id
    order: String,
    #[command(flatten)]
    server: ServerArgs,
    /// Print the answer of the server, as JSON
    #[arg(long)]
    json: bool,
}

/// The exit code for an order that the views do not have yet.
const NOT_SHOWN: u8 = 2;

/// Exit code 1: there is no such order; 2: it could not be shown.
pub async fn run(args: ShowArgs) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    output::forgive_closed_pipe(show(&client, &args).await)
}

async fn show(client: &Client, args: &ShowArgs) -> Result<ExitCode, CommandError> {
    let Everything { order: found, in_log, log_error, parked } = views::everything(client, &args.order).await?;
    let Some(first) = found else { return not_shown(client, &args.order, in_log, log_error, &parked) };
    let answer = whole_order(client, &args.order, first).await?;
    let revision = answer["revision"].as_i64().unwrap_or_default();
    if parked.is_empty() && in_log.is_some_and(|last| last > revision) {
        output::complain(&format!(
            "tenuto: the views are behind: this is order {} as of revision {revision}, and the log has more of it",
            printable(&args.order)
        ));
    }
    if args.json {
        output::print_json(&format!("{:#}\n", json!({ "data": { "order": answer, "parkedEvents": parked } })))?;
        return Ok(ExitCode::SUCCESS);
    }
    let order = OrderView::deserialize(answer).map_err(|error| CommandError::Answer {
        url: format!("{}/graphql", client.base()),
        reason: error.to_string(),
    })?;
    output::print(&order.render(&parked, Palette::of_stdout(), screen::width(), Utc::now()))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints why the views do not have an order, as far as that is known.
fn not_shown(
    client: &Client,
    id: &str,
    in_log: Option<i64>,
    log_error: Option<CommandError>,
    parked: &[ParkedEvent],
) -> Result<ExitCode, CommandError> {
    let (order, base) = (printable(id), client.base());
    let reads_the_log = format!("tenuto replay {order}, which reads the log");
    if let Some(first) = parked.first() {
        output::complain(&printable(&format!(
            "tenuto: the views at {base} do not have order {order}: {}. See {reads_the_log}",
            set_aside(first, parked.len())
        )));
        return Ok(ExitCode::from(NOT_SHOWN));
    }
    if let Some(error) = log_error {
        return Err(error);
    }
    if in_log.is_some() {
        output::complain(&format!(
            "tenuto: order {order} is in the log, and the views at {base} do not have it yet: they are behind. Run the same \
             command again, or {reads_the_log}"
        ));
        return Ok(ExitCode::from(NOT_SHOWN));
    }
    output::complain(&format!("tenuto: there is no order {order} at {base}"));
    Ok(ExitCode::from(NOT_AS_ASKED))
}

/// The events of an order that are set aside, and what to do.
fn set_aside(first: &ParkedEvent, count: usize) -> String {
    let ParkedEvent { revision, kind, reason } = first;
    let which = if count == 1 { "1 event of it is".to_owned() } else { format!("{count} events of it are") };
    format!(
        "{which} set aside, the first at revision {revision} ({kind}): {reason}. Once that is corrected, run tenuto projector retry"
    )
}

/// The order with its whole timeline.
async fn whole_order(client: &Client, id: &str, first: Value) -> Result<Value, CommandError> {
    let mut order = first;
    while order["timeline"]["pageInfo"]["hasNextPage"] == true {
        let Some(after) = order["timeline"]["pageInfo"]["endCursor"].as_str() else { break };
        let Some(mut page) = views::timeline_page(client, id, after).await? else { break };
        order["timeline"]["pageInfo"] = page["pageInfo"].take();
        if let (Value::Array(edges), Value::Array(more)) = (&mut order["timeline"]["edges"], page["edges"].take()) {
            edges.extend(more);
        }
    }
    Ok(order)
}

/// An order as it is shown.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderView {
    id: String,
    #[serde(flatten)]
    standing: Standing,
    workflow: Workflow,
    customer: Customer,
    currency: String,
    total: Value,
    placed_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    result: Option<Value>,
    #[serde(default)]
    result_error: Option<String>,
    #[serde(rename = "steps")]
    all_steps: Vec<Step>,
    timeline: views::Page,
}

#[derive(Debug, Deserialize)]
struct Workflow {
    name: String,
    version: i32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Customer {
    id: String,
    name: Option<String>,
    /// The key of the personal data is missing, and they were not erased.
    #[serde(default)]
    key_missing: bool,
    #[serde(default)]
    erased_at: Option<DateTime<Utc>>,
}

impl Customer {
    fn render(&self) -> String {
        match (&self.name, self.key_missing, self.erased_at) {
            (Some(name), ..) => format!("{}, {name}", self.id),
            (None, true, _) => format!("{} (the key of the personal data is missing: tenuto keys import)", self.id),
            (None, false, Some(at)) => format!("{} (personal data erased at {})", self.id, moment::render(at)),
            (None, false, None) => self.id.clone(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    id: String,
    participant: Option<String>,
    action: Option<String>,
    mode: String,
    status: String,
    outcome: Option<String>,
    attempts: i32,
    last_error: Option<String>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    next_attempt_at: Option<DateTime<Utc>>,
}

impl OrderView {
    /// `now`: the end of the times of an order that has not ended.
    fn render(&self, parked: &[ParkedEvent], palette: Palette, width: Option<usize>, now: DateTime<Utc>) -> String {
        let entries: Vec<Entry> = self.timeline.entries().cloned().collect();
        let spent = spent::of(&entries, self.ended_at.unwrap_or(now));
        format!(
            "{}\n{}\n{}\n{}\n{}",
            self.head(parked, palette),
            timeline::table(&entries, palette, width),
            palette.paint(Tint::Bold, "Steps"),
            self.steps(palette),
            spent::chart(&spent, palette, width)
        )
    }

    fn head(&self, parked: &[ParkedEvent], palette: Palette) -> String {
        let Standing { status, state, stuck_reason, .. } = &self.standing;
        let state = palette.paint(state_tint(*state), state.as_str());
        let title = format!("Order {} is {}", printable(&self.id), printable(status));
        let mut head = format!("{} ({state})\n", palette.paint(Tint::Bold, &title));
        let total = self.total.as_str().map_or_else(|| self.total.to_string(), str::to_owned);
        let lived = |until| duration::render(duration::between(self.placed_at, until));
        let (last, at) = self.ended_at.map_or(("updated", self.updated_at), |at| ("ended", at));
        let mut facts = vec![
            ("workflow", format!("{} {}", self.workflow.name, self.workflow.version)),
            ("customer", self.customer.render()),
            ("total", format!("{total} {}", self.currency)),
            ("placed", moment::render(self.placed_at)),
            (last, format!("{}, {} later", moment::render(at), lived(at))),
        ];
        facts.extend(stuck_reason.clone().map(|reason| ("stuck", reason)));
        facts.extend(self.result.as_ref().map(|result| ("result", result.to_string())));
        facts.extend(self.result_error.as_ref().map(|error| ("result", format!("has no value: {error}"))));
        facts.extend(parked.first().map(|first| ("parked", set_aside(first, parked.len()))));
        for (name, fact) in facts {
            let name = format!("{name:<8}");
            // Writing to a string cannot fail.
            let _ = writeln!(head, "  {}  {}", palette.paint(Tint::Dim, &name), printable(&fact));
        }
        head
    }

    fn steps(&self, palette: Palette) -> String {
        let mut table = Table::new([
            ("STEP", Side::Left),
            ("ACTION", Side::Left),
            ("STATUS", Side::Left),
            ("OUTCOME", Side::Left),
            ("ATTEMPTS", Side::Right),
            ("TOOK", Side::Right),
            ("LAST ERROR", Side::Left),
        ]);
        for step in &self.all_steps {
            table.row([
                (step.id.clone(), Tint::Plain),
                (step.called(), Tint::Dim),
                (step.status.clone(), status_tint(&step.status)),
                (step.outcome.clone().unwrap_or_default(), Tint::Plain),
                (step.tries(), Tint::Plain),
                (step.took(), Tint::Plain),
                (step.trouble(), Tint::Dim),
            ]);
        }
        table.render(palette)
    }
}

impl Step {
    /// The step's call: the participant and the action, or none.
    fn called(&self) -> String {
        match self.mode.as_str() {
            "WAIT" => return "(time passes)".to_owned(),
            "AWAIT" => return "(a person answers)".to_owned(),
            _ => {}
        }
        let parts: Vec<&str> = [&self.participant, &self.action].into_iter().flatten().map(String::as_str).collect();
        parts.join(".")
    }

    /// The number of attempts.
    fn tries(&self) -> String {
        let nobody_is = matches!(self.mode.as_str(), "WAIT" | "AWAIT");
        if nobody_is { String::new() } else { self.attempts.to_string() }
    }

    fn took(&self) -> String {
        match (self.started_at, self.ended_at) {
            (Some(started), Some(ended)) => duration::render(duration::between(started, ended)),
            _ => String::new(),
        }
    }

    fn trouble(&self) -> String {
        let next = self.next_attempt_at.map(|at| format!("next attempt at {}", moment::render(at)));
        let parts: Vec<String> = self.last_error.iter().cloned().chain(next).collect();
        parts.join("; ")
    }
}

pub(crate) fn state_tint(state: State) -> Tint {
    match state {
        State::Completed => Tint::Good,
        State::Stuck => Tint::Bad,
        State::Compensating | State::Paused => Tint::Uneasy,
        State::Running | State::Waiting | State::Canceled | State::Unknown => Tint::Plain,
    }
}

fn status_tint(status: &str) -> Tint {
    match status {
        "COMPLETED" => Tint::Good,
        "RETRYING" | "COMPENSATING" => Tint::Uneasy,
        "FAILED" | "STUCK" => Tint::Bad,
        "PENDING" | "SKIPPED" => Tint::Dim,
        _ => Tint::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stub::Stub;
    use crate::timeline::tests::story;

    fn at(millis: i64) -> DateTime<Utc> {
        crate::timeline::tests::entry(0, millis, "", None, "").recorded_at
    }

    fn order() -> Value {
        let edges: Vec<Value> = story().iter().take(3).map(|entry| json!({ "node": entry })).collect();
        json!({
            "id": "10248", "status": "Placed", "state": "STUCK", "revision": 4, "stuckReason": "undo of charge: failed for good: 500",
            "workflow": { "name": "order-fulfilment", "version": 1 },
            "customer": { "id": "VINET", "name": "Vins et alcools Chevalier" },
            "currency": "EUR", "total": "440.00",
            "placedAt": "2025-06-15T15:06:40Z", "updatedAt": "2025-06-15T15:07:45.012Z", "endedAt": null, "result": null,
            "steps": [
                { "id": "create-order", "participant": "orders", "action": "create", "mode": "CALL", "status": "COMPLETED",
                  "outcome": "done", "attempts": 1, "lastError": null, "startedAt": "2025-06-15T15:06:40.001Z",
                  "endedAt": "2025-06-15T15:06:40.004Z", "nextAttemptAt": null },
                { "id": "charge", "participant": "payments", "action": "charge", "mode": "CALL", "status": "RETRYING",
                  "outcome": null, "attempts": 12, "lastError": "503", "startedAt": "2025-06-15T15:06:40.005Z",
                  "endedAt": null, "nextAttemptAt": "2025-06-15T15:08:00Z" },
                { "id": "cool-down", "participant": null, "action": null, "mode": "WAIT", "status": "COMPLETED",
                  "outcome": "elapsed", "attempts": 0, "lastError": null, "startedAt": "2025-06-15T15:06:40Z",
                  "endedAt": "2025-06-15T15:06:41Z", "nextAttemptAt": null },
                { "id": "approve", "participant": null, "action": null, "mode": "AWAIT", "status": "WAITING",
                  "outcome": null, "attempts": 0, "lastError": null, "startedAt": "2025-06-15T15:06:40Z",
                  "endedAt": null, "nextAttemptAt": null },
                { "id": "ship", "participant": null, "action": null, "mode": "CALL", "status": "PENDING",
                  "outcome": null, "attempts": 0, "lastError": null, "startedAt": null, "endedAt": null, "nextAttemptAt": null },
            ],
            "timeline": { "edges": edges, "pageInfo": { "hasNextPage": false, "endCursor": "c2" } },
        })
    }

    #[test]
    fn an_order_is_shown_with_its_head_timeline_and_steps() {
        let golden = "\
Order 10248 is Placed (STUCK)
  workflow  order-fulfilment 1
  customer  VINET, Vins et alcools Chevalier
  total     440.00 EUR
  placed    2025-06-15 15:06:40.000 UTC
  updated   2025-06-15 15:07:45.012 UTC, 1 m 05 s later
  stuck     undo of charge: failed for good: 500

       AT     AFTER   WHAT HAPPENED
  0.000 s  +0.000 s   Placed by customer VINET: 3 lines, 440.00 EUR
  0.003 s  +0.003 s   create-order: orders is asked to create
  0.002 s  +0.000 s   create-order: done

Steps
  STEP          ACTION              STATUS     OUTCOME  ATTEMPTS     TOOK  LAST ERROR
  create-order  orders.create       COMPLETED  done            1  0.003 s
  charge        payments.charge     RETRYING                  12           503; next attempt at 2025-06-15 15:08:00.000 UTC
  cool-down     (time passes)       COMPLETED  elapsed            1.000 s
  approve       (a person answers)  WAITING
  ship                              PENDING                    0

Where the time went
  create-order                                              0.000 s    0 %
  █ waiting for a participant; of 1 m 40 s in all
";
        assert_eq!(OrderView::deserialize(order()).unwrap().render(&[], Palette::NONE, None, at(100_000)), golden);
    }

    #[test]
    fn a_result_that_failed_is_shown_with_its_reason() {
        let mut order = order();
        order["resultError"] = json!("no such key: tracking");
        let text = OrderView::deserialize(order).unwrap().render(&[], Palette::NONE, None, at(100_000));
        assert!(text.contains("  result    has no value: no such key: tracking\n"), "{text}");
    }

    #[tokio::test]
    async fn all_pages_of_a_timeline_come_together() {
        let stub = Stub::start().await;
        let mut first = order();
        first["timeline"]["pageInfo"]["hasNextPage"] = true.into();
        stub.answers([json!({ "data": { "order": order() } })]);
        let whole = whole_order(&stub.client(), "10248", first).await.unwrap();
        assert_eq!(whole["timeline"]["edges"].as_array().unwrap().len(), 6);
        assert_eq!(whole["timeline"]["pageInfo"]["hasNextPage"], false);
        assert_eq!(stub.queries()[0]["variables"]["after"], "c2");
    }

    #[test]
    fn an_order_whose_key_is_missing_is_shown_with_that_instead_of_a_name() {
        let mut order = order();
        order["customer"] = json!({ "id": "VINET", "name": null, "keyMissing": true });
        let shown = OrderView::deserialize(order).unwrap().render(&[], Palette::NONE, None, at(0));
        assert!(shown.contains("VINET (the key of the personal data is missing: tenuto keys import)"), "{shown}");
    }

    #[tokio::test]
    async fn an_order_that_only_the_log_has_is_not_called_unknown() {
        let stub = Stub::start().await;
        stub.answers([json!({ "data": { "order": null, "log": { "revision": 0 }, "parkedEvents": [] } })]);
        assert_eq!(run(of(&stub)).await.unwrap(), ExitCode::from(NOT_SHOWN));
        assert_eq!(stub.queries().len(), 1);
    }

    fn of(stub: &Stub) -> ShowArgs {
        ShowArgs { order: "10248".to_owned(), server: ServerArgs::of(&stub.base), json: false }
    }

    /// The answer while the log is down.
    fn without_log(order: &Value) -> Value {
        let error =
            json!({ "message": "the log is unavailable", "path": ["log"], "extensions": { "code": "UNAVAILABLE" } });
        json!({ "data": { "order": order, "log": null, "parkedEvents": [] }, "errors": [error] })
    }

    #[tokio::test]
    async fn an_order_is_shown_without_the_log_and_one_that_the_views_do_not_have_is_not_called_unknown_then() {
        let stub = Stub::start().await;
        stub.answers([without_log(&order())]);
        assert_eq!(run(of(&stub)).await.unwrap(), ExitCode::SUCCESS);
        stub.answers([without_log(&Value::Null)]);
        let error = run(of(&stub)).await.unwrap_err().to_string();
        assert!(error.contains("the log is unavailable"), "{error}");
        assert_eq!(stub.queries().len(), 2, "a log that is away is no reason to ask again");
    }

    fn parked(revision: i64) -> ParkedEvent {
        ParkedEvent {
            revision,
            kind: "OrderDanced".to_owned(),
            reason: "unknown event type \"OrderDanced\"".to_owned(),
        }
    }

    #[test]
    fn what_could_not_be_projected_is_shown_with_the_reason_and_the_remedy() {
        let view = OrderView::deserialize(order()).unwrap();
        let shown = view.render(&[parked(5), parked(6)], Palette::NONE, None, at(0));
        let expected = "  parked    2 events of it are set aside, the first at revision 5 (OrderDanced): unknown event type \
                        \"OrderDanced\". Once that is corrected, run tenuto projector retry\n";
        assert!(shown.contains(expected), "{shown}");
        assert!(!view.render(&[], Palette::NONE, None, at(0)).contains("parked"));
    }

    #[tokio::test]
    async fn an_order_whose_first_event_could_not_be_projected_is_neither_unknown_nor_behind() {
        let stub = Stub::start().await;
        stub.answers([json!({ "data": { "order": null, "log": null, "parkedEvents": [parked(0)] } })]);
        assert_eq!(run(of(&stub)).await.unwrap(), ExitCode::from(NOT_SHOWN));
        assert!(set_aside(&parked(0), 1).starts_with("1 event of it is set aside, the first at revision 0"));
    }

    #[test]
    fn an_order_that_is_held_is_shown_with_the_mistake_and_the_step_that_failed() {
        let mut held = order();
        held["stuckReason"] = json!("payments.charge is held for an operator: 401 Unauthorized: the key has expired");
        held["steps"][1]["status"] = json!("STUCK");
        held["steps"][1]["lastError"] = json!("401 Unauthorized: the key has expired");
        held["steps"][1]["nextAttemptAt"] = Value::Null;
        let shown = OrderView::deserialize(held).unwrap().render(&[], Palette::NONE, None, at(0));
        assert!(shown.contains("Order 10248 is Placed (STUCK)\n"), "{shown}");
        assert!(
            shown.contains(
                "  stuck     payments.charge is held for an operator: 401 Unauthorized: the key has expired\n"
            ),
            "{shown}"
        );
        let step = shown.lines().find(|line| line.starts_with("  charge")).unwrap();
        assert!(step.contains("STUCK") && step.ends_with("401 Unauthorized: the key has expired"), "{step}");
    }

    #[tokio::test]
    async fn a_known_order_is_0_and_an_unknown_one_1() {
        let stub = Stub::start().await;
        stub.order("10248", order());
        let args = |order: &str, json| ShowArgs { order: order.to_owned(), server: ServerArgs::of(&stub.base), json };
        assert_eq!(run(args("10248", false)).await.unwrap(), ExitCode::SUCCESS);
        assert_eq!(run(args("10248", true)).await.unwrap(), ExitCode::SUCCESS);
        assert_eq!(run(args("10249", false)).await.unwrap(), ExitCode::from(1));
    }
}
