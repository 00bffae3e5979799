//! Schemas of answers. A test compares their fields with what the handlers send.

use domain::order::{State, StepStatus};
use serde_json::{Map, Value, json};

use super::schema_ref;
use crate::participants::{CIRCUIT_CAUSES, CIRCUIT_STATES};

pub(super) fn schemas() -> Map<String, Value> {
    let schemas = json!({
        "Circuit": circuit(),
        "BatchLine": batch_line(),
        "WorkflowVersion": {
            "type": "object",
            "required": ["workflow", "version", "position"],
            "properties": {
                "workflow": schema_ref("Name"),
                "version": { "type": "integer", "minimum": 1, "maximum": i32::MAX },
                "position": schema_ref("Position"),
            },
        },
        "WorkflowCheck": {
            "type": "object",
            "required": ["workflow", "version", "isRegistered"],
            "properties": {
                "workflow": schema_ref("Name"),
                "version": { "type": "integer", "minimum": 1, "maximum": i32::MAX },
                "isRegistered": { "type": "boolean", "description": "Whether this version is registered already." },
            },
        },
        "Receipt": receipt(),
        "AskedBatch": asked_batch(),
        "Forgotten": forgotten(),
        "PersonalData": {
            "description": "The data that identify a person.",
            "type": "object",
            "required": ["name", "email", "shipTo"],
            "properties": {
                "name": { "type": ["string", "null"] },
                "email": { "type": ["string", "null"] },
                "shipTo": { "anyOf": [{ "type": "null" }, schema_ref("Address")] },
            },
        },
        "OrderStatus": order_status(),
        "State": {
            "description": "Where an order's execution stands. COMPLETED and CANCELED are ends; STUCK waits for an \
                            operator.",
            "type": "string",
            "enum": State::ALL.map(State::as_str),
        },
        "StepStatus": { "type": "string", "enum": StepStatus::BEGUN.map(StepStatus::as_str) },
        "Revision": {
            "description": "The index of the order's last event in its stream.",
            "type": "integer",
            "format": "int64",
            "minimum": 0,
        },
        "Position": {
            "description": "The place of that event in the log: a decimal number as a string, because a JSON reader may \
                            not hold it exactly. A query that names it (`freshness` in GraphQL, `position` in `GET \
                            /orders/{id}`) is answered once the views have reached it.",
            "type": "string",
            "pattern": "^[0-9]{1,20}$",
        },
        "Problem": problem(),
        "Violation": {
            "type": "object",
            "required": ["pointer", "detail"],
            "properties": {
                "pointer": {
                    "description": "A JSON pointer (RFC 6901) into the body; `ce-…`: a header; for a workflow file: \
                                    `line 6, column 17`.",
                    "type": "string",
                },
                "detail": { "type": "string", "description": "What was found, and what is allowed." },
            },
        },
    });
    match schemas {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    }
}

fn problem() -> Value {
    json!({
        "description": "RFC 9457.",
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "const": http_problem::TYPE },
            "title": { "type": "string", "description": "The meaning of the status." },
            "status": { "type": "integer", "minimum": 400, "maximum": 599, "description": "The HTTP status." },
            "detail": { "type": "string", "description": "What is wrong, for people." },
            "errors": {
                "description": "Where the request is wrong.",
                "type": "array",
                "minItems": 1,
                "items": schema_ref("Violation"),
            },
            "state": {
                "$ref": "#/components/schemas/State",
                "description": "The state of the order, if the request conflicts with it.",
            },
        },
    })
}

fn order_status() -> Value {
    json!({
        "type": "object",
        "required": ["orderId", "status", "state", "revision", "position"],
        "properties": {
            "orderId": schema_ref("OrderId"),
            "status": {
                "type": "string",
                "description": "The business word that the workflow gives the order, such as `Shipped`.",
            },
            "state": schema_ref("State"),
            "expectedAt": {
                "type": "string",
                "format": "date-time",
                "description": "When the order is expected to end, in 95 of 100 cases; in the past: it is late. Missing while \
                                nothing is expected: of an order that has ended, is held or is being undone, and of the first \
                                orders of a workflow.",
            },
            "resultError": {
                "type": "string",
                "description": "Why the order completed without the result of its workflow: the expression `result` \
                                failed, or its value was too large. Missing otherwise.",
            },
            "revision": schema_ref("Revision"),
            "position": schema_ref("Position"),
        },
    })
}

fn receipt() -> Value {
    json!({
        "description": "The state of the log after a command.",
        "type": "object",
        "required": ["orderId", "revision", "position"],
        "properties": {
            "orderId": schema_ref("OrderId"),
            "revision": schema_ref("Revision"),
            "position": schema_ref("Position"),
            "request": {
                "type": "string",
                "description": "A second person has to approve the command: the id of the request. `Location` has \
                                its address.",
            },
            "state": { "const": "WAITS_FOR_APPROVAL", "description": "With `request`." },
            "expiresAt": { "type": "string", "format": "date-time", "description": "With `request`: until when." },
        },
    })
}

