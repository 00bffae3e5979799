//! Which orders: the syntax of GraphQL. What it means is in [`domain::filter`].

use async_graphql::{ID, InputObject};
use chrono::{DateTime, Utc};
use domain::filter::{self, AmountRange, FilterFault, TimeRange};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::schema::{State, StepStatus};

/// Which orders: those that meet everything that is said. A list is met by any of its values.
#[derive(Debug, Clone, Default, InputObject)]
pub struct OrderFilter {
    /// Business status.
    status: Option<Vec<String>>,
    /// Where the execution stands.
    state: Option<Vec<State>>,
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

impl OrderFilter {
    /// The filter as the views take it, or the first that is wrong with it.
    pub fn checked(self) -> Result<filter::OrderFilter, FilterFault> {
        let total = self.total.unwrap_or_default();
        let translated = filter::OrderFilter {
            statuses: sorted(self.status, |status| status),
            states: sorted(self.state, State::to_domain),
            customers: sorted(self.customer, |id| id.0),
            workflow: self.workflow.map(|WorkflowFilter { name, version }| filter::WorkflowFilter { name, version }),
            skus: sorted(self.sku, |sku| sku),
            total: AmountRange { at_least: total.at_least, at_most: total.at_most },
            placed_at: range(self.placed_at),
            updated_at: range(self.updated_at),
            ended_at: range(self.ended_at),
            step: self.step.map(|StepFilter { name, status }| filter::StepFilter {
                name,
                statuses: sorted(status, StepStatus::to_domain),
            }),
            stuck_reason: self.stuck_reason,
            attributes: self.attributes.into_iter().flatten().map(attribute).collect(),
        };
        translated.checked().map_err(|mut faults| faults.swap_remove(0))
    }
}

fn attribute(AttributeFilter { path, value }: AttributeFilter) -> filter::AttributeFilter {
    filter::AttributeFilter { path, value }
}

fn range(range: Option<DateTimeRange>) -> TimeRange {
    let DateTimeRange { from, to } = range.unwrap_or_default();
    TimeRange { from, to }
}

/// A list means the same in any order. So two subscriptions that wait for the same orders are one.
fn sorted<T, U: Ord>(values: Option<Vec<T>>, translate: impl Fn(T) -> U) -> Option<Vec<U>> {
    let mut values: Vec<U> = values?.into_iter().map(translate).collect();
    values.sort_unstable();
    Some(values)
}

/// A NUL is in no text of the views, and Postgres refuses to compare with one.
pub fn comparable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
