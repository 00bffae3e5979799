//! Schemas of what operators send: instructions, batches, filters.

use domain::filter::{MAX_ATTRIBUTES, MAX_VALUES};
use serde_json::{Map, Value, json};

use super::filter;
use super::orders::outcome;
use super::parts::{list, one_of_these, optional_text, schema_ref, text};
use crate::answer::LARGEST_DATA;
use crate::http::batch::MAX_ORDERS;
use crate::http::instruction::OperatorAction;

pub(super) fn schemas() -> Map<String, Value> {
    let schemas = json!({
        "Instruction": instruction(&json!({}), &["reason"]),
        "RetryInstruction": instruction(&json!({ "step": step_of_retry() }), &["reason"]),
        "SkipInstruction": instruction(
            &json!({ "step": text("The step."), "outcome": assumed_outcome(), "data": assumed_data() }),
            &["reason", "step"],
        ),
        "Batch": batch(),
        "Approval": settling(&json!({ "reason": reason_or_none(), "after": order_or_none() }), &[]),
        "Declining": settling(&json!({ "reason": schema_ref("Reason") }), &["reason"]),
        "Withdrawal": settling(&json!({ "reason": reason_or_none() }), &[]),
        "OrderFilter": order_filter(),
        "AttributeFilter": {
            "description": "An attribute: that it exists, or its value.",
            "type": "object",
            "required": ["path"],
            "additionalProperties": false,
            "properties": {
                "path": {
                    "description": "The keys that lead to it, from the outermost. One, or a list.",
                    "anyOf": [text(""), list(&text(""), MAX_ATTRIBUTES)],
                },
                "value": { "description": "Its value. An object or a list matches if it contains this value." },
            },
        },
        "Texts": {
            "description": "One, or a list.",
            "anyOf": [text(""), list(&text(""), MAX_VALUES), { "type": "null" }],
        },
        "Span": {
            "description": "A time range with at least one bound.",
            "type": ["object", "null"],
            "minProperties": 1,
            "additionalProperties": false,
            "properties": {
                "from": { "type": ["string", "null"], "format": "date-time", "description": "Not before this time." },
                "to": { "type": ["string", "null"], "format": "date-time", "description": "Before this time." },
            },
            "anyOf": one_of_these(&["from", "to"]),
        },
    });
    match schemas {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    }
}

fn step_of_retry() -> Value {
    optional_text("The step. Without it, each step that can be tried again.")
}

fn assumed_outcome() -> Value {
    let description = "The assumed answer. Without it, `done`, if the step declares no outcomes. The undo of a step has no \
                       outcome: skip it without one.";
    outcome(&json!(["string", "null"]), description)
}

fn assumed_data() -> Value {
    json!({
        "description": format!("The data of the assumed answer, at most {} KiB of JSON.", LARGEST_DATA / 1024),
        "x-max-bytes": LARGEST_DATA,
    })
}

fn instruction(fields: &Value, required: &[&str]) -> Value {
    let mut properties = json!({ "reason": schema_ref("Reason"), "actor": schema_ref("Actor") });
    if let (Value::Object(properties), Value::Object(fields)) = (&mut properties, fields) {
        properties.extend(fields.clone());
    }
    json!({ "type": "object", "required": required, "additionalProperties": false, "properties": properties })
}

/// What a person says of a request for an operation.
fn settling(properties: &Value, required: &[&str]) -> Value {
    json!({ "type": "object", "required": required, "additionalProperties": false, "properties": properties })
}

fn reason_or_none() -> Value {
    json!({ "anyOf": [schema_ref("Reason"), { "type": "null" }] })
}

fn order_or_none() -> Value {
    json!({
        "description": "For a batch that was interrupted: the last order that was reported.",
        "anyOf": [schema_ref("OrderId"), { "type": "null" }],
    })
}

fn batch() -> Value {
    let not_all = json!({ "enum": [false, null] });
    let named = json!({
        "title": "named orders",
        "required": ["orders"],
        "properties": {
            "orders": { "type": "array" }, "where": { "type": "null" }, "all": not_all, "after": { "type": "null" },
        },
    });
    let matching = json!({
        "title": "orders that match a filter",
        "required": ["where"],
        "properties": { "where": { "anyOf": criteria() }, "orders": { "type": "null" }, "all": not_all },
    });
    let every = json!({
        "title": "every order",
        "required": ["all"],
        "properties": {
            "all": { "const": true },
            "orders": { "type": "null" },
            "where": { "type": ["object", "null"], "additionalProperties": { "type": "null" } },
        },
    });
    let others = [OperatorAction::Cancel, OperatorAction::Note, OperatorAction::Pause, OperatorAction::Resume]
        .map(OperatorAction::as_str);
    json!({
        "description": "One of `orders`, `where` and `all` selects the orders. `step`, `outcome` and `data` belong to the \
                        operation.",
        "type": "object",
        "required": ["operation", "reason"],
        "additionalProperties": false,
        "properties": {
            "operation": { "type": "string", "enum": OperatorAction::ALL.map(OperatorAction::as_str) },
            "reason": schema_ref("Reason"),
            "actor": schema_ref("Actor"),
            "step": optional_text("For `retry` and `skip`."),
            "outcome": outcome(&json!(["string", "null"]), "For `skip`."),
            "data": { "description": "For `skip`.", "x-max-bytes": LARGEST_DATA },
            "orders": {
                "description": "Ids, each at most once.",
                "type": ["array", "null"],
                "minItems": 1,
                "maxItems": MAX_ORDERS,
                "uniqueItems": true,
                "items": text(""),
            },
            "where": schema_ref("OrderFilter"),
            "all": {
                "type": ["boolean", "null"],
                "description": "Every order. An empty filter without it is refused.",
            },
            "after": {
                "description": "Only orders with an id after this one, byte by byte.",
                "anyOf": [schema_ref("OrderId"), { "type": "null" }],
            },
            "dryRun": { "type": ["boolean", "null"], "description": "Only report the number of orders." },
        },
        "allOf": [
            { "anyOf": [named, matching, every] },
            { "anyOf": [
                {
                    "properties": {
                        "operation": { "enum": others }, "step": false, "outcome": false, "data": false,
                    },
                },
                {
                    "properties": {
                        "operation": { "const": OperatorAction::Retry.as_str() }, "outcome": false, "data": false,
                    },
                },
                {
                    "required": ["step"],
                    "properties": {
                        "operation": { "const": OperatorAction::Skip.as_str() }, "step": { "type": "string" },
                    },
                },
            ] },
        ],
    })
}

/// That the filter is an object in which a field is not `null`.
fn criteria() -> Vec<Value> {
    let fields = filter::schemas();
    let names: Vec<&str> = fields.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let mut criteria = one_of_these(&names);
    criteria.pop();
    criteria
}

fn order_filter() -> Value {
    json!({
        "description": "The fields of GraphQL's `OrderFilter`. An order matches if it meets every field; it meets a list \
                        with any of its values.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": filter::schemas(),
    })
}
