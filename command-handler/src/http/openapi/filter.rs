//! The JSON of a filter over orders.

use domain::filter::MAX_ATTRIBUTES;
use serde_json::{Value, json};

use super::parts;

/// A filter for the description of the interface: the fields that the other examples lack.
pub(in crate::http) fn example() -> Value {
    json!({
        "placedBy": ["web"],
        "sku": ["11"],
        "minLines": 2,
        "total": { "atLeast": "100.00" },
        "step": { "name": "charge", "status": ["RETRYING", "STUCK"], "participant": ["payments"], "olderThan": "1h" },
        "late": true,
        "stuckReason": "503",
        "attributes": [{ "path": ["delivery", "floor"], "value": 3 }, { "path": "gift" }],
    })
}

/// The schemas of the fields, for the description of the interface.
pub(super) fn schemas() -> Value {
    let ended = json!({
        "$ref": "#/components/schemas/Span",
        "description": "An order that has not ended is in no such range.",
    });
    json!({
        "status": parts::schema_ref("Texts"),
        "state": parts::one_or_list("State"),
        "customer": { "$ref": "#/components/schemas/Texts", "description": "Ids of customers." },
        "placedBy": { "$ref": "#/components/schemas/Texts", "description": "Principals that placed the order." },
        "workflow": {
            "type": ["object", "null"],
            "required": ["name"],
            "additionalProperties": false,
            "properties": {
                "name": parts::text(""),
                "version": { "type": ["integer", "null"], "minimum": 1, "maximum": i32::MAX },
            },
        },
        "sku": { "$ref": "#/components/schemas/Texts", "description": "The stock-keeping unit of a line." },
        "minLines": {
            "description": "The least number of lines.",
            "type": ["integer", "null"],
            "minimum": 0,
            "maximum": u32::MAX,
        },
        "total": {
            "description": "The sum over the lines, in any currency, with at least one bound.",
            "type": ["object", "null"],
            "minProperties": 1,
            "additionalProperties": false,
            "properties": { "atLeast": amount("Not less than this."), "atMost": amount("Not more than this.") },
            "anyOf": parts::one_of_these(&["atLeast", "atMost"]),
        },
        "placedAt": parts::schema_ref("Span"),
        "updatedAt": parts::schema_ref("Span"),
        "endedAt": ended,
        "step": {
            "description": "A step that has begun, and meets all of these.",
            "type": ["object", "null"],
            "minProperties": 1,
            "additionalProperties": false,
            "properties": {
                "name": parts::optional_text(""),
                "status": parts::one_or_list("StepStatus"),
                "participant": {
                    "$ref": "#/components/schemas/Texts",
                    "description": "The participants that it was requested of.",
                },
                "since": { "$ref": "#/components/schemas/Span", "description": "When its present stage began." },
                "due": {
                    "$ref": "#/components/schemas/Span",
                    "description": "When its attempt, its answer or its next attempt is due. If nothing is due at it, it is in no such range.",
                },
                "olderThan": {
                    "description": "How long its present stage has lasted at least, such as 90s, 10m, 2h or 3d; at most a year.",
                    "type": ["string", "null"],
                    "pattern": "^[0-9]+(ms|s|m|h|d)$",
                },
            },
            "anyOf": parts::one_of_these(&["name", "status", "participant", "since", "due", "olderThan"]),
        },
        "late": {
            "description": "Whether the time has passed by which the order was expected to end.",
            "type": ["boolean", "null"],
        },
        "stuckReason": parts::optional_text("Part of the reason why the order is stuck, in upper or lower case."),
        "attributes": {
            "description": "Other data that the shop keeps with the order. One, or a list; all must match.",
            "anyOf": [
                parts::schema_ref("AttributeFilter"),
                parts::list(&parts::schema_ref("AttributeFilter"), MAX_ATTRIBUTES),
                { "type": "null" },
            ],
        },
    })
}

fn amount(description: &str) -> Value {
    json!({
        "description": description,
        "type": ["string", "number", "null"],
        "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,4})?$",
    })
}
