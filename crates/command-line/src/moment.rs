//! Moments, as people write them.

use chrono::{DateTime, NaiveDate, Utc};

/// A moment, or a day for the moment at which it begins, in UTC.
pub fn parse(text: &str) -> Option<DateTime<Utc>> {
    let day = || Some(text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0)?.and_utc());
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc)).or_else(day)
}

/// A moment for people: to the millisecond, in UTC.
pub fn render(at: DateTime<Utc>) -> String {
    at.format("%F %T%.3f UTC").to_string()
}
