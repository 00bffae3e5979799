//! Which orders a filter selects: one meaning, for GraphQL, for batches, for the command line and
//! over past orders.
//!
//! Parsers translate their syntax into an [`OrderFilter`] and have it
//! [`checked`](OrderFilter::checked); `views` has its only SQL, and [`OrderFilter::selects`] is the
//! same as a predicate. A test on random orders and random filters compares the two. The rules:
//!
//! - An order meets a filter if it meets everything that is given. A list is met by any of its
//!   values, and so an empty one by no order. (A batch refuses an empty list, since a command for
//!   no order is a mistake.)
//! - A NUL is refused, with the field that has it: no text of an order has one, and Postgres
//!   compares with none.
//! - A range of time has its beginning and not its end, to the microsecond; a range of amounts has
//!   both. An order without the value is in no range.
//! - The keys of an attribute lead through objects, not through lists. A value is met by what it is
//!   equal to, by an object with more fields, and by a list with more items. Numbers are equal by
//!   their value: 3 is 3.0.
//! - All conditions on a step are met by one step. An age counts from the moment at which the
//!   filter is used ([`OrderFilter::at`]).
//! - Everything is bounded: [`MAX_VALUES`], [`MAX_ATTRIBUTES`].

mod criteria;
mod faults;
mod summary;
#[cfg(test)]
mod tests;

use serde::{Serialize, Serializer};

use crate::Timestamp;
use crate::order::State;

pub use criteria::{AmountRange, AttributeFilter, StepFilter, TimeRange, WorkflowFilter, within_history};
pub use faults::{FilterFault, NO_AGE, STEP_FIELDS};
pub use summary::{OrderSummary, StepSummary};

use criteria::any_of;

/// The most values in one list.
pub const MAX_VALUES: usize = 100;
/// The most attributes of one filter, and the most keys on the way to one.
pub const MAX_ATTRIBUTES: usize = 10;

/// Which orders. As JSON it is what a batch takes as `where`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderFilter {
    /// Business status.
    #[serde(rename = "status", skip_serializing_if = "Option::is_none")]
    pub statuses: Option<Vec<String>>,
    /// Where the execution stands.
    #[serde(rename = "state", skip_serializing_if = "Option::is_none", serialize_with = "states")]
    pub states: Option<Vec<State>>,
    /// Ids of customers.
    #[serde(rename = "customer", skip_serializing_if = "Option::is_none")]
    pub customers: Option<Vec<String>>,
    /// Principals that placed it.
    #[serde(rename = "placedBy", skip_serializing_if = "Option::is_none")]
    pub placed_by: Option<Vec<String>>,
    /// The definition followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowFilter>,
    /// Stock-keeping units, one of which is that of a line.
    #[serde(rename = "sku", skip_serializing_if = "Option::is_none")]
    pub skus: Option<Vec<String>>,
    /// The least number of lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_lines: Option<u32>,
    /// The sum over the lines, whatever the currency.
    #[serde(skip_serializing_if = "AmountRange::is_open")]
    pub total: AmountRange,
    /// When the order was placed.
    #[serde(skip_serializing_if = "TimeRange::is_open")]
    pub placed_at: TimeRange,
    /// When something last happened to it.
    #[serde(skip_serializing_if = "TimeRange::is_open")]
    pub updated_at: TimeRange,
    /// When it ended.
    #[serde(skip_serializing_if = "TimeRange::is_open")]
    pub ended_at: TimeRange,
    /// A step that something has happened to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepFilter>,
    /// Whether it is late: whether the time has passed by which it was expected to end. Only the
    /// views know this, and only of the present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late: Option<bool>,
    /// Text in the reason why it waits for an operator, whether in capitals or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck_reason: Option<String>,
    /// What else the shop keeps with the order: all of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<AttributeFilter>,
}

impl OrderFilter {
    /// Whether an order meets everything that is given.
    pub fn selects(&self, order: &OrderSummary<'_>) -> bool {
        any_of(self.statuses.as_deref(), |status| status == order.status)
            && any_of(self.states.as_deref(), |state| *state == order.state)
            && any_of(self.customers.as_deref(), |customer| customer == order.customer)
            && any_of(self.placed_by.as_deref(), |principal| order.placed_by == Some(principal.as_str()))
            && self.workflow.as_ref().is_none_or(|workflow| workflow.selects(order))
            && any_of(self.skus.as_deref(), |sku| order.lines.iter().any(|line| line.sku == *sku))
            && self.min_lines.is_none_or(|least| order.lines.len() as u64 >= u64::from(least))
            && self.total.has(order.total)
            && self.placed_at.has(Some(order.placed_at))
            && self.updated_at.has(Some(order.updated_at))
            && self.ended_at.has(order.ended_at)
            && self.step.as_ref().is_none_or(|step| order.steps.iter().any(|known| step.selects(known)))
            && self.late.is_none_or(|late| late == order.late)
            && self.stuck_reason.as_ref().is_none_or(|text| is_in(text, order.stuck_reason))
            && self.attributes.iter().all(|attribute| attribute.selects(order.attributes))
    }

    /// The filter at a moment, from which ages count.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        Self { step: self.step.map(|step| step.at(now)), ..self }
    }

    /// The part that the placing of an order decides, whatever happens to it later.
    #[must_use]
    pub fn of_placing(&self) -> Self {
        let Self { customers, placed_by, workflow, skus, min_lines, total, placed_at, attributes, .. } = self.clone();
        Self { customers, placed_by, workflow, skus, min_lines, total, placed_at, attributes, ..Self::default() }
    }
}

fn is_in(text: &str, reason: Option<&str>) -> bool {
    reason.is_some_and(|reason| lower(reason).contains(&lower(text)))
}

/// Each letter by itself, as Postgres does it: none becomes two, and none is another at the end of
/// a word.
fn lower(text: &str) -> String {
    let letter = |letter: char| {
        let mut lower = letter.to_lowercase();
        lower.next().filter(|_| lower.next().is_none()).unwrap_or(letter)
    };
    text.chars().map(letter).collect()
}

#[expect(clippy::ref_option, reason = "serde asks for it")]
fn states<S: Serializer>(states: &Option<Vec<State>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(states.iter().flatten().map(|state| state.as_str()))
}
