//! `tenuto calls`: how participants answered.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;

use super::print::{LastArgs, ListArgs, time};
use crate::CommandError;
use command_line::output::{Palette, Tint};
use command_line::table::{Side, Table};

/// Options of `tenuto calls`.
#[derive(Debug, Args)]
pub struct CallsArgs {
    #[command(flatten)]
    last: LastArgs,
    #[command(flatten)]
    list: ListArgs,
}

const QUERY: &str = "query($from: DateTime!, $to: DateTime!) { calls(from: $from, to: $to) {
    truncated nodes { participant step action count failed p50Seconds p95Seconds p99Seconds }
} }";

#[derive(Debug, Deserialize)]
struct Calls {
    truncated: bool,
    nodes: Vec<StepCalls>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StepCalls {
    participant: String,
    step: String,
    action: String,
    count: i64,
    failed: i64,
    p50_seconds: f64,
    p95_seconds: f64,
    p99_seconds: f64,
}

pub(super) async fn print(args: CallsArgs) -> Result<ExitCode, CommandError> {
    args.list.print("calls", QUERY, &args.last.variables(), render).await
}

fn render(calls: &Calls, palette: Palette) -> String {
    if calls.nodes.is_empty() {
        return "No call to a participant ended in this time\n".to_owned();
    }
    let mut table = Table::new([
        ("PARTICIPANT", Side::Left),
        ("STEP", Side::Left),
        ("ACTION", Side::Left),
        ("CALLS", Side::Right),
        ("FAILED", Side::Right),
        ("P50", Side::Right),
        ("P95", Side::Right),
        ("P99", Side::Right),
    ]);
    for row in &calls.nodes {
        table.row([
            (row.participant.clone(), Tint::Bold),
            (row.step.clone(), Tint::Plain),
            (row.action.clone(), Tint::Plain),
            (row.count.to_string(), Tint::Plain),
            (row.failed.to_string(), if row.failed == 0 { Tint::Dim } else { Tint::Bad }),
            (time(row.p50_seconds), Tint::Plain),
            (time(row.p95_seconds), Tint::Plain),
            (time(row.p99_seconds), Tint::Plain),
        ]);
    }
    let more = if calls.truncated { "  of the latest 200,000 calls that ended in this time\n" } else { "" };
    format!("{}{more}", table.render(palette))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_step_of_a_participant_is_a_line_with_its_calls_and_how_long_they_took() {
        let calls = json!({ "truncated": false, "nodes": [
            { "participant": "payments", "step": "charge", "action": "charge", "count": 40, "failed": 2,
              "p50Seconds": 0.012, "p95Seconds": 0.25, "p99Seconds": 5.0 },
            { "participant": "shipping", "step": "ship", "action": "ship", "count": 1, "failed": 0,
              "p50Seconds": 0.007, "p95Seconds": 0.007, "p99Seconds": 0.007 },
        ] });
        let shown = render(&serde_json::from_value(calls).unwrap(), Palette::NONE);
        let expected = "  PARTICIPANT  STEP    ACTION  CALLS  FAILED      P50      P95      P99
  payments     charge  charge     40       2  0.012 s  0.250 s  5.000 s
  shipping     ship    ship        1       0  0.007 s  0.007 s  0.007 s
";
        assert_eq!(shown, expected);
    }
}
