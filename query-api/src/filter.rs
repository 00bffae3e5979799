//! The syntax of an order filter in GraphQL. Its meaning is in [`domain::filter`].

use async_graphql::{ID, InputObject};
use chrono::{DateTime, Utc};
use domain::duration;
use domain::filter::{self, AmountRange, FilterFault, TimeRange};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::schema::{State, StepStatus};

/// Which orders: those that match all of these conditions. An order matches a list if it has one of
/// its values.
#[derive(Debug, Clone, Default, InputObject)]
pub struct OrderFilter {
    /// Business status.
    status: Option<Vec<String>>,
    /// State of the execution.
    state: Option<Vec<State>>,
    /// Id of the customer.
    customer: Option<Vec<ID>>,
    /// Principal that placed the order.
    placed_by: Option<Vec<String>>,
    /// The definition followed.
    workflow: Option<WorkflowFilter>,
    /// Stock-keeping unit of a line.
    sku: Option<Vec<String>>,
    /// The least number of lines.
    min_lines: Option<u32>,
    /// The sum over the lines, whatever the currency.
    total: Option<DecimalRange>,
    /// When the order was placed.
    placed_at: Option<DateTimeRange>,
    /// When the last event of the order was decided.
    updated_at: Option<DateTimeRange>,
    /// When the order ended. An open order is in no range that has a bound.
    ended_at: Option<DateTimeRange>,
    /// A step that has begun or was skipped.
    step: Option<StepFilter>,
    /// Whether the order is late: whether the time has passed by which it was expected to end. In a
    /// subscription, an order arrives when it becomes late.
    late: Option<bool>,
    /// Text in the reason why the order is stuck. Capital and small letters are the same.
    stuck_reason: Option<String>,
    /// Other data that the shop keeps with the order. An order matches all of these.
    attributes: Option<Vec<AttributeFilter>>,
}

/// A definition, in all its versions or in one.
#[derive(Debug, Clone, InputObject)]
pub struct WorkflowFilter {
    name: String,
    version: Option<i32>,
}

/// A time range.
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

/// A step that meets all of these. A step that has not begun is not found.
#[derive(Debug, Clone, Default, InputObject)]
pub struct StepFilter {
    name: Option<String>,
    status: Option<Vec<StepStatus>>,
    /// The participants that it was requested of.
    participant: Option<Vec<String>>,
    /// When its present stage began: the field `since` of a step.
    since: Option<DateTimeRange>,
    /// When something is due at it: the field `dueAt` of a step. A step at which nothing is due is
    /// in no range that has a bound.
    due: Option<DateTimeRange>,
    /// How long its present stage has lasted at least, such as `"90s"`, `"10m"`, `"2h"` or `"3d"`,
    /// at most a year, counted back from when the request is answered; in a subscription, from
    /// when it begins.
    older_than: Option<String>,
}

/// An attribute: that it exists, or its value.
#[derive(Debug, Clone, InputObject)]
pub struct AttributeFilter {
    /// The keys that lead to the attribute, from the outermost on.
    path: Vec<String>,
    /// Its value. For an object or a list, the parts that it has among others.
    value: Option<Value>,
}

impl OrderFilter {
    /// The filter at a moment, as the views take it, or its first fault.
    pub fn checked(self, now: DateTime<Utc>) -> Result<filter::OrderFilter, FilterFault> {
        let total = self.total.unwrap_or_default();
        let translated = filter::OrderFilter {
            statuses: sorted(self.status, |status| status),
            states: sorted(self.state, State::to_domain),
            customers: sorted(self.customer, |id| id.0),
            placed_by: sorted(self.placed_by, |principal| principal),
            workflow: self.workflow.map(|WorkflowFilter { name, version }| filter::WorkflowFilter { name, version }),
            skus: sorted(self.sku, |sku| sku),
            min_lines: self.min_lines,
            total: AmountRange { at_least: total.at_least, at_most: total.at_most },
            placed_at: range(self.placed_at),
            updated_at: range(self.updated_at),
            ended_at: range(self.ended_at),
            step: self.step.map(StepFilter::read).transpose()?,
            late: self.late,
            stuck_reason: self.stuck_reason,
            attributes: self.attributes.into_iter().flatten().map(attribute).collect(),
        };
        translated.checked().map(|filter| filter.at(now)).map_err(|mut faults| faults.swap_remove(0))
    }
}

impl StepFilter {
    fn read(self) -> Result<filter::StepFilter, FilterFault> {
        let age = |text: String| duration::parse(&text).ok_or_else(FilterFault::no_age);
        Ok(filter::StepFilter {
            name: self.name,
            statuses: sorted(self.status, StepStatus::to_domain),
            participants: sorted(self.participant, |participant| participant),
            since: range(self.since),
            due: range(self.due),
            older_than: self.older_than.map(age).transpose()?,
        })
    }
}

fn attribute(AttributeFilter { path, value }: AttributeFilter) -> filter::AttributeFilter {
    filter::AttributeFilter { path, value }
}

fn range(range: Option<DateTimeRange>) -> TimeRange {
    let DateTimeRange { from, to } = range.unwrap_or_default();
    TimeRange { from, to }
}

/// A list means the same in any order. So two subscriptions for the same orders share one filter.
fn sorted<T, U: Ord>(values: Option<Vec<T>>, translate: impl Fn(T) -> U) -> Option<Vec<U>> {
    let mut values: Vec<U> = values?.into_iter().map(translate).collect();
    values.sort_unstable();
    Some(values)
}

/// No text of the views has a NUL, and Postgres refuses to compare with one.
pub fn comparable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
