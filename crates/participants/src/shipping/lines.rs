//! Quantities by SKU: of an order, or of arriving stock.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The limit for lines of one list.
const LINES_MAX: usize = 1000;
/// The largest quantity of a line.
const QUANTITY_MAX: i64 = 1_000_000_000;
/// The limit for a SKU, in characters.
const SKU_LENGTH_MAX: usize = 128;

/// Quantities by SKU, in the order in which stock is locked. Lines of the same SKU are added.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Line>")]
pub(crate) struct Lines(BTreeMap<String, i64>);

#[derive(Deserialize)]
struct Line {
    sku: String,
    quantity: i64,
}

impl Lines {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        self.0.iter().map(|(sku, quantity)| (sku.as_str(), *quantity))
    }

    /// The SKUs and their quantities as two columns for the database.
    pub(crate) fn columns(&self) -> (Vec<&str>, Vec<i64>) {
        self.iter().unzip()
    }

    /// Whether a line has the quantity zero, which a count may have and an order must not.
    fn has_empty_line(&self) -> bool {
        self.0.values().any(|quantity| *quantity == 0)
    }
}

impl TryFrom<Vec<Line>> for Lines {
    type Error = String;

    fn try_from(lines: Vec<Line>) -> Result<Self, String> {
        let counts = Counts::try_from(lines)?;
        if counts.0.has_empty_line() { Err("a quantity has to be above zero".to_owned()) } else { Ok(counts.0) }
    }
}

/// Like [`Lines`], but a quantity may be zero: the count of a shelf.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Line>")]
pub(crate) struct Counts(pub(crate) Lines);

impl TryFrom<Vec<Line>> for Counts {
    type Error = String;

    fn try_from(lines: Vec<Line>) -> Result<Self, String> {
        if !(1..=LINES_MAX).contains(&lines.len()) {
            return Err(format!("there have to be 1 to {LINES_MAX} lines"));
        }
        let mut sums = BTreeMap::new();
        for Line { sku, quantity } in lines {
            if !(1..=SKU_LENGTH_MAX).contains(&sku.chars().count()) || sku.chars().any(char::is_control) {
                return Err(format!("a SKU has to be 1 to {SKU_LENGTH_MAX} printable characters, found {sku:?}"));
            }
            if !(0..=QUANTITY_MAX).contains(&quantity) {
                return Err(format!("a quantity has to be 0 to {QUANTITY_MAX}, found {quantity}"));
            }
            *sums.entry(sku).or_default() += quantity;
        }
        Ok(Self(Lines(sums)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    #[test]
    fn lines_of_the_same_sku_are_summed() {
        let lines: Lines = from_value(json!([
            { "sku": "b", "quantity": 2, "unitPrice": "1.00" }, { "sku": "a", "quantity": 1 }, { "sku": "b", "quantity": 3 }
        ]))
        .unwrap();
        assert_eq!(lines.columns(), (vec!["a", "b"], vec![1, 5]));
    }

    #[test]
    fn an_invalid_list_of_lines_is_refused() {
        let too_many: Vec<Value> = (0..=LINES_MAX).map(|n| json!({ "sku": n.to_string(), "quantity": 1 })).collect();
        let wrong = [
            json!([]),
            json!({}),
            json!([{ "sku": "a" }]),
            json!([{ "sku": "", "quantity": 1 }]),
            json!([{ "sku": "a\u{0}", "quantity": 1 }]),
            json!([{ "sku": "a", "quantity": 0 }]),
            json!([{ "sku": "a", "quantity": -1 }]),
            json!([{ "sku": "a", "quantity": 1.5 }]),
            json!([{ "sku": "a", "quantity": "1" }]),
            json!([{ "sku": "a", "quantity": 1_000_000_001 }]),
            json!([{ "sku": "a", "quantity": u64::MAX }]),
            Value::Array(too_many),
        ];
        for lines in wrong {
            assert!(from_value::<Lines>(lines.clone()).is_err(), "{lines} was taken for lines");
        }
        assert!(from_value::<Counts>(json!([{ "sku": "a", "quantity": 0 }])).is_ok());
    }
}
