//! A timeline as a table for spreadsheets: RFC 4180, in UTF-8.
//!
//! A spreadsheet treats a text as a formula if it begins with certain characters, in quotes or not,
//! and a formula can read files and call servers. Texts by people and services get an apostrophe in
//! front if they begin with one of these characters.

use std::borrow::Cow;

use command_line::output::printable_lines;
use csv::{Terminator, WriterBuilder};

use super::entry::Entry;
use crate::error::AuditError;

const HEADER: [&str; 15] = [
    "revision",
    "recorded_at",
    "since_previous_ms",
    "type",
    "summary",
    "step",
    "actor",
    "reason",
    "data",
    "event_id",
    "position",
    "correlation_id",
    "causation_id",
    "hash",
    "approved_by",
];

/// Characters that may begin a formula.
const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

pub(super) fn table(entries: &[Entry]) -> Result<String, AuditError> {
    let header = HEADER.map(str::to_owned);
    written(std::iter::once(header).chain(entries.iter().map(row)))
}

/// Numbers, ids and times come from Tenuto, and cannot begin a harmful formula.
fn row(entry: &Entry) -> [String; 15] {
    let guarded = |value: &str| printable_lines(&guarded(value)).into_owned();
    let optional = |value: &Option<String>| guarded(value.as_deref().unwrap_or_default());
    [
        entry.revision.to_string(),
        entry.recorded_at.format("%FT%T%.6fZ").to_string(),
        entry.since_previous_ms.to_string(),
        guarded(&entry.event_type),
        guarded(&entry.summary),
        optional(&entry.step),
        optional(&entry.actor),
        optional(&entry.reason),
        guarded(&entry.data.to_string()),
        entry.event_id.to_string(),
        entry.position.to_string(),
        optional(&entry.correlation_id),
        entry.causation_id.map(|id| id.to_string()).unwrap_or_default(),
        optional(&entry.hash),
        optional(&entry.approved_by),
    ]
}

fn written<const N: usize>(rows: impl IntoIterator<Item = [String; N]>) -> Result<String, AuditError> {
    let broken = |error: String| AuditError::Broken(error);
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(|error| broken(error.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|error| broken(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| broken(error.to_string()))
}

/// A text from outside, changed so that no spreadsheet treats it as a formula.
fn guarded(value: &str) -> Cow<'_, str> {
    if value.trim_start_matches([' ', '\n']).starts_with(FORMULA) {
        Cow::Owned(format!("'{value}"))
    } else {
        Cow::Borrowed(value)
    }
}

#[cfg(test)]
mod tests {
    use super::{guarded, written};

    fn cell(value: &str) -> String {
        let row = written([["1".to_owned(), guarded(value).into_owned()]]).unwrap();
        row.strip_prefix("1,").and_then(|row| row.strip_suffix("\r\n")).unwrap().to_owned()
    }

    #[test]
    fn cells_are_quoted_as_rfc_4180_requires() {
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("say \"hi\"\r\n"), "\"say \"\"hi\"\"\r\n\"");
        assert_eq!(cell(""), "");
    }

    #[test]
    fn no_cell_begins_like_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1", "＝1"] {
            let cell = cell(formula);
            assert!(cell.trim_start_matches('"').starts_with('\''), "{cell:?}");
        }
        assert_eq!(cell("=HYPERLINK(\"http://x\")"), "\"'=HYPERLINK(\"\"http://x\"\")\"");
        assert_eq!(cell("charge: done"), "charge: done");
    }
}
