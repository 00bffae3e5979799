//! Durations, as people write and read them.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Reads `500ms`, `30s`, `10m`, `2h` or `3d`.
pub fn parse(text: &str) -> Result<Duration, String> {
    match domain::duration::parse(text) {
        Some(span) if span <= domain::duration::MAX => Ok(span),
        Some(_) => Err(format!("{text} is longer than a year")),
        None => Err(format!("{text:?} is not a span of time; write one like 500ms, 30s, 10m, 2h or 3d")),
    }
}

/// The time from one moment to a later one; zero if the later one seems to be earlier, because the
/// clocks of two machines differ.
pub fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    (to - from).to_std().unwrap_or_default()
}

/// Writes a duration in the units that fit its size, from milliseconds to days.
pub fn render(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..60 => format!("{seconds}.{:03} s", span.subsec_millis()),
        60..3_600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {:02} m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// The number of orders a second, if there are enough orders for a meaningful rate.
pub fn rate(orders: u64, time: Duration) -> String {
    if orders < 2 || time.is_zero() {
        return String::new();
    }
    #[expect(clippy::cast_precision_loss, reason = "it is rounded to a tenth")]
    let rate = orders as f64 / time.as_secs_f64();
    format!(" ({rate:.1} a second)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_unit() {
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse("10m"), Ok(Duration::from_mins(10)));
        assert_eq!(parse("2h"), Ok(Duration::from_hours(2)));
        assert_eq!(parse("3d"), Ok(Duration::from_hours(72)));
    }

    #[test]
    fn what_is_no_span_is_refused_in_words() {
        for text in ["", "10", "m", "1.5s", "-1s", "10 s", "10w", "99999999999999999999h", "9999999h"] {
            assert!(parse(text).unwrap_err().contains(text), "{text}");
        }
    }

    #[test]
    fn spans_are_written_as_coarsely_as_they_are_long() {
        let cases = [
            (7, "0.007 s"),
            (59_999, "59.999 s"),
            (61_000, "1 m 01 s"),
            (3_660_000, "1 h 01 m"),
            (90_000_000, "1 d 01 h"),
        ];
        for (millis, text) in cases {
            assert_eq!(render(Duration::from_millis(millis)), text);
        }
    }
}
