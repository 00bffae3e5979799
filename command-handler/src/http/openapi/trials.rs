//! `POST /workflows/backtest` and `POST /workflows/test`. The query side serves them; the document
//! describes both sides.

use domain::order::State;
use domain::workflow::Workflow;
use http_problem::Problem;
use serde_json::{Map, Value, json};

use super::{Operation, Shared, body, json_limits, schema_ref};
use crate::http::batch::MEDIA_TYPE;
use crate::http::workflows::TINY;

/// What the two have in common, for their descriptions.
const LINES: &str = "No participant is called, and nothing is recorded. The answer (NDJSON) has a line several times a \
                     second while it runs. Each line is the whole result so far; the last has the `state` `done`, \
                     `stopped` or `failed`. It ends when the connection does. A principal has one under way at a time.";

pub(super) fn described() -> [Operation; 2] {
    let backtest = Operation::post(
        "/workflows/backtest",
        "backtestWorkflow",
        "workflows",
        "Try a workflow on past orders",
    )
    .description(&format!(
        "Places past orders again under this definition, with the answers that participants gave then. An order is \
             the same, or differs, or cannot be known. At most 100,000 orders are tried, in at most 5 minutes. {LINES}"
    ))
    .body(body(
        "WorkflowBacktest",
        &json_limits(),
        [
            ("text", json!({ "text": TINY, "where": { "placedAt": { "from": "2026-01-01T00:00:00Z" } } })),
            (
                "version",
                json!({
                    "workflow": { "name": "order-fulfilment", "version": 1 },
                    "where": { "workflow": { "name": "order-fulfilment" }, "state": ["COMPLETED"] },
                }),
            ),
        ],
    ))
    .answer_with(200, lines("BacktestResult", &example_of_backtest()));
    let test = Operation::post("/workflows/test", "testWorkflow", "workflows", "Try a workflow against every fault")
        .description(&format!(
            "Runs simulated orders: each answer, each fault of each action and undo, a cancel and a pause after each \
             decision, and another instance after each decision. It takes at most 5 minutes. {LINES}"
        ))
        .body(body("WorkflowTest", &json_limits(), [("text", json!({ "text": TINY }))]))
        .answer_with(200, lines("TestResult", &example_of_test()));
    [backtest, test].map(|operation| {
        let faulty = Workflow::parse(&TINY.replace("mail.send", "post.send")).err();
        let faulty = faulty.map_or_else(|| Problem::at("", ""), |faults| Problem::faulty(&faults));
        operation.shared(Shared::OF_A_BODY).refusal(
            "The request or the file is wrong: every fault with its place. Or the version is not registered.",
            [("faults", faulty), ("unknown", Problem::at("/workflow", "tiny 2 is not registered"))],
        )
    })
}

fn lines(schema: &str, example: &Value) -> Value {
    json!({
        "description": "The result so far, again and again.",
        "content": { MEDIA_TYPE: { "schema": schema_ref(schema), "example": format!("{example}\n") } },
    })
}

fn example_of_backtest() -> Value {
    let then = json!({ "status": "BackOrdered", "state": State::Waiting.as_str(), "known": true });
    let now = json!({ "status": "Canceled", "state": State::Canceled.as_str(), "known": true });
    json!({
        "state": "done", "definition": definition(), "percent": 100, "orders": 830, "same": 829, "differs": 1, "unknown": 0,
        "differsAt": [{ "step": "ship", "orders": 1, "examples": [{
            "order": "10248", "revision": 7,
            "then": ["ship: answered \"backordered\" for now; more is to follow"],
            "now": ["ship: answered \"backordered\""], "endedThen": then, "endedNow": now,
        }] }],
        "unknownOf": [], "broken": [],
        "ends": [{ "then": then, "now": now, "orders": 1, "totals": [{ "currency": "EUR", "amount": "440.00" }] }],
        "supposed": {}, "seconds": 0.4,
    })
}

fn definition() -> Value {
    json!({ "workflow": "tiny", "version": 1, "steps": [{ "id": "tell", "after": [], "compensated": false }] })
}

fn example_of_test() -> Value {
    json!({
        "state": "done", "definition": definition(), "percent": 100, "cases": 180, "wrong": 0,
        "kinds": [{ "kind": "an action fails for good", "cases": 16, "wrong": 0 }],
        "failures": [], "neverBegun": [], "seconds": 0.1,
    })
}

