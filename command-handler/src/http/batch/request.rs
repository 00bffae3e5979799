//! The request for a batch.

use std::collections::HashSet;

use access::Caller;
use chrono::{DateTime, Utc};
use domain::filter::OrderFilter;
use domain::ids::OrderId;
use http_problem::Problem;
use http_request::{Fields, filter};
use serde_json::{Map, Value};

use super::super::instruction::{self, OperatorAction};
use crate::batches::Which;
use crate::instruction::Instruction;

/// The most orders that one request names.
pub(in super::super) const MAX_ORDERS: usize = 500;

/// A batch.
#[derive(Debug, PartialEq)]
pub(super) struct Batch {
    pub instruction: Instruction,
    pub which: Which,
    /// The fields of the request that select the orders.
    pub selection: Value,
    /// Only report the number of orders.
    pub dry_run: bool,
}

pub(super) fn checked(body: Value, caller: &Caller) -> Result<Batch, Problem> {
    let selection = selection_in(&body);
    let mut fields =
        Fields::of(body, "", "must be an object with \"operation\", \"reason\" and \"where\" or \"orders\"")?;
    let actions = OperatorAction::ALL.map(OperatorAction::as_str).join(", ");
    let unknown =
        |text: &str| OperatorAction::of(text).is_none().then(|| format!("must be one of {actions}, found {text:?}"));
    let action = OperatorAction::of(&fields.required_text("operation", &format!("one of {actions}"), unknown));
    // The allowed fields depend on the action, so other faults are reported once it is known.
    let Some(action) = action else { return Err(Problem::invalid(fields.noted())) };
    let instruction = instruction::take(action, &mut fields, caller);
    let dry_run = fields.flag("dryRun");
    let which = which(&mut fields, Utc::now())?;
    fields.finish()?;
    Ok(Batch { instruction, which, selection, dry_run })
}

/// The fields of a request that select orders.
fn selection_in(body: &Value) -> Value {
    let field = |name: &str| Some((name.to_owned(), body.get(name)?.clone()));
    ["orders", "where", "all", "after"].into_iter().filter_map(field).collect::<Map<_, _>>().into()
}

/// Reads such fields again: the orders that they selected at that time. A batch that was
/// interrupted goes on `after` an order.
pub(in super::super) fn selected(selection: &Value, at: DateTime<Utc>, after: Option<&str>) -> Result<Which, Problem> {
    let mut fields = Fields::of(selection.clone(), "", "must be an object")?;
    let mut which = which(&mut fields, at)?;
    fields.finish()?;
    match (&mut which, after) {
        (_, None) => {}
        (Which::Named(ids), Some(after)) => {
            let done = ids.iter().position(|id| id == after);
            let done = done.ok_or_else(|| Problem::at("/after", "must be one of the orders that are named"))?;
            ids.drain(..=done);
        }
        (Which::Matching { after: begins, .. }, Some(after)) => *begins = Some(after.to_owned()),
    }
    Ok(which)
}

fn which(fields: &mut Fields, now: DateTime<Utc>) -> Result<Which, Problem> {
    let (orders, filter, all) = (fields.take("orders"), fields.take("where"), fields.flag("all"));
    let after = fields.text("after", |id| OrderId::new(id).err().map(|error| format!("as an order's id, it {error}")));
    if let Some(orders) = orders {
        if filter.is_some() || all || after.is_some() {
            fields.wrong("orders", "excludes \"where\", \"all\" and \"after\", which select orders by a filter");
        }
        return Ok(Which::Named(named(fields, orders)));
    }
    let (criteria, filters) = match filter {
        None => (OrderFilter::default(), false),
        Some(filter) => filter::criteria(filter, "/where")?,
    };
    match (filters, all) {
        (false, false) => fields.wrong("where", "must select orders; for every order, use \"all\": true"),
        (true, true) => fields.wrong("all", "must not be true where \"where\" leaves orders out"),
        (true, false) | (false, true) => {}
    }
    Ok(Which::Matching { criteria: Box::new(criteria.at(now)), after })
}

