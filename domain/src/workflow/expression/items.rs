//! The items of lists and the keys of maps, of the scope or built by the expression.

use std::collections::BTreeMap;

use super::budget::Budget;
use super::error::Trouble;
use super::value::{Key, KeyView, Origin, Outcome, Text, Value, Viewed};

/// The items of a list, or the keys of a map, in their order; `None`: the value has none.
pub(super) fn items_of<'a>(budget: &Budget, range: &Value<'a>) -> Result<Option<Vec<Value<'a>>>, Trouble<'a>> {
    Ok(Some(match range {
        Value::Array(items) => {
            budget.items(items.len())?;
            items.iter().map(|item| Value::of_json(item, Origin::Data)).collect::<Result<_, _>>()?
        }
        Value::List(items) => {
            budget.items(items.len())?;
            items.to_vec()
        }
        Value::Object(fields, _) => {
            budget.items(fields.len())?;
            let mut keys: Vec<&'a str> = fields.keys().map(String::as_str).collect();
            keys.sort_unstable();
            keys.into_iter().map(|key| Value::Text(Text::borrowed(key))).collect()
        }
        Value::Map(entries) => {
            budget.items(entries.len())?;
            entries.keys().map(Key::value).collect()
        }
        _ => return Ok(None),
    }))
}

/// A whole number of any type.
pub(super) fn whole(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Int(int) => Some(i128::from(*int)),
        Value::UInt(uint) => Some(i128::from(*uint)),
        Value::Double(double) => whole_double(*double),
        _ => None,
    }
}

/// A double that is a whole number in the range of 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked, and a whole number stays what it is")]
fn whole_double(double: f64) -> Option<i128> {
    (double.fract() == 0.0 && double.abs() < 2.0_f64.powi(64)).then_some(double as i128)
}

pub(super) fn item<'a>(list: &Value<'a>, place: usize) -> Option<Outcome<'a>> {
    match list {
        Value::Array(items) => items.get(place).map(|item| Value::of_json(item, Origin::Data)),
        Value::List(items) => items.get(place).cloned().map(Ok),
        _ => None,
    }
}

/// The value of a key in a map; none for a value that cannot be a key.
pub(super) fn under<'a>(map: &Value<'a>, key: &Value<'a>) -> Result<Option<Value<'a>>, Trouble<'a>> {
    match (map, key) {
        (Value::Object(fields, origin), Value::Text(name)) => Value::of_field(fields, *origin, name.as_str()),
        (Value::Map(entries), _) => Ok(lookup(entries, key)),
        _ => Ok(None),
    }
}

/// Whether a value can be a key. A double never is one, but may equal one.
pub(super) fn is_key(value: &Value<'_>) -> bool {
    value.kind().is_number() || matches!(value, Value::Text(_) | Value::Bool(_))
}

/// Finds numeric keys by any equal number.
pub(super) fn lookup<'a>(entries: &BTreeMap<Key<'a>, Value<'a>>, key: &Value<'a>) -> Option<Value<'a>> {
    let get = |view: KeyView<'_>| entries.get(&view as &dyn Viewed).cloned();
    match key {
        Value::Text(text) => get(KeyView::Text(text.as_str())),
        Value::Bool(truth) => get(KeyView::Bool(*truth)),
        number => {
            let whole = whole(number)?;
            let int = i64::try_from(whole).ok().and_then(|int| get(KeyView::Int(int)));
            int.or_else(|| u64::try_from(whole).ok().and_then(|uint| get(KeyView::UInt(uint))))
        }
    }
}
