//! Amounts of money: exact decimals as strings, not below zero. An order may cost nothing.

use rust_decimal::Decimal;
use serde::Deserialize;

/// An amount to charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Amount(Decimal);

impl Amount {
    /// The limits for digits before and after the point.
    const WHOLE_DIGITS_MAX: usize = 15;
    const FRACTION_DIGITS_MAX: usize = 6;

    pub(crate) fn value(self) -> Decimal {
        self.0
    }
}

impl TryFrom<String> for Amount {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits =
            |part: &str, most: usize| (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
        if !digits(whole, Self::WHOLE_DIGITS_MAX) || !digits(fraction, Self::FRACTION_DIGITS_MAX) {
            return Err(
                "an amount is a decimal string such as \"14.00\", with at most 15 digits before the point and 6 after",
            );
        }
        text.parse().map(Self).map_err(|_| "an amount is a decimal string")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_plain_decimals_and_keep_their_digits() {
        for right in ["0", "0.00", "14.00", "0.01", "1", "999999999999999.999999"] {
            assert_eq!(Amount::try_from(right.to_owned()).unwrap().value().to_string(), right);
        }
        for wrong in ["", "-1", "+1", "1e3", "1_000", "1,50", ".5", "5.", "1.2.3", "NaN", " 1", "1234567890123456", "٣"]
        {
            assert!(Amount::try_from(wrong.to_owned()).is_err(), "{wrong:?} was taken for an amount");
        }
    }
}