fn named(fields: &mut Fields, orders: Value) -> Vec<String> {
    let Value::Array(orders) = orders else {
        fields.wrong("orders", "must be a list of orders' ids");
        return Vec::new();
    };
    if !(1..=MAX_ORDERS).contains(&orders.len()) {
        fields.wrong("orders", format!("must name 1 to {MAX_ORDERS} orders, found {}", orders.len()));
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let mut ids = Vec::with_capacity(orders.len());
    for (index, order) in orders.into_iter().enumerate() {
        match order {
            Value::String(id) if seen.insert(id.clone()) => ids.push(id),
            Value::String(_) => fields.wrong(&format!("orders/{index}"), "is named twice"),
            other => fields.wrong(&format!("orders/{index}"), format!("must be an order's id, found {other}")),
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use domain::order::{Operation, State};
    use serde_json::json;

    use super::*;

    /// The pointers of what is wrong with a batch.
    async fn faults(body: Value) -> Vec<String> {
        let problem = checked(body, &Caller::Anyone).unwrap_err();
        let body = axum::body::to_bytes(problem.into_response().into_body(), usize::MAX).await.unwrap();
        let problem: Value = serde_json::from_slice(&body).unwrap();
        problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap().to_owned()).collect()
    }

    fn cancel(more: &Value) -> Value {
        let mut body = json!({ "operation": "cancel", "reason": "recalled" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    }

    #[test]
    fn orders_are_named_or_match_a_filter() {
        let named = checked(cancel(&json!({ "orders": ["b", "a"] })), &Caller::Anyone).unwrap();
        assert_eq!(named.instruction.operation, Operation::Cancel);
        assert_eq!(named.which, Which::Named(vec!["b".to_owned(), "a".to_owned()]));
        let matching =
            checked(cancel(&json!({ "where": { "state": "RUNNING" }, "after": "7", "dryRun": true })), &Caller::Anyone)
                .unwrap();
        assert!(matching.dry_run);
        let Which::Matching { criteria, after } = matching.which else { panic!("{matching:?}") };
        assert_eq!((criteria.states, after), (Some(vec![State::Running]), Some("7".to_owned())));
    }

    #[test]
    fn every_single_order_has_to_be_meant() {
        for all in [json!({ "all": true }), json!({ "all": true, "where": {} })] {
            let Which::Matching { criteria, .. } = checked(cancel(&all), &Caller::Anyone).unwrap().which else {
                panic!()
            };
            assert_eq!(*criteria, OrderFilter::default());
        }
    }

    #[tokio::test]
    async fn each_fault_is_reported_with_its_place() {
        for (more, pointers) in [
            (json!({}), vec!["/where"]),
            (json!({ "where": {} }), vec!["/where"]),
            (json!({ "where": { "state": null }, "all": false }), vec!["/where"]),
            (json!({ "where": { "state": "RUNNING" }, "all": true }), vec!["/all"]),
            (json!({ "where": { "sate": "RUNNING" } }), vec!["/where/sate"]),
            (json!({ "operation": "delete", "all": true }), vec!["/operation"]),
            (json!({ "operation": null, "all": true }), vec!["/operation"]),
            (json!({ "reason": "", "all": true }), vec!["/reason"]),
            (json!({ "step": "ship", "all": true }), vec!["/step"]),
            (json!({ "operation": "skip", "all": true }), vec!["/step"]),
            (json!({ "all": true, "after": "a b" }), vec!["/after"]),
            (json!({ "orders": [] }), vec!["/orders"]),
            (json!({ "orders": vec!["a"; 501] }), vec!["/orders"]),
            (json!({ "orders": "a" }), vec!["/orders"]),
            (json!({ "orders": ["a", 1, "a"] }), vec!["/orders/1", "/orders/2"]),
            (json!({ "orders": ["a"], "where": { "state": "RUNNING" } }), vec!["/orders"]),
            (json!({ "orders": ["a"], "after": "a" }), vec!["/orders"]),
        ] {
            assert_eq!(faults(cancel(&more)).await, pointers, "{more}");
        }
    }
}
