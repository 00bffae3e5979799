//! `tenuto ends`: how many orders of each workflow ended, and how long they took.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;

use super::print::{LastArgs, ListArgs, time};
use crate::CommandError;
use command_line::output::{Palette, Tint};
use command_line::table::{Side, Table};

/// Options of `tenuto ends`.
#[derive(Debug, Args)]
pub struct EndsArgs {
    #[command(flatten)]
    last: LastArgs,
    #[command(flatten)]
    list: ListArgs,
}

const QUERY: &str = "query($from: DateTime!, $to: DateTime!) { ends(from: $from, to: $to) {
    truncated byWorkflow { workflow count canceled p50Seconds p95Seconds }
} }";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ends {
    truncated: bool,
    by_workflow: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    workflow: String,
    count: i64,
    canceled: i64,
    p50_seconds: f64,
    p95_seconds: f64,
}

pub(super) async fn print(args: EndsArgs) -> Result<ExitCode, CommandError> {
    args.list.print("ends", QUERY, &args.last.variables(), render).await
}

fn render(ends: &Ends, palette: Palette) -> String {
    if ends.by_workflow.is_empty() {
        return "No order ended in this time\n".to_owned();
    }
    let mut table = Table::new([
        ("WORKFLOW", Side::Left),
        ("ENDED", Side::Right),
        ("CANCELED", Side::Right),
        ("P50", Side::Right),
        ("P95", Side::Right),
    ]);
    for row in &ends.by_workflow {
        table.row([
            (row.workflow.clone(), Tint::Bold),
            (row.count.to_string(), Tint::Plain),
            (row.canceled.to_string(), if row.canceled == 0 { Tint::Dim } else { Tint::Uneasy }),
            (time(row.p50_seconds), Tint::Plain),
            (time(row.p95_seconds), Tint::Plain),
        ]);
    }
    let more = if ends.truncated { "  of the latest 200,000 orders that ended in this time\n" } else { "" };
    format!("{}{more}", table.render(palette))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_workflow_is_a_line_with_how_many_orders_ended_and_how_long_they_took() {
        let ends = json!({ "truncated": true, "byWorkflow": [
            { "workflow": "fulfil", "count": 1200, "canceled": 7, "p50Seconds": 0.42, "p95Seconds": 4000.0 },
        ] });
        let shown = render(&serde_json::from_value(ends).unwrap(), Palette::NONE);
        let expected = "  WORKFLOW  ENDED  CANCELED      P50       P95
  fulfil     1200         7  0.420 s  1 h 06 m
  of the latest 200,000 orders that ended in this time
";
        assert_eq!(shown, expected);
    }
}
