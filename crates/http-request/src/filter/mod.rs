//! The JSON syntax of a filter, as in the field `where`. Its meaning and bounds are those of
//! [`domain::filter`].
//!
//! What is not understood is an error, never left out: it would let the filter match more than was
//! meant. For the same reason a list or a range that gives nothing is an error here: a command for
//! no order, or for every order, is a mistake.

mod details;
mod times;
mod values;

use domain::filter::{FilterFault, OrderFilter, WorkflowFilter};
use domain::order::State;
use domain::order::request::Violation;
use http_problem::Problem;
use serde_json::Value;

use self::times::span;
use self::values::{list, text};
use crate::fields::Fields;

/// The filter, and whether it leaves any order out.
pub fn criteria(value: Value, at: &str) -> Result<(OrderFilter, bool), Problem> {
    let mut fields = Fields::of(value, at, "must be an object like {\"state\": [\"RUNNING\"]}")?;
    let filter = OrderFilter {
        statuses: list(&mut fields, "status", text),
        states: list(&mut fields, "state", state),
        customers: list(&mut fields, "customer", text),
        placed_by: list(&mut fields, "placedBy", text),
        workflow: workflow(&mut fields, at),
        skus: list(&mut fields, "sku", text),
        min_lines: fields.whole_number("minLines", 0, &format!("from 0 to {}", u32::MAX)),
        total: details::total(&mut fields, at),
        placed_at: span(&mut fields, "placedAt", at),
        updated_at: span(&mut fields, "updatedAt", at),
        ended_at: span(&mut fields, "endedAt", at),
        step: details::step(&mut fields, at),
        late: late(&mut fields),
        stuck_reason: fields.text("stuckReason", |_| None),
        attributes: details::attributes(&mut fields, at),
    };
    fields.finish()?;
    let filter = filter
        .checked()
        .map_err(|faults| Problem::invalid(faults.iter().map(|fault| violation(fault, at)).collect()))?;
    let filters = filter != OrderFilter::default();
    Ok((filter, filters))
}

fn violation(fault: &FilterFault, at: &str) -> Violation {
    Violation { pointer: format!("{at}{}", fault.pointer()), detail: fault.detail.clone() }
}

fn state(text: &str) -> Result<State, String> {
    let known = State::ALL.iter().find(|state| state.as_str() == text);
    known.copied().ok_or_else(|| format!("is no state: there are {}", State::ALL.map(State::as_str).join(", ")))
}

fn late(fields: &mut Fields) -> Option<bool> {
    fields.has("late").then(|| fields.flag("late"))
}

