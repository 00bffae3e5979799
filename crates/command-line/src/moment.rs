//! Times, as people write them.

use chrono::{DateTime, NaiveDate, Utc};

/// Reads a time. A day stands for its beginning, in UTC.
pub fn parse(text: &str) -> Option<DateTime<Utc>> {
    let day = || Some(text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0)?.and_utc());
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc)).or_else(day)
}

/// Writes a time for people: to the millisecond, in UTC.
pub fn render(at: DateTime<Utc>) -> String {
    at.format("%F %T%.3f UTC").to_string()
}
