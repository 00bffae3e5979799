//! Bounds the depth and the size of the JSON that comes with a document.

use serde_json::{Map, Value};

use super::excess::{Excess, MAX_JSON_DEPTH, MAX_JSON_VALUES};

/// Checks an object of that name, without recursion.
pub fn check_json(name: &'static str, object: &Map<String, Value>) -> Result<(), Excess> {
    let mut values = 0;
    let mut level: Vec<&Value> = object.values().collect();
    for _ in 0..=MAX_JSON_DEPTH {
        values += level.len();
        if values > MAX_JSON_VALUES {
            return Err(Excess::JsonValues(name));
        }
        if level.is_empty() {
            return Ok(());
        }
        level = level.into_iter().flat_map(within).collect();
    }
    Err(Excess::JsonDepth(name))
}

fn within(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(fields) => Box::new(fields.values()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Box::new(std::iter::empty()),
    }
}
