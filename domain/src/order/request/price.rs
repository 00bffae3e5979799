//! Amounts of money: decimal strings, so that no reader makes a binary fraction of them.

use rust_decimal::Decimal;
use serde_json::Value;

use super::reader::{Checked, Node, Report, quote};

/// With these two, the total of the most and largest lines is exact in a [`Decimal`].
const MAX_WHOLE_DIGITS: usize = 15;
const MAX_FRACTION_DIGITS: usize = 4;

/// The price of one piece.
pub(super) fn price(node: Node, report: &mut Report) -> Checked<Decimal> {
    if let Value::Number(number) = node.value() {
        let hint = format!("expected an amount as a string, found a number: write \"{number}\" in quotes");
        return Err(node.violation(hint, report));
    }
    node.text(report, amount)
}

fn amount(text: &str) -> Result<Decimal, String> {
    const ALLOWED: &str =
        "expected an amount such as \"14.00\": up to 15 digits, and after a point up to 4 more; no sign, no exponent";
    let (whole, fraction) = match text.split_once('.') {
        None => (text, None),
        Some((whole, fraction)) => (whole, Some(fraction)),
    };
    let digits =
        |part: &str, most: usize| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let well_formed =
        digits(whole, MAX_WHOLE_DIGITS) && fraction.is_none_or(|fraction| digits(fraction, MAX_FRACTION_DIGITS));
    let amount = if well_formed { Decimal::from_str_exact(text).ok() } else { None };
    amount.ok_or_else(|| format!("{ALLOWED}; found {}", quote(text)))
}
