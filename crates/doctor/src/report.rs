//! The findings, as a table or as JSON.

use std::cmp::Reverse;

use command_line::output::{Palette, Tint};
use command_line::table::{Side, Table};
use serde_json::{Value, json};

use crate::finding::{Finding, Level};

/// The findings, the worst first.
pub struct Report(Vec<Finding>);

impl Report {
    /// Of these findings. Two roles may have the same ones.
    pub fn new(findings: Vec<Finding>) -> Self {
        let mut distinct: Vec<Finding> = Vec::new();
        for finding in findings {
            if !distinct.contains(&finding) {
                distinct.push(finding);
            }
        }
        distinct.sort_by_key(|finding| Reverse(finding.level));
        Self(distinct)
    }

    pub fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|finding| finding.level == level).count()
    }

    /// As a table, with a sum.
    pub fn table(&self, palette: Palette) -> String {
        let mut table = Table::new([("RESULT", Side::Left), ("CHECKED", Side::Left), ("DETAIL", Side::Left)]);
        for Finding { about, level, detail } in &self.0 {
            let tint = match level {
                Level::Ok => Tint::Good,
                Level::Warning => Tint::Uneasy,
                Level::Fault => Tint::Bad,
            };
            let one_line = detail.split_whitespace().collect::<Vec<_>>().join(" ");
            table.row([(level.name().to_owned(), tint), (about.clone(), Tint::Bold), (one_line, Tint::Plain)]);
        }
        let counted = |level: Level| {
            let count = self.count(level);
            format!("{count} {}{}", level.name(), if count == 1 { "" } else { "s" })
        };
        format!("{}\n{}, {}\n", table.render(palette), counted(Level::Fault), counted(Level::Warning))
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let findings = self.0.iter().map(
            |Finding { about, level, detail }| json!({ "checked": about, "result": level.name(), "detail": detail }),
        );
        let (faults, warnings) = (self.count(Level::Fault), self.count(Level::Warning));
        json!({ "faults": faults, "warnings": warnings, "findings": findings.collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_first_and_each_finding_is_one_line() {
        let findings = vec![
            Finding::ok("Postgres", "18.1"),
            Finding::warning("clock", "2 s\nahead"),
            Finding::fault("log", "refused; start it"),
            Finding::ok("Postgres", "18.1"),
        ];
        let report = Report::new(findings);
        let lines = [
            "  RESULT   CHECKED   DETAIL",
            "  fault    log       refused; start it",
            "  warning  clock     2 s ahead",
            "  ok       Postgres  18.1",
            "",
            "1 fault, 1 warning\n",
        ];
        assert_eq!(report.table(Palette::NONE), lines.join("\n"));
        assert_eq!(report.json()["findings"][0]["checked"], "log");
        assert_eq!(report.json()["faults"], 1);
    }
}
