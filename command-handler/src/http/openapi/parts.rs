//! The parts that descriptions consist of: references, bodies, and the content of answers.

use domain::filter::MAX_VALUES;
use http_problem::{MEDIA_TYPE, Problem};
use http_request::body::LARGEST_BODY;
use serde_json::{Map, Value, json};

/// The response object of a refusal, and its status.
pub(super) fn refusal(description: &str, causes: &[(&str, Problem)]) -> (u16, Value) {
    let status = causes.first().map_or(500, |(_, problem)| problem.status().as_u16());
    debug_assert!(causes.iter().all(|(_, problem)| problem.status().as_u16() == status), "{description}");
    let examples: Map<String, Value> =
        causes.iter().map(|(name, problem)| ((*name).to_owned(), json!({ "value": problem }))).collect();
    let content = json!({ MEDIA_TYPE: { "schema": schema_ref("Problem"), "examples": examples } });
    (status, json!({ "description": description, "content": content }))
}

/// A body of this media type and schema, with named examples. `limits` are those of its size.
pub(in crate::http) fn body<const N: usize>(schema: &str, limits: &Value, examples: [(&str, Value); N]) -> Value {
    let mut body = json!({ "required": true, "content": { "application/json": content(schema, examples) } });
    if let (Value::Object(body), Value::Object(limits)) = (&mut body, limits) {
        body.extend(limits.clone());
    }
    body
}

/// The content of a media type.
pub(in crate::http) fn content<const N: usize>(schema: &str, examples: [(&str, Value); N]) -> Value {
    let examples: Map<String, Value> =
        examples.into_iter().map(|(name, value)| (name.to_owned(), json!({ "value": value }))).collect();
    json!({ "schema": schema_ref(schema), "examples": examples })
}

pub(in crate::http) fn schema_ref(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

pub(in crate::http) fn parameter_ref(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

/// The limits of a JSON body.
pub(in crate::http) fn json_limits() -> Value {
    let bytes = LARGEST_BODY;
    json!({
        "description": format!("At most {} MiB.", bytes / 1024 / 1024),
        "x-max-bytes": bytes,
        "x-max-depth": domain::json::MAX_DEPTH,
    })
}

/// The path of an operation on an order.
pub(in crate::http) fn order_path(rest: &str) -> String {
    format!("/orders/{{id}}{rest}")
}

/// The schema of a text without NUL, which Postgres does not store.
pub(super) const TEXT_PATTERN: &str = "^[^\\u0000]*$";

/// A text that Postgres stores.
pub(in crate::http) fn text(description: &str) -> Value {
    let mut text = json!({ "type": "string", "pattern": TEXT_PATTERN });
    if !description.is_empty() {
        text["description"] = json!(description);
    }
    text
}

/// The same, or `null`.
pub(in crate::http) fn optional_text(description: &str) -> Value {
    let mut text = text(description);
    text["type"] = json!(["string", "null"]);
    text
}

pub(in crate::http) fn list(items: &Value, longest: usize) -> Value {
    json!({ "type": "array", "minItems": 1, "maxItems": longest, "items": items })
}

pub(in crate::http) fn one_or_list(name: &str) -> Value {
    let one = schema_ref(name);
    json!({ "description": "One, or a list.", "anyOf": [one, list(&one, MAX_VALUES), { "type": "null" }] })
}

/// `null`, or an object in which one of these fields is not `null`.
pub(in crate::http) fn one_of_these(fields: &[&str]) -> Vec<Value> {
    let given = |field: &&str| json!({ "type": "object", "required": [field], "properties": { *field: { "not": { "type": "null" } } } });
    fields.iter().map(given).chain([json!({ "type": "null" })]).collect()
}
