//! The forms of a condition: a list, a range.

use serde_json::Value;

use crate::fields::Fields;

/// A list, or one value for a list of one.
pub(super) fn list<T>(fields: &mut Fields, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
    let values = match fields.take(name)? {
        Value::Array(values) if values.is_empty() => {
            fields.wrong(name, "must have a value: no order meets an empty list");
            return None;
        }
        Value::Array(values) => values,
        one => vec![one],
    };
    let mut read_values = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        let found = match value {
            Value::String(text) => read(&text),
            other => Err(format!("must be a text, found {other}")),
        };
        match found {
            Ok(value) => read_values.push(value),
            Err(detail) => fields.wrong(&format!("{name}/{index}"), detail),
        }
    }
    Some(read_values)
}

#[expect(clippy::unnecessary_wraps, reason = "other values can be wrong")]
pub(super) fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

/// An object with these two bounds, one of which has to be there.
pub(super) fn range<T: Default + PartialEq>(
    fields: &mut Fields,
    name: &str,
    at: &str,
    [low, high]: [&str; 2],
    read: impl FnOnce(&mut Fields) -> T,
) -> T {
    let range = fields.take(name).and_then(|value| {
        let what = format!("must be an object with \"{low}\", \"{high}\" or both");
        let mut bounds = fields.below(value, &format!("{at}/{name}"), &what)?;
        let range = read(&mut bounds);
        let faults = bounds.faults();
        if faults.is_empty() && range == T::default() {
            fields.wrong(name, what);
        }
        fields.wrong_too(faults);
        Some(range)
    });
    range.unwrap_or_default()
}
