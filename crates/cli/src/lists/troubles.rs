//! `tenuto troubles`: the orders that are stuck or late, by their cause.

use std::fmt::Write;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::print::ListArgs;
use crate::CommandError;
use command_line::moment;
use command_line::output::{Palette, Tint, printable};

/// Options of `tenuto troubles`.
#[derive(Debug, Args)]
pub struct TroublesArgs {
    #[command(flatten)]
    list: ListArgs,
}

const QUERY: &str = "{ troubles { truncated nodes {
    kind workflow version step participant stepStatus error example count firstSeen lastSeen samples filter
    repair { operation step undo outcomes } notes { text actor recordedAt count orderId }
} } }";

#[derive(Debug, Deserialize)]
struct Troubles {
    truncated: bool,
    nodes: Vec<Trouble>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trouble {
    kind: String,
    workflow: String,
    version: i32,
    step: Option<String>,
    participant: Option<String>,
    error: Option<String>,
    count: i64,
    first_seen: DateTime<Utc>,
    last_seen: DateTime<Utc>,
    samples: Vec<String>,
    repair: Option<Repair>,
    notes: Vec<Note>,
}

#[derive(Debug, Deserialize)]
struct Repair {
    operation: String,
    step: Option<String>,
    undo: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Note {
    text: String,
    actor: String,
    recorded_at: DateTime<Utc>,
    count: i64,
    order_id: String,
}

pub(super) async fn print(args: TroublesArgs) -> Result<ExitCode, CommandError> {
    args.list.print("troubles", QUERY, &Value::Null, render).await
}

fn render(troubles: &Troubles, palette: Palette) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for trouble in &troubles.nodes {
        let Trouble { kind, workflow, version, count, .. } = trouble;
        let orders = if *count == 1 { "1 order".to_owned() } else { format!("{count} orders") };
        let title = printable(&format!("{orders} {kind}: {workflow} {version}{}", trouble.place())).into_owned();
        let _ = writeln!(text, "{}", palette.paint(Tint::Bold, &title));
        let since = format!("{} to {}", moment::render(trouble.first_seen), moment::render(trouble.last_seen));
        let facts = [
            ("error", trouble.error.clone()),
            ("since", Some(since)),
            ("orders", Some(trouble.samples.join(", "))),
            ("repair", trouble.repair.as_ref().map(Repair::in_words)),
        ];
        let notes = trouble.notes.iter().map(|note| ("note", Some(note.in_words())));
        for (name, fact) in facts.into_iter().chain(notes).filter_map(|(name, fact)| Some((name, fact?))) {
            let _ = writeln!(text, "  {}  {}", palette.paint(Tint::Dim, &format!("{name:<6}")), printable(&fact));
        }
    }
    if troubles.nodes.is_empty() {
        "No order is stuck or late\n".clone_into(&mut text);
    }
    if troubles.truncated {
        text.push_str("There are more than are listed, and counts may be too low\n");
    }
    text
}

impl Trouble {
    fn place(&self) -> String {
        let at = self.step.as_ref().map(|step| format!(", step {step}"));
        let of = self.participant.as_ref().map(|participant| format!(" of {participant}"));
        [at, of].into_iter().flatten().collect()
    }
}

impl Note {
    fn in_words(&self) -> String {
        let Self { text, actor, recorded_at, count, order_id } = self;
        let on = if *count == 1 { format!("order {order_id}") } else { format!("{count} orders") };
        format!("{actor} on {on}, {}: {text}", moment::render(*recorded_at))
    }
}

impl Repair {
    fn in_words(&self) -> String {
        let operation = self.operation.to_lowercase();
        let step =
            self.step.as_ref().map(|step| format!(" the {}step {step}", if self.undo { "undo of " } else { "" }));
        format!("correct the cause, then {operation}{}", step.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_group_is_shown_with_its_cause_its_orders_and_a_repair() {
        let troubles = json!({ "truncated": false, "nodes": [
            { "kind": "STUCK", "workflow": "fulfil", "version": 2, "step": "charge", "participant": "payments",
              "stepStatus": "STUCK", "error": "401 Unauthorized: key …", "example": "401 Unauthorized: key \"a\"", "count": 200,
              "firstSeen": "2026-01-02T03:04:05Z", "lastSeen": "2026-01-02T04:04:05Z", "samples": ["1", "2"], "filter": {},
              "repair": { "operation": "RETRY", "step": "charge", "undo": false, "outcomes": [] },
              "notes": [{ "text": "the bank renews the key at 9", "actor": "ann", "recordedAt": "2026-01-02T05:04:05Z",
                          "count": 200, "orderId": "1" },
                        { "text": "she called twice", "actor": "bob", "recordedAt": "2026-01-02T04:04:05Z",
                          "count": 1, "orderId": "2" }] },
            { "kind": "LATE", "workflow": "fulfil", "version": 2, "step": null, "participant": null, "stepStatus": null,
              "error": null, "example": null, "count": 1, "firstSeen": "2026-01-02T03:04:05Z",
              "lastSeen": "2026-01-02T03:04:05Z", "samples": ["3"], "filter": {}, "repair": null, "notes": [] },
        ] });
        let shown = render(&serde_json::from_value(troubles).unwrap(), Palette::NONE);
        let expected = "200 orders STUCK: fulfil 2, step charge of payments
  error   401 Unauthorized: key …
  since   2026-01-02 03:04:05.000 UTC to 2026-01-02 04:04:05.000 UTC
  orders  1, 2
  repair  correct the cause, then retry the step charge
  note    ann on 200 orders, 2026-01-02 05:04:05.000 UTC: the bank renews the key at 9
  note    bob on order 2, 2026-01-02 04:04:05.000 UTC: she called twice
1 order LATE: fulfil 2
  since   2026-01-02 03:04:05.000 UTC to 2026-01-02 03:04:05.000 UTC
  orders  3
";
        assert_eq!(shown, expected);
        let none = serde_json::from_value(json!({ "truncated": false, "nodes": [] })).unwrap();
        assert_eq!(render(&none, Palette::NONE), "No order is stuck or late\n");
    }
}