fn workflow(fields: &mut Fields, at: &str) -> Option<WorkflowFilter> {
    let value = fields.take("workflow")?;
    let mut workflow = fields.below(value, &format!("{at}/workflow"), "must be an object with \"name\"")?;
    let name = workflow.required_text("name", "the workflow's name", |_| None);
    let version = workflow.whole_number("version", 1, "from 1 on");
    fields.wrong_too(workflow.faults());
    Some(WorkflowFilter { name, version })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::response::IntoResponse;
    use domain::Timestamp;
    use domain::filter::{AmountRange, AttributeFilter, StepFilter, TimeRange};
    use domain::order::StepStatus;
    use rust_decimal::Decimal;
    use serde_json::json;

    use super::*;

    /// The pointers of what is wrong with a filter.
    async fn faults(filter: Value) -> Vec<String> {
        let problem = criteria(filter, "/where").unwrap_err();
        let body = axum::body::to_bytes(problem.into_response().into_body(), usize::MAX).await.unwrap();
        let problem: Value = serde_json::from_slice(&body).unwrap();
        problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap().to_owned()).collect()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn every_field_of_the_filter_is_read() {
        let filter = json!({
            "status": ["Placed", "BackOrdered"], "state": "RUNNING", "customer": ["VINET"], "placedBy": ["web"],
            "workflow": { "name": "order-fulfilment", "version": 2 },
            "placedAt": { "from": "2026-01-31T09:00:00+01:00", "to": "2026-02-01T00:00:00Z" },
            "updatedAt": { "from": "2026-01-31T09:00:00Z" }, "endedAt": { "to": "2026-01-31T09:00:00Z" },
            "sku": ["11", "42"], "minLines": 2, "total": { "atLeast": "10.50", "atMost": 99 }, "stuckReason": "409", "late": true,
            "step": { "name": "ship", "status": "STUCK", "participant": "shipping", "olderThan": "90m",
                      "since": { "to": "2026-01-31T09:00:00Z" }, "due": { "from": "2026-01-31T09:00:00Z" } },
            "attributes": [{ "path": "gift" }, { "path": ["delivery", "floor"], "value": 3 }],
        });
        let nine = Some(at("2026-01-31T09:00:00Z"));
        let expected = OrderFilter {
            statuses: Some(vec!["Placed".to_owned(), "BackOrdered".to_owned()]),
            states: Some(vec![State::Running]),
            customers: Some(vec!["VINET".to_owned()]),
            placed_by: Some(vec!["web".to_owned()]),
            workflow: Some(WorkflowFilter { name: "order-fulfilment".to_owned(), version: Some(2) }),
            skus: Some(vec!["11".to_owned(), "42".to_owned()]),
            min_lines: Some(2),
            total: AmountRange { at_least: Some(Decimal::new(1050, 2)), at_most: Some(Decimal::from(99)) },
            placed_at: TimeRange { from: Some(at("2026-01-31T08:00:00Z")), to: Some(at("2026-02-01T00:00:00Z")) },
            updated_at: TimeRange { from: nine, to: None },
            ended_at: TimeRange { from: None, to: nine },
            step: Some(StepFilter {
                name: Some("ship".to_owned()),
                statuses: Some(vec![StepStatus::Stuck]),
                participants: Some(vec!["shipping".to_owned()]),
                since: TimeRange { from: None, to: nine },
                due: TimeRange { from: nine, to: None },
                older_than: Some(Duration::from_mins(90)),
            }),
            late: Some(true),
            stuck_reason: Some("409".to_owned()),
            attributes: vec![
                AttributeFilter { path: vec!["gift".to_owned()], value: None },
                AttributeFilter { path: vec!["delivery".to_owned(), "floor".to_owned()], value: Some(json!(3)) },
            ],
        };
        assert_eq!(criteria(filter, "/where").unwrap(), (expected, true));
    }

    #[test]
    fn what_leaves_no_order_out_is_told_apart() {
        for nothing in [json!({}), json!({ "state": null, "workflow": null, "placedAt": null })] {
            assert_eq!(criteria(nothing, "/where").unwrap(), (OrderFilter::default(), false));
        }
    }

    #[tokio::test]
    async fn what_is_not_understood_is_an_error_with_its_place() {
        for (filter, pointer) in [
            (json!(["RUNNING"]), "/where"),
            (json!({ "states": ["RUNNING"] }), "/where/states"),
            (json!({ "state": "running" }), "/where/state/0"),
            (json!({ "state": ["RUNNING", "ASLEEP"] }), "/where/state/1"),
            (json!({ "state": [] }), "/where/state"),
            (json!({ "status": vec!["Placed"; 101] }), "/where/status"),
            (json!({ "customer": 7 }), "/where/customer/0"),
            (json!({ "placedBy": 7 }), "/where/placedBy/0"),
            (json!({ "workflow": "order-fulfilment" }), "/where/workflow"),
            (json!({ "workflow": { "version": 1 } }), "/where/workflow/name"),
            (json!({ "workflow": { "name": "w", "version": 0 } }), "/where/workflow/version"),
            (json!({ "workflow": { "name": "w", "verison": 1 } }), "/where/workflow/verison"),
            (json!({ "placedAt": {} }), "/where/placedAt"),
            (json!({ "placedAt": "yesterday" }), "/where/placedAt"),
            (json!({ "placedAt": { "from": "yesterday" } }), "/where/placedAt/from"),
            (json!({ "endedAt": { "to": "0000-01-01T00:00:00Z" } }), "/where/endedAt/to"),
            (json!({ "customer": "a\0b" }), "/where/customer/0"),
            (json!({ "minLines": -1 }), "/where/minLines"),
            (json!({ "minLines": "2" }), "/where/minLines"),
            (json!({ "total": {} }), "/where/total"),
            (json!({ "total": { "atLeast": "much" } }), "/where/total/atLeast"),
            (json!({ "total": { "atMost": [1] } }), "/where/total/atMost"),
            (json!({ "total": { "from": 1 } }), "/where/total/from"),
            (json!({ "step": {} }), "/where/step"),
            (json!({ "step": "ship" }), "/where/step"),
            (json!({ "step": { "status": ["STUCK", "PENDING"] } }), "/where/step/status/1"),
            (json!({ "step": { "participant": 7 } }), "/where/step/participant/0"),
            (json!({ "step": { "due": {} } }), "/where/step/due"),
            (json!({ "step": { "since": { "from": "yesterday" } } }), "/where/step/since/from"),
            (json!({ "step": { "olderThan": "an hour" } }), "/where/step/olderThan"),
            (json!({ "step": { "olderThan": "367d" } }), "/where/step/olderThan"),
            (json!({ "late": "yes" }), "/where/late"),
            (json!({ "stuckReason": 409 }), "/where/stuckReason"),
            (json!({ "attributes": [] }), "/where/attributes"),
            (json!({ "attributes": "gift" }), "/where/attributes/0"),
            (json!({ "attributes": {} }), "/where/attributes/0/path"),
            (json!({ "attributes": { "path": [] } }), "/where/attributes/0/path"),
            (json!({ "attributes": [{ "path": "a" }, { "path": vec!["a"; 11] }] }), "/where/attributes/1/path"),
            (json!({ "attributes": { "path": "a", "value": [{ "b": "\0" }] } }), "/where/attributes/0/value"),
            (json!({ "endedAt": { "until": "2026-01-31T09:00:00Z" } }), "/where/endedAt/until"),
        ] {
            assert_eq!(faults(filter.clone()).await, [pointer], "{filter}");
        }
    }
}
