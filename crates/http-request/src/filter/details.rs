//! The parts of a filter about an order's content: its total, one of its steps, its attributes.

use std::time::Duration;

use domain::duration;
use domain::filter::{AmountRange, AttributeFilter, NO_AGE, StepFilter};
use domain::order::StepStatus;
use rust_decimal::Decimal;
use serde_json::Value;

use super::times::span;
use super::values::{list, range, text};
use crate::fields::Fields;

pub(super) fn total(fields: &mut Fields, at: &str) -> AmountRange {
    let (low, high) = ("atLeast", "atMost");
    range(fields, "total", at, [low, high], |bounds| AmountRange {
        at_least: amount(bounds, low),
        at_most: amount(bounds, high),
    })
}

/// A number, or a text that holds one exactly.
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

pub(super) fn step(fields: &mut Fields, at: &str) -> Option<StepFilter> {
    let what = "must be an object with at least one of \"name\", \"status\", \"participant\", \"since\", \"due\" and \
                \"olderThan\"";
    let place = format!("{at}/step");
    let value = fields.take("step")?;
    let mut step = fields.below(value, &place, what)?;
    let criteria = StepFilter {
        name: step.text("name", |_| None),
        statuses: list(&mut step, "status", status),
        participants: list(&mut step, "participant", text),
        since: span(&mut step, "since", &place),
        due: span(&mut step, "due", &place),
        older_than: age(&mut step),
    };
    let faults = step.faults();
    if faults.is_empty() && criteria.is_open() {
        fields.wrong("step", what);
    }
    fields.wrong_too(faults);
    Some(criteria)
}

fn age(step: &mut Fields) -> Option<Duration> {
    let text = step.text("olderThan", |text| duration::parse(text).is_none().then(|| NO_AGE.to_owned()))?;
    duration::parse(&text)
}

fn status(text: &str) -> Result<StepStatus, String> {
    let known = StepStatus::BEGUN.iter().find(|status| status.as_str() == text);
    known.copied().ok_or_else(|| {
        let known = StepStatus::BEGUN.map(StepStatus::as_str).join(", ");
        format!("is not a status of a step that has begun; allowed are {known}")
    })
}

/// A list of attributes, or one for a list of one.
pub(super) fn attributes(fields: &mut Fields, at: &str) -> Vec<AttributeFilter> {
    let values = match fields.take("attributes") {
        None => return Vec::new(),
        Some(Value::Array(values)) if values.is_empty() => {
            fields.wrong("attributes", "must name an attribute: an empty list leaves no order out");
            return Vec::new();
        }
        Some(Value::Array(values)) => values,
        Some(one) => vec![one],
    };
    let attribute = |(index, value)| attribute(fields, value, &format!("{at}/attributes/{index}"));
    values.into_iter().enumerate().filter_map(attribute).collect()
}

fn attribute(fields: &mut Fields, value: Value, at: &str) -> Option<AttributeFilter> {
    let mut attribute =
        fields.below(value, at, "must be an object with \"path\" and, if its value matters, \"value\"")?;
    let is_given = attribute.has("path");
    let path = list(&mut attribute, "path", text).unwrap_or_default();
    if !is_given {
        attribute.wrong("path", "must be there: the keys, from the outermost on");
    }
    let value = attribute.take("value");
    fields.wrong_too(attribute.faults());
    Some(AttributeFilter { path, value })
}
