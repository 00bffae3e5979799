//! Durations as people write them, in workflow files and on the command line: digits and a unit.

use std::time::Duration;

/// The longest duration that is accepted anywhere. No one waits for longer than a year, and a year
/// can be added to any clock.
pub const MAX: Duration = Duration::from_hours(366 * 24);

/// Reads `200ms`, `5s`, `10m`, `12h` or `3d`. `None`: the text is not a duration. The result can be
/// longer than [`MAX`], and zero.
pub fn parse(text: &str) -> Option<Duration> {
    let unit = text.find(|character: char| !character.is_ascii_digit())?;
    let (digits, unit) = text.split_at(unit);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => return None,
    };
    if digits.is_empty() {
        return None;
    }
    // A number that does not fit is too long in any case.
    let count = digits.parse::<u64>().unwrap_or(u64::MAX);
    Some(Duration::from_millis(count.saturating_mul(milliseconds)))
}

/// Writes a duration so that [`parse`] reads it, in the largest unit without a fraction.
pub fn written(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [("d", 24 * 60 * 60 * 1000), ("h", 60 * 60 * 1000), ("m", 60 * 1000), ("s", 1000)];
    let whole = units.into_iter().find(|(_, unit)| millis >= *unit && millis.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{millis}ms"), |(name, unit)| format!("{}{name}", millis / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_digits_and_a_unit() {
        for (text, millis) in
            [("0s", 0), ("200ms", 200), ("5s", 5_000), ("10m", 600_000), ("12h", 43_200_000), ("3d", 259_200_000)]
        {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "1.5h", "-1s", "5 s", "2w", "5S", "1h30m"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_duration_is_written_as_it_is_read() {
        for text in ["0ms", "200ms", "1001ms", "5s", "90s", "10m", "12h", "3d"] {
            assert_eq!(written(parse(text).unwrap()), text);
        }
        assert_eq!(written(Duration::from_hours(48)), "2d");
    }

    #[test]
    fn a_number_of_any_length_is_a_duration_that_is_too_long() {
        for text in ["367d", "99999999999999999999999h", "18446744073709551615d"] {
            assert!(parse(text).is_some_and(|duration| duration > MAX), "{text}");
        }
    }
}