fn asked_batch() -> Value {
    json!({
        "description": "A second person has to approve the batch.",
        "type": "object",
        "required": ["request", "state", "expiresAt", "matches"],
        "properties": {
            "request": { "type": "string", "format": "uuid" },
            "state": { "const": "WAITS_FOR_APPROVAL" },
            "expiresAt": { "type": "string", "format": "date-time" },
            "matches": { "type": "integer", "minimum": 2 },
        },
    })
}

fn forgotten() -> Value {
    json!({
        "description": "A customer is forgotten.",
        "type": "object",
        "required": ["customerId", "orders", "inTheClear", "openOrders", "position"],
        "properties": {
            "customerId": { "type": "string" },
            "orders": { "type": "integer", "minimum": 0, "description": "The number of orders whose personal data are erased." },
            "inTheClear": {
                "type": "integer",
                "minimum": 0,
                "description": "How many of them were placed before Tenuto sealed personal data: their data remain in \
                                the log in plain text.",
            },
            "openOrders": {
                "type": "array",
                "maxItems": crate::erasure::MAX_NAMED,
                "items": { "type": "string" },
                "description": "The first orders of the customer that have not ended. Their key was missing before, or \
                                they were placed meanwhile. Such an order gets STUCK at a step that needs personal data: \
                                cancel the order, or skip the step.",
            },
            "position": schema_ref("Position"),
        },
    })
}

fn batch_line() -> Value {
    json!({
        "description": "A line of a batch's answer.",
        "anyOf": [
            {
                "description": "The first line.",
                "type": "object",
                "required": ["matches", "before"],
                "properties": {
                    "matches": { "type": "integer", "minimum": 0, "description": "The number of orders." },
                    "before": {
                        "type": "string", "format": "date-time",
                        "description": "Only orders that were placed before this time.",
                    },
                },
            },
            {
                "description": "The command was performed on this order.",
                "allOf": [
                    schema_ref("Receipt"),
                    { "type": "object", "required": ["status"], "properties": { "status": { "const": 202 } } },
                ],
            },
            {
                "description": "The command was not performed on this order.",
                "allOf": [
                    schema_ref("Problem"),
                    { "type": "object", "required": ["orderId"], "properties": { "orderId": { "type": "string" } } },
                ],
            },
            {
                "description": "The last line: every order has been reported.",
                "type": "object",
                "required": ["done"],
                "properties": { "done": { "const": true } },
            },
            {
                "description": "The last line: the batch was interrupted, for this reason.",
                "type": "object",
                "required": ["stopped"],
                "properties": { "stopped": { "type": "string" } },
            },
        ],
    })
}

fn circuit() -> Value {
    let [_closed, held @ ..] = CIRCUIT_STATES;
    let waiting =
        json!({ "type": "integer", "minimum": 0, "description": "Attempts that wait for the circuit to close." });
    let retry = json!({
        "type": ["integer", "null"], "minimum": 0,
        "description": "The time until the next attempt is let through, if the circuit is open.",
    });
    let causes: Vec<Value> = CIRCUIT_CAUSES.into_iter().map(Value::from).chain([Value::Null]).collect();
    json!({
        "type": "object",
        "required": [
            "participants", "circuit", "cause", "callsInFlight", "attemptsWaiting", "failuresInARow", "lastError",
            "triedAgainInMs", "actions",
        ],
        "properties": {
            "participants": {
                "type": "array", "items": { "type": "string" }, "description": "The participant's names in workflows.",
            },
            "circuit": { "enum": CIRCUIT_STATES, "description": "`closed`: attempts are sent." },
            "cause": {
                "enum": causes,
                "description": "Why the circuit is not closed. `unclear`: no answer, or a 5xx. `misconfigured`: a mistake \
                                that an operator must correct.",
            },
            "callsInFlight": { "type": "integer", "minimum": 0 },
            "attemptsWaiting": waiting,
            "failuresInARow": { "type": "integer", "minimum": 0 },
            "lastError": { "type": ["string", "null"] },
            "triedAgainInMs": retry,
            "actions": {
                "description": "The actions that a mistake holds back. Attempts at all other actions are sent.",
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["action", "circuit", "attemptsWaiting", "lastError", "triedAgainInMs"],
                    "properties": {
                        "action": { "type": "string" },
                        "circuit": { "enum": held },
                        "attemptsWaiting": waiting,
                        "lastError": { "type": ["string", "null"] },
                        "triedAgainInMs": retry,
                    },
                },
            },
        },
    })
}
