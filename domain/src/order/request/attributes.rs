//! Other data of the shop: any JSON object, within limits, because every reader of the event loads
//! it.

use serde_json::{Map, Value};

use super::limits::{MAX_ATTRIBUTES, MAX_ATTRIBUTES_BYTES, MAX_ATTRIBUTES_DEPTH};
use super::reader::{Checked, Node, ViolationReport, quote};

pub(super) fn attributes(node: Node, report: &mut ViolationReport) -> Checked<Map<String, Value>> {
    let map = node.object(report)?;
    if map.len() > MAX_ATTRIBUTES {
        return Err(node.violation(format!("must have at most {MAX_ATTRIBUTES} keys, found {}", map.len()), report));
    }
    if is_deeper(node.value(), MAX_ATTRIBUTES_DEPTH) {
        return Err(node.violation(format!("must be nested at most {MAX_ATTRIBUTES_DEPTH} levels deep"), report));
    }
    if let Some(text) = text_with_nul(node.value()) {
        return Err(node.violation(format!("must not contain the NUL character, found {}", quote(text)), report));
    }
    let bytes = node.value().to_string().len();
    if bytes > MAX_ATTRIBUTES_BYTES {
        return Err(
            node.violation(format!("must be at most {MAX_ATTRIBUTES_BYTES} bytes of JSON, found {bytes}"), report)
        );
    }
    Ok(map.clone())
}

/// Whether arrays and objects are nested deeper. It looks no deeper than the limit.
fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| is_deeper(item, levels - 1)),
        Value::Object(map) => levels == 0 || map.values().any(|item| is_deeper(item, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A string or key that Postgres cannot store. [`crate::json::parse`] refuses them, but values from
/// other sources may have them.
fn text_with_nul(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => text.contains('\0').then_some(text),
        Value::Array(items) => items.iter().find_map(text_with_nul),
        Value::Object(map) => {
            map.iter().find_map(|(key, item)| if key.contains('\0') { Some(key.as_str()) } else { text_with_nul(item) })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}
