//! Which orders.

use async_graphql::{ID, InputObject};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::Value;
use views::filter::{AttributeCriteria, Criteria, StepCriteria, TimeRange};

use crate::schema::{OrderState, StepStatus};

/// The most values in one list of a filter.
const MAX_VALUES: usize = 100;
/// The most attributes that one filter names, and the most keys on the way to one.
const MAX_ATTRIBUTES: usize = 10;

/// Which orders: those that meet everything that is said. A list is met by any of its values.
#[derive(Debug, Clone, Default, InputObject)]
pub struct OrderFilter {
    /// Business status.
    status: Option<Vec<String>>,
    /// Where the execution stands.
    state: Option<Vec<OrderState>>,
    /// Id of the customer.
    customer: Option<Vec<ID>>,
    /// The definition followed.
    workflow: Option<WorkflowFilter>,
    /// Stock-keeping unit of a line.
    sku: Option<Vec<String>>,
    /// The sum over the lines, whatever the currency.
    total: Option<DecimalRange>,
    /// When the order was placed.
    placed_at: Option<DateTimeRange>,
    /// When something last happened to the order.
    updated_at: Option<DateTimeRange>,
    /// When the order came to its end. An order that has not is in no range that has a bound.
    ended_at: Option<DateTimeRange>,
    /// A step that something has happened to.
    step: Option<StepFilter>,
    /// Text in the reason why it waits for an operator, whether in capitals or not.
    stuck_reason: Option<String>,
    /// What else the shop keeps with the order. All of these are met.
    attributes: Option<Vec<AttributeFilter>>,
}

/// A definition, in all its versions or in one.
#[derive(Debug, Clone, InputObject)]
pub struct WorkflowFilter {
    name: String,
    version: Option<i32>,
}

/// A span of time.
#[derive(Debug, Clone, Default, InputObject)]
pub struct DateTimeRange {
    /// Not before this.
    from: Option<DateTime<Utc>>,
    /// Before this.
    to: Option<DateTime<Utc>>,
}

/// A range of amounts, its bounds included.
#[derive(Debug, Clone, Default, InputObject)]
pub struct DecimalRange {
    at_least: Option<Decimal>,
    at_most: Option<Decimal>,
}

/// A step, by its name, by where it stands, or by both. One that has not begun is not found.
#[derive(Debug, Clone, Default, InputObject)]
pub struct StepFilter {
    name: Option<String>,
    status: Option<Vec<StepStatus>>,
}

/// An attribute: that it is there, or what it is.
#[derive(Debug, Clone, InputObject)]
pub struct AttributeFilter {
    /// The keys that lead to it, from the outermost on.
    path: Vec<String>,
    /// What it is; of an object or a list, what is in it among other things.
    value: Option<Value>,
}

/// What is wrong with a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error("`{0}` takes at most {MAX_VALUES} values")]
    TooManyValues(&'static str),
    #[error("`attributes` takes at most {MAX_ATTRIBUTES}")]
    TooManyAttributes,
    #[error("`attributes[{0}].path` takes 1 to {MAX_ATTRIBUTES} keys")]
    Path(usize),
    #[error("`step` takes a `name`, a `status` or both")]
    NoStep,
    #[error("`step.status` takes no PENDING: only steps that have begun are found")]
    NotBegun,
}

impl OrderFilter {
    /// Checks the filter.
    pub fn criteria(self) -> Result<Criteria, FilterError> {
        let total = self.total.unwrap_or_default();
        Ok(Criteria {
            statuses: bounded("status", self.status, |status| status)?,
            states: bounded("state", self.state, |state| state.as_str().to_owned())?,
            customers: bounded("customer", self.customer, |id| id.0)?,
            workflow: self.workflow.map(|workflow| (comparable(&workflow.name), workflow.version)),
            skus: bounded("sku", self.sku, |sku| sku)?,
            total: (total.at_least, total.at_most),
            placed_at: range(self.placed_at),
            updated_at: range(self.updated_at),
            ended_at: range(self.ended_at),
            step: self.step.map(StepFilter::criteria).transpose()?,
            stuck_reason: self.stuck_reason.map(|text| comparable(&text)),
            attributes: attributes(self.attributes.unwrap_or_default())?,
        })
    }
}

impl StepFilter {
    fn criteria(self) -> Result<StepCriteria, FilterError> {
        if self.name.is_none() && self.status.is_none() {
            return Err(FilterError::NoStep);
        }
        if self.status.as_ref().is_some_and(|statuses| statuses.contains(&StepStatus::Pending)) {
            return Err(FilterError::NotBegun);
        }
        Ok(StepCriteria {
            name: self.name.map(|name| comparable(&name)),
            statuses: bounded("step.status", self.status, |status| status.as_str().to_owned())?,
        })
    }
}

fn attributes(wanted: Vec<AttributeFilter>) -> Result<Vec<AttributeCriteria>, FilterError> {
    if wanted.len() > MAX_ATTRIBUTES {
        return Err(FilterError::TooManyAttributes);
    }
    let attribute = |(index, AttributeFilter { path, value }): (usize, AttributeFilter)| {
        let path: Vec<String> = path.iter().map(|key| comparable(key)).collect();
        if !(1..=MAX_ATTRIBUTES).contains(&path.len()) {
            return Err(FilterError::Path(index));
        }
        let within = |value, key: String| Value::Object([(key, value)].into_iter().collect());
        Ok(match value {
            None => AttributeCriteria::There(path[0].clone(), path),
            Some(value) => AttributeCriteria::Holds(path.into_iter().rev().fold(comparable_json(value), within)),
        })
    };
    wanted.into_iter().enumerate().map(attribute).collect()
}

/// Sorted, and each value once: what is meant by a list depends on neither.
fn bounded<T>(
    name: &'static str,
    values: Option<Vec<T>>,
    text: impl Fn(T) -> String,
) -> Result<Option<Vec<String>>, FilterError> {
    let Some(values) = values else { return Ok(None) };
    if values.len() > MAX_VALUES {
        return Err(FilterError::TooManyValues(name));
    }
    let mut texts: Vec<String> = values.into_iter().map(|value| comparable(&text(value))).collect();
    texts.sort_unstable();
    texts.dedup();
    Ok(Some(texts))
}

/// A NUL is in no text of the views, and Postgres refuses to compare with one.
pub fn comparable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The same of every text in a value.
fn comparable_json(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(comparable(&text)),
        Value::Array(values) => values.into_iter().map(comparable_json).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(key, value)| (comparable(&key), comparable_json(value))).collect()
        }
        other => other,
    }
}

fn range(range: Option<DateTimeRange>) -> TimeRange {
    let DateTimeRange { from, to } = range.unwrap_or_default();
    TimeRange { from: from.map(within_history), to: to.map(within_history) }
}

/// No order is outside these years, and Postgres takes no moment that is far outside.
pub fn within_history(at: DateTime<Utc>) -> DateTime<Utc> {
    const YEAR_1: i64 = -62_135_596_800;
    const YEAR_10000: i64 = 253_402_300_800;
    DateTime::from_timestamp(at.timestamp().clamp(YEAR_1, YEAR_10000), at.timestamp_subsec_nanos()).unwrap_or(at)
}
