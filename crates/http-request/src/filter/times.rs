//! Time ranges in a filter.

use chrono::{DateTime, Datelike, Utc};
use domain::Timestamp;
use domain::filter::TimeRange;

use super::values::range;
use crate::fields::Fields;

/// A time range.
pub(super) fn span(fields: &mut Fields, name: &str, at: &str) -> TimeRange {
    range(fields, name, at, ["from", "to"], |bounds| TimeRange {
        from: moment(bounds, "from"),
        to: moment(bounds, "to"),
    })
}

fn moment(bounds: &mut Fields, name: &str) -> Option<Timestamp> {
    let text = bounds.text(name, |text| {
        let wrong = || format!("must be a moment like \"2026-01-31T09:00:00Z\", found {text:?}");
        read(text).is_none().then(wrong)
    })?;
    read(&text)
}

/// A moment of a year that the views can compare with.
fn read(text: &str) -> Option<Timestamp> {
    let moment = DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc);
    (moment.year() > 0).then_some(moment)
}
