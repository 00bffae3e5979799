//! A timeline as a table for spreadsheets: RFC 4180, in UTF-8.
//!
//! Spreadsheets take a text for a formula by its first character, in quotes or not, and formulas reach files and servers. What
//! people and services have written here gets an apostrophe in front where it begins so.

use std::fmt::Display;

use super::entry::Entry;

const HEADER: &str = "revision,recorded_at,since_previous_ms,type,summary,step,actor,reason,data,event_id,position,correlation_id,causation_id,hash";

/// What a spreadsheet may take for the beginning of a formula.
const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

pub(super) fn table(entries: &[Entry]) -> String {
    let mut text = format!("{HEADER}\r\n");
    for entry in entries {
        let shown = |value: &Option<String>| value.clone().unwrap_or_default();
        let cells = [
            number(entry.revision),
            number(entry.recorded_at.format("%FT%T%.6fZ")),
            number(entry.since_previous_ms),
            cell(&entry.event_type),
            cell(&entry.summary),
            cell(&shown(&entry.step)),
            cell(&shown(&entry.actor)),
            cell(&shown(&entry.reason)),
            cell(&entry.data.to_string()),
            number(entry.event_id),
            number(entry.position),
            cell(&shown(&entry.correlation_id)),
            number(entry.causation_id.map(|id| id.to_string()).unwrap_or_default()),
            cell(&shown(&entry.hash)),
        ];
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

/// What is ours, and cannot hold anything that needs care.
fn number(value: impl Display) -> String {
    value.to_string()
}

/// What others have written.
fn cell(value: &str) -> String {
    let guard = if value.trim_start_matches([' ', '\n']).starts_with(FORMULA) { "'" } else { "" };
    if value.contains([',', '"', '\r', '\n']) {
        format!("\"{guard}{}\"", value.replace('"', "\"\""))
    } else {
        format!("{guard}{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn cells_are_quoted_as_rfc_4180_asks() {
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("say \"hi\"\r\n"), "\"say \"\"hi\"\"\r\n\"");
        assert_eq!(cell(""), "");
    }

    #[test]
    fn no_cell_begins_as_a_formula_does() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1", "＝1"] {
            let cell = cell(formula);
            assert!(cell.trim_start_matches('"').starts_with('\''), "{cell:?}");
        }
        assert_eq!(cell("=HYPERLINK(\"http://x\")"), "\"'=HYPERLINK(\"\"http://x\"\")\"");
        assert_eq!(cell("charge: done"), "charge: done");
    }
}
