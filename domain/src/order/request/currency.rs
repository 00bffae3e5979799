//! ISO 4217.

use super::reader::quote;

/// The codes of the currencies in use, sorted, without those of funds, metals and tests.
pub const CODES: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BHD", "BIF", "BMD", "BND",
    "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CLP", "CNY", "COP", "CRC", "CUP", "CVE",
    "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD",
    "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD", "JOD", "JPY",
    "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "LYD", "MAD",
    "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO",
    "NOK", "NPR", "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF",
    "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB",
    "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS", "VED", "VES", "VND",
    "VUV", "WST", "XAF", "XCD", "XCG", "XOF", "XPF", "YER", "ZAR", "ZMW", "ZWG",
];

/// Currencies without a minor unit (ISO 4217, list one, `CcyMnrUnts`).
const WITHOUT_MINOR_UNIT: &[&str] =
    &["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"];

/// Currencies whose minor unit is a thousandth.
const IN_THOUSANDTHS: &[&str] = &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// How many digits after the point an amount in a currency has; `None`: the currency is unknown.
pub(in crate::order) fn minor_units(code: &str) -> Option<u32> {
    CODES.contains(&code).then(|| match code {
        _ if WITHOUT_MINOR_UNIT.contains(&code) => 0,
        _ if IN_THOUSANDTHS.contains(&code) => 3,
        _ => 2,
    })
}

/// Checks a currency code.
pub(super) fn code(text: &str) -> Result<String, String> {
    if CODES.contains(&text) {
        return Ok(text.to_owned());
    }
    let upper = text.to_ascii_uppercase();
    let hint = if CODES.contains(&upper.as_str()) { format!("; did you mean \"{upper}\"?") } else { String::new() };
    Err(format!(
        "expected a currency code of ISO 4217 such as \"EUR\", in capital letters, found {}{hint}",
        quote(text)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_sorted_and_of_three_capital_letters() {
        assert!(CODES.is_sorted_by(|one, next| one < next));
        assert!(CODES.iter().all(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())));
    }

    #[test]
    fn a_currency_has_its_minor_units() {
        let digits = |code| minor_units(code);
        assert_eq!([digits("EUR"), digits("JPY"), digits("KWD")], [Some(2), Some(0), Some(3)]);
        assert_eq!([digits("eur"), digits("XXX"), digits("")], [None; 3]);
        assert!(WITHOUT_MINOR_UNIT.iter().chain(IN_THOUSANDTHS).all(|code| CODES.contains(code)));
    }

    #[test]
    fn only_the_standard_form_of_a_currency_code_is_accepted() {
        assert_eq!(code("EUR"), Ok("EUR".to_owned()));
        assert!(code("eur").unwrap_err().ends_with("did you mean \"EUR\"?"));
        for strange in ["", "EURO", "XXX", "ABC", "EU", "€", "DEM"] {
            assert!(code(strange).is_err(), "{strange}");
        }
    }
}
