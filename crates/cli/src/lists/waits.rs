//! `tenuto waits`: the participants, and what waits for each.

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

/// Options of `tenuto waits`.
#[derive(Debug, Args)]
pub struct WaitsArgs {
    #[command(flatten)]
    list: ListArgs,
}

const QUERY: &str = "{ participants { truncated nodes {
    name workflows waiting overdue stuck waitingSince byStatus { status count }
} } }";

#[derive(Debug, Deserialize)]
struct Participants {
    truncated: bool,
    nodes: Vec<Participant>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Participant {
    name: String,
    workflows: Vec<String>,
    waiting: i64,
    overdue: i64,
    stuck: i64,
    waiting_since: Option<DateTime<Utc>>,
}

pub(super) async fn print(args: WaitsArgs) -> Result<ExitCode, CommandError> {
    args.list.print("participants", QUERY, &Value::Null, render).await
}

fn render(participants: &Participants, palette: Palette) -> String {
    if participants.nodes.is_empty() {
        return "No registered workflow names a participant\n".to_owned();
    }
    let mut table = Table::new([
        ("PARTICIPANT", Side::Left),
        ("WAITING", Side::Right),
        ("OVERDUE", Side::Right),
        ("STUCK", Side::Right),
        ("LONGEST SINCE", Side::Left),
        ("WORKFLOWS", Side::Left),
    ]);
    let count = |number: i64, tint: Tint| (number.to_string(), if number == 0 { Tint::Dim } else { tint });
    for participant in &participants.nodes {
        table.row([
            (participant.name.clone(), Tint::Bold),
            count(participant.waiting, Tint::Plain),
            count(participant.overdue, Tint::Uneasy),
            count(participant.stuck, Tint::Bad),
            (participant.waiting_since.map(moment::render).unwrap_or_default(), Tint::Dim),
            (participant.workflows.join(", "), Tint::Dim),
        ]);
    }
    let more =
        if participants.truncated { "  and more, which are not listed: the list has 500 participants\n" } else { "" };
    format!("{}{more}", table.render(palette))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_participant_has_a_line_with_what_waits_for_it() {
        let participants = json!({ "truncated": true, "nodes": [
            { "name": "shipping", "workflows": ["fulfil", "return"], "waiting": 12, "overdue": 1, "stuck": 0,
              "waitingSince": "2026-01-02T03:04:05Z", "byStatus": [] },
            { "name": "orders", "workflows": [], "waiting": 0, "overdue": 0, "stuck": 0, "waitingSince": null,
              "byStatus": [] },
        ] });
        let shown = render(&serde_json::from_value(participants).unwrap(), Palette::NONE);
        let expected = "  PARTICIPANT  WAITING  OVERDUE  STUCK  LONGEST SINCE                WORKFLOWS
  shipping          12        1      0  2026-01-02 03:04:05.000 UTC  fulfil, return
  orders             0        0      0
  and more, which are not listed: the list has 500 participants
";
        assert_eq!(shown, expected);
    }
}