pub(super) fn schemas() -> Map<String, Value> {
    let schemas = json!({
        "WorkflowBacktest": with_definition(&json!({
            "where": schema_ref("OrderFilter"),
            "answers": {
                "type": ["string", "null"],
                "description": "A file of answers to actions that were never requested, as for `tenuto backtest`.",
            },
            "sameInput": {
                "type": ["boolean", "null"],
                "description": "Whether a recorded answer counts only if the action had the same input.",
            },
        })),
        "WorkflowTest": with_definition(&json!({
            "order": { "anyOf": [schema_ref("NewOrder"), { "type": "null" }], "description": "The order to test with." },
            "data": { "type": ["object", "null"], "description": "The data in the answers of steps, by step." },
        })),
        "TrialState": {
            "type": "string",
            "enum": ["running", "done", "stopped", "failed"],
            "description": "`stopped`: it ended early, for this `reason`, with results. `failed`: without any.",
        },
        "BacktestResult": result(&json!({
            "orders": count("How many orders were tried."),
            "same": count("How many of them have the same end."),
            "differs": count("How many of them differ."),
            "unknown": count("How many of them cannot be known."),
            "differsAt": groups("Orders that differ, by the first step that does.", &json!({
                "step": { "type": ["string", "null"] },
                "examples": { "type": "array", "items": schema_ref("OrderDifference") },
            })),
            "unknownOf": groups("Orders that cannot be known, by the action whose answer is missing.", &json!({
                "action": { "type": "string" }, "because": { "type": "string" }, "examples": ids(),
            })),
            "broken": groups("Orders whose history cannot be read.", &json!({
                "reason": { "type": "string" }, "examples": ids(),
            })),
            "ends": groups("Orders that would end otherwise, and the sums of their totals.", &json!({
                "then": schema_ref("End"),
                "now": schema_ref("End"),
                "totals": { "type": "array", "items": { "type": "object", "properties": {
                    "currency": { "type": "string" }, "amount": { "type": "string" },
                } } },
            })),
            "supposed": { "type": "object", "additionalProperties": count("How often a rule answered this action.") },
        })),
        "OrderDifference": {
            "type": "object",
            "properties": {
                "order": schema_ref("OrderId"),
                "revision": schema_ref("Revision"),
                "then": sentences("What was decided on this event."),
                "now": sentences("What would be decided."),
                "endedThen": schema_ref("End"),
                "endedNow": schema_ref("End"),
            },
        },
        "End": {
            "type": "object",
            "properties": {
                "status": { "type": "string" },
                "state": schema_ref("State"),
                "known": { "type": "boolean", "description": "Otherwise, this is as far as it can be known." },
            },
        },
        "TestResult": result(&json!({
            "cases": count("How many simulated orders there were."),
            "wrong": count("How many of them ended wrong."),
            "kinds": { "type": "array", "items": { "type": "object", "properties": {
                "kind": { "type": "string" }, "cases": count(""), "wrong": count(""),
            } } },
            "failures": { "type": "array", "description": "The first ones that ended wrong.", "items": {
                "type": "object",
                "properties": {
                    "case": { "type": "string" },
                    "wrong": sentences("What is wrong."),
                    "history": sentences("Its events."),
                },
            } },
            "neverBegun": sentences("Steps that began in no order: their guards need another order, or other data."),
        })),
    });
    match schemas {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    }
}

/// A request with a definition: the text of a file, or a registered version.
fn with_definition(others: &Value) -> Value {
    let mut properties = json!({
        "text": { "type": ["string", "null"], "description": "A workflow file." },
        "workflow": {
            "description": "Instead of `text`: a registered version.",
            "type": ["object", "null"],
            "required": ["name", "version"],
            "additionalProperties": false,
            "properties": {
                "name": schema_ref("Name"),
                "version": { "type": "integer", "minimum": 1, "maximum": i32::MAX },
            },
        },
    });
    add(&mut properties, others);
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn result(others: &Value) -> Value {
    let mut properties = json!({
        "state": schema_ref("TrialState"),
        "reason": { "type": "string", "description": "Why it ended early, or failed." },
        "definition": {
            "type": "object",
            "properties": {
                "workflow": schema_ref("Name"),
                "version": { "type": "integer" },
                "steps": { "type": "array", "items": { "type": "object", "properties": {
                    "id": { "type": "string" }, "after": sentences("Its predecessors."),
                    "compensated": { "type": "boolean", "description": "Whether it runs only after compensation." },
                } } },
            },
        },
        "percent": { "type": "integer", "minimum": 0, "maximum": 100, "description": "How much of it is done." },
        "seconds": { "type": "number" },
    });
    add(&mut properties, others);
    json!({ "type": "object", "required": ["state", "definition"], "properties": properties })
}

fn add(properties: &mut Value, others: &Value) {
    if let (Value::Object(properties), Value::Object(others)) = (properties, others) {
        properties.extend(others.clone());
    }
}

fn groups(description: &str, of: &Value) -> Value {
    let mut properties = json!({ "orders": count("How many orders.") });
    add(&mut properties, of);
    json!({ "type": "array", "description": description, "items": { "type": "object", "properties": properties } })
}

fn count(description: &str) -> Value {
    json!({ "type": "integer", "format": "int64", "minimum": 0, "description": description })
}

fn ids() -> Value {
    json!({ "type": "array", "items": schema_ref("OrderId") })
}

fn sentences(description: &str) -> Value {
    json!({ "type": "array", "items": { "type": "string" }, "description": description })
}
