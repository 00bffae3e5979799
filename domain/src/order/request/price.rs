//! Amounts of money: decimal strings, so that no reader turns them into binary fractions.

use rust_decimal::Decimal;
use serde_json::Value;

use super::currency::minor_units;
use super::limits::{MAX_FRACTION_DIGITS, MAX_WHOLE_DIGITS};
use super::reader::{Checked, Node, ViolationReport, quote};

/// The price of one piece, in this currency if it is known. A discount is negative.
pub(super) fn price(node: Node, currency: Option<&str>, report: &mut ViolationReport) -> Checked<Decimal> {
    if let Value::Number(number) = node.value() {
        let hint = format!("expected an amount as a string, found a number: write \"{number}\" in quotes");
        return Err(node.violation(hint, report));
    }
    node.text(report, |text| {
        let amount = amount(text)?;
        currency.map_or(Ok(()), |currency| whole_minor_units(amount, currency, text))?;
        Ok(amount)
    })
}

fn amount(text: &str) -> Result<Decimal, String> {
    const ALLOWED: &str = "expected an amount such as \"14.00\" or \"-3.50\": up to 15 digits, and after a point up to 4 \
                           more; no plus sign, no exponent";
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        None => (unsigned, None),
        Some((whole, fraction)) => (whole, Some(fraction)),
    };
    let digits =
        |part: &str, most: usize| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let well_formed =
        digits(whole, MAX_WHOLE_DIGITS) && fraction.is_none_or(|fraction| digits(fraction, MAX_FRACTION_DIGITS));
    let amount = if well_formed { Decimal::from_str_exact(text).ok() } else { None };
    let mut amount = amount.ok_or_else(|| format!("{ALLOWED}; found {}", quote(text)))?;
    if amount.is_zero() {
        amount.set_sign_positive(true);
    }
    Ok(amount)
}

/// Whether an amount can be paid in a currency. Zeros beyond the minor unit do not matter.
fn whole_minor_units(amount: Decimal, currency: &str, text: &str) -> Result<(), String> {
    let Some(digits) = minor_units(currency) else { return Ok(()) };
    if amount.normalize().scale() <= digits {
        return Ok(());
    }
    let allowed = match digits {
        0 => "no minor unit: write whole amounts such as \"14\"".to_owned(),
        _ => format!("{digits} digits after the point, such as \"{}\"", Decimal::new(14 * 10_i64.pow(digits), digits)),
    };
    Err(format!("{currency} has {allowed}; found {}", quote(text)))
}
