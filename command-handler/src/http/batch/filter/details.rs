//! What a filter says of an order's inside: its total, one of its steps, and what the shop keeps with it.

use domain::order::StepStatus;
use rust_decimal::Decimal;
use serde_json::Value;

use super::super::super::fields::Fields;
use super::{below, list, nul_fault, range};
use crate::selection::{Amounts, AttributeCriteria, StepCriteria};

/// The most attributes of one filter, and the most keys on the way to one.
const MOST: usize = 10;

pub(super) fn total(fields: &mut Fields, at: &str) -> Amounts {
    let (low, high) = ("atLeast", "atMost");
    range(fields, "total", at, [low, high], |bounds| Amounts {
        at_least: amount(bounds, low),
        at_most: amount(bounds, high),
    })
}

/// A number, or a text that is one: that loses nothing.
fn amount(bounds: &mut Fields, name: &str) -> Option<Decimal> {
    let value = bounds.take(name)?;
    let text = match &value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let amount = Decimal::from_str_exact(&text).ok();
    if amount.is_none() {
        bounds.wrong(name, format!("must be an amount like \"14.00\", found {value}"));
    }
    amount
}

pub(super) fn step(fields: &mut Fields, at: &str) -> Option<StepCriteria> {
    let what = "must be an object with \"name\", \"status\" or both";
    let value = fields.take("step")?;
    let mut step = below(fields, value, &format!("{at}/step"), what)?;
    let criteria = StepCriteria { name: step.text("name", nul_fault), statuses: list(&mut step, "status", step_fault) };
    let faults = step.faults();
    if faults.is_empty() && criteria.name.is_none() && criteria.statuses.is_none() {
        fields.wrong("step", what);
    }
    fields.wrong_too(faults);
    Some(criteria)
}

fn step_fault(text: &str) -> Option<String> {
    let known = StepStatus::BEGUN.map(StepStatus::as_str);
    (!known.contains(&text))
        .then(|| format!("is nowhere that a step which has begun stands: there are {}", known.join(", ")))
}

/// A list of attributes, or one for a list of one.
pub(super) fn attributes(fields: &mut Fields, at: &str) -> Vec<AttributeCriteria> {
    let values = match fields.take("attributes") {
        None => return Vec::new(),
        Some(Value::Array(values)) if (1..=MOST).contains(&values.len()) => values,
        Some(Value::Array(values)) => {
            fields.wrong("attributes", format!("must be 1 to {MOST}, found {}", values.len()));
            return Vec::new();
        }
        Some(one) => vec![one],
    };
    let attribute = |(index, value)| attribute(fields, value, &format!("{at}/attributes/{index}"));
    values.into_iter().enumerate().filter_map(attribute).collect()
}

fn attribute(fields: &mut Fields, value: Value, at: &str) -> Option<AttributeCriteria> {
    let mut attribute = below(fields, value, at, "must be an object with \"path\", and \"value\" if that is meant")?;
    let is_said = attribute.has("path");
    let path = list(&mut attribute, "path", |_| None).unwrap_or_default();
    if !is_said || path.len() > MOST {
        attribute.wrong("path", format!("must be 1 to {MOST} keys, from the outermost on"));
    }
    let value = attribute.take("value");
    if value.as_ref().is_some_and(has_nul) {
        attribute.wrong("value", "must have no NUL: no attribute of an order has one");
    }
    fields.wrong_too(attribute.faults());
    Some(AttributeCriteria { path, value })
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
