//! Numbers as a JSON text has them, before a conversion to double changes them.

use std::ops::Range;

use serde_json::Number;

/// The numbers of a JSON text in their original form, in order.
///
/// It advances together with the parser, so it never reads beyond checked JSON.
pub(super) struct Numerals<'a> {
    rest: &'a str,
}

impl<'a> Numerals<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }
}

impl<'a> Iterator for Numerals<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let start = self.rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit())?;
            let found = &self.rest[start..];
            if let Some(string) = found.strip_prefix('"') {
                self.rest = after_string(string);
                continue;
            }
            let length = found.find(|c: char| !"+-.eE0123456789".contains(c)).unwrap_or(found.len());
            let (numeral, rest) = found.split_at(length);
            self.rest = rest;
            return Some(numeral);
        }
    }
}

/// The text after a string whose opening quote was read.
fn after_string(text: &str) -> &str {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    end.map_or("", |quote| &text[quote + 1..])
}

/// Whether a number is exactly the written one.
pub(super) fn is_exact(written: &str, number: &Number) -> bool {
    if number.is_f64() {
        // The shortest text of this double, as any later reader sees it.
        decimal(written).is_some_and(|written| Some(written) == decimal(&number.to_string()))
    } else {
        true
    }
}

/// The same text for equal numbers of any type.
pub(super) fn canonical(number: &Number) -> String {
    /// The doubles in the range of 64-bit integers, signed or unsigned.
    const INTEGERS: Range<f64> = -9_223_372_036_854_775_808.0..18_446_744_073_709_551_616.0;
    match number.as_f64() {
        // Adding zero makes a negative zero positive.
        Some(double) if number.is_f64() && double.fract() == 0.0 && INTEGERS.contains(&double) => {
            format!("{:.0}", double + 0.0)
        }
        _ => number.to_string(),
    }
}

/// Whether two numbers are equal by their decimal value, however they are held.
pub(super) fn are_equal(one: &Number, other: &Number) -> bool {
    let (one, other) = (one.to_string(), other.to_string());
    let is_zero = |parts: &Option<(String, i64)>| parts.as_ref().is_some_and(|(digits, _)| digits.is_empty());
    let (parts, others) = (decimal(&one), decimal(&other));
    parts.is_some() && parts == others && (is_zero(&parts) || one.starts_with('-') == other.starts_with('-'))
}

/// A numeral for a message, shortened to one line.
pub(super) fn shorten(numeral: &str) -> String {
    const MAX_CHARS: usize = 40;
    numeral.get(..MAX_CHARS).map_or_else(|| numeral.to_owned(), |start| format!("{start}…"))
}

/// The significant digits, and the power of ten of the last one. It ignores the sign, which every
/// double keeps. `None`: the exponent is out of range.
fn decimal(numeral: &str) -> Option<(String, i64)> {
    let unsigned = numeral.trim_start_matches('-');
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let dropped = digits.len() - significant.len();
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some((String::new(), 0));
    }
    let shift = i64::try_from(dropped).ok()? - i64::try_from(fraction.len()).ok()?;
    Some((significant.to_owned(), exponent.parse::<i64>().ok()?.checked_add(shift)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numerals_are_found_outside_strings_only() {
        let text = r#"{"a1":-1.5e+3,"b\"2":["3\\",4,{"c":"\\\"5"}],"d":6}"#;
        assert_eq!(Numerals::new(text).collect::<Vec<_>>(), ["-1.5e+3", "4", "6"]);
        assert_eq!(Numerals::new("7").collect::<Vec<_>>(), ["7"]);
        assert_eq!(Numerals::new("\"7").collect::<Vec<_>>(), [""; 0]);
    }

    #[test]
    fn equal_decimals_are_found_equal_however_they_are_written() {
        for (one, other) in
            [("1200", "1.2e3"), ("0.0012", "12E-4"), ("-0.0", "0e99999999999999999999"), ("100", "1e+2")]
        {
            assert_eq!(decimal(one), decimal(other), "{one} {other}");
        }
        assert_ne!(decimal("0.12"), decimal("0.012"));
        assert_ne!(decimal("12"), decimal("120"));
        assert_eq!(decimal("1e99999999999999999999"), None);
    }
}
