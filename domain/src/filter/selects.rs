//! The filter as a predicate over what it may look at of an order.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::{AmountRange, AttributeFilter, OrderFilter, StepFilter, TimeRange, WorkflowFilter};
use crate::Timestamp;
use crate::order::{Line, Order, OrderPlaced, State, StepStatus};

/// What a filter may look at of an order.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is what the filter's field of that name is about")]
pub struct OrderSummary<'a> {
    pub status: &'a str,
    pub state: State,
    pub customer: &'a str,
    pub workflow: &'a str,
    pub workflow_version: u32,
    pub lines: &'a [Line],
    pub total: Decimal,
    pub placed_at: Timestamp,
    pub updated_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Those that something has happened to.
    pub steps: Vec<(&'a str, StepStatus)>,
    pub stuck_reason: Option<&'a str>,
    pub attributes: &'a Map<String, Value>,
}

impl<'a> OrderSummary<'a> {
    /// An order as it stands.
    pub fn of(order: &'a Order) -> Self {
        Self {
            status: &order.status,
            state: order.state(),
            updated_at: order.updated_at,
            ended_at: order.ended_at,
            steps: order.steps.iter().map(|(id, step)| (id.as_str(), step.status())).collect(),
            stuck_reason: order.stuck_reason(),
            ..Self::of_placing(&order.placed)
        }
    }

    /// An order as it was placed, for a filter of which that decides all
    /// ([`OrderFilter::of_placing`]).
    pub fn of_placing(placed: &'a OrderPlaced) -> Self {
        Self {
            status: "",
            state: State::Running,
            customer: &placed.customer_id,
            workflow: &placed.workflow.name,
            workflow_version: placed.workflow.version,
            lines: &placed.lines,
            total: placed.total,
            placed_at: placed.at,
            updated_at: placed.at,
            ended_at: None,
            steps: Vec::new(),
            stuck_reason: None,
            attributes: &placed.attributes,
        }
    }
}

impl OrderFilter {
    /// Whether an order meets everything that is given.
    pub fn selects(&self, order: &OrderSummary<'_>) -> bool {
        any_of(self.statuses.as_deref(), |status| status == order.status)
            && any_of(self.states.as_deref(), |state| *state == order.state)
            && any_of(self.customers.as_deref(), |customer| customer == order.customer)
            && self.workflow.as_ref().is_none_or(|workflow| workflow.selects(order))
            && any_of(self.skus.as_deref(), |sku| order.lines.iter().any(|line| line.sku == *sku))
            && self.total.has(order.total)
            && self.placed_at.has(Some(order.placed_at))
            && self.updated_at.has(Some(order.updated_at))
            && self.ended_at.has(order.ended_at)
            && self.step.as_ref().is_none_or(|step| order.steps.iter().any(|known| step.selects(*known)))
            && self.stuck_reason.as_ref().is_none_or(|text| is_in(text, order.stuck_reason))
            && self.attributes.iter().all(|attribute| attribute.selects(order.attributes))
    }
}

fn any_of<T>(list: Option<&[T]>, is_met: impl Fn(&T) -> bool) -> bool {
    list.is_none_or(|list| list.iter().any(is_met))
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

impl WorkflowFilter {
    fn selects(&self, order: &OrderSummary<'_>) -> bool {
        let same = |version: i32| i64::from(version) == i64::from(order.workflow_version);
        self.name == order.workflow && self.version.is_none_or(same)
    }
}

impl AmountRange {
    fn has(&self, amount: Decimal) -> bool {
        self.at_least.is_none_or(|least| amount >= least) && self.at_most.is_none_or(|most| amount <= most)
    }
}

impl TimeRange {
    fn has(&self, at: Option<Timestamp>) -> bool {
        let at = at.map(|at| at.timestamp_micros());
        let (from, to) = (self.from.map(|from| from.timestamp_micros()), self.to.map(|to| to.timestamp_micros()));
        from.is_none_or(|from| at.is_some_and(|at| at >= from)) && to.is_none_or(|to| at.is_some_and(|at| at < to))
    }
}

impl StepFilter {
    fn selects(&self, (name, status): (&str, StepStatus)) -> bool {
        self.name.as_ref().is_none_or(|wanted| wanted == name)
            && any_of(self.statuses.as_deref(), |wanted| *wanted == status)
    }
}

impl AttributeFilter {
    fn selects(&self, attributes: &Map<String, Value>) -> bool {
        let Some((first, rest)) = self.path.split_first() else { return false };
        let found = rest.iter().try_fold(attributes.get(first), |found, key| Some(found?.as_object()?.get(key)));
        found.flatten().is_some_and(|found| self.value.as_ref().is_none_or(|value| holds(found, value)))
    }
}

/// Whether a value is in another one, as Postgres' `@>` decides below the top.
fn holds(have: &Value, wanted: &Value) -> bool {
    match (have, wanted) {
        (Value::Object(have), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| have.get(key).is_some_and(|have| holds(have, wanted)))
        }
        (Value::Array(have), Value::Array(wanted)) => {
            wanted.iter().all(|wanted| have.iter().any(|have| holds(have, wanted)))
        }
        (Value::Number(have), Value::Number(wanted)) => have == wanted || crate::json::are_equal(have, wanted),
        (have, wanted) => have == wanted,
    }
}
