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
//! - Everything is bounded: [`MAX_VALUES`], [`MAX_ATTRIBUTES`].

mod selects;
#[cfg(test)]
mod tests;

use std::fmt;

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::Timestamp;
use crate::json::push_token;
use crate::order::{State, StepStatus};

pub use selects::OrderSummary;

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
    /// The definition followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowFilter>,
    /// Stock-keeping units, one of which is that of a line.
    #[serde(rename = "sku", skip_serializing_if = "Option::is_none")]
    pub skus: Option<Vec<String>>,
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
    /// Text in the reason why it waits for an operator, whether in capitals or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck_reason: Option<String>,
    /// What else the shop keeps with the order: all of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<AttributeFilter>,
}

/// A definition, in all its versions or in one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkflowFilter {
    /// Its name.
    pub name: String,
    /// `None`: any version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i32>,
}

/// A range of amounts, its bounds included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AmountRange {
    /// Not less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Decimal>,
    /// Not more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Decimal>,
}

/// A range of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TimeRange {
    /// Not before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

/// A step, by its name, by where it stands, or by both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StepFilter {
    /// `None`: any step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `None`: wherever it stands.
    #[serde(rename = "status", skip_serializing_if = "Option::is_none", serialize_with = "step_statuses")]
    pub statuses: Option<Vec<StepStatus>>,
}

/// An attribute: that it exists, or what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttributeFilter {
    /// The keys that lead to it, from the outermost on; at least one.
    pub path: Vec<String>,
    /// What it is, or what is in it among other things; `None`: that it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// What is wrong with a filter, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterFault {
    place: Vec<Token>,
    /// What is allowed, to be read after the place.
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Field(&'static str),
    Item(usize),
}

use Token::{Field, Item};

impl FilterFault {
    /// Where, from the filter on (RFC 6901).
    pub fn pointer(&self) -> String {
        let mut pointer = String::new();
        for token in &self.place {
            match token {
                Field(name) => push_token(&mut pointer, name),
                Item(index) => push_token(&mut pointer, &index.to_string()),
            }
        }
        pointer
    }
}

impl fmt::Display for FilterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`")?;
        for (index, token) in self.place.iter().enumerate() {
            match token {
                Field(name) if index == 0 => f.write_str(name)?,
                Field(name) => write!(f, ".{name}")?,
                Item(index) => write!(f, "[{index}]")?,
            }
        }
        write!(f, "` {}", self.detail)
    }
}

impl std::error::Error for FilterFault {}

impl OrderFilter {
    /// The filter as it is compared, or all that is wrong with it.
    pub fn checked(mut self) -> Result<Self, Vec<FilterFault>> {
        for range in [&mut self.placed_at, &mut self.updated_at, &mut self.ended_at] {
            *range = TimeRange { from: range.from.map(within_history), to: range.to.map(within_history) };
        }
        let mut faults = Faults::default();
        for (name, texts) in [("status", &self.statuses), ("customer", &self.customers), ("sku", &self.skus)] {
            faults.list(&[Field(name)], texts.as_deref());
            faults.texts(&[Field(name)], texts.as_deref().unwrap_or_default());
        }
        faults.list(&[Field("state")], self.states.as_deref());
        if let Some(workflow) = &self.workflow {
            faults.text(&[Field("workflow"), Field("name")], &workflow.name);
        }
        if let Some(step) = &self.step {
            faults.step(step);
        }
        faults.text(&[Field("stuckReason")], self.stuck_reason.as_deref().unwrap_or_default());
        faults.attributes(&self.attributes);
        if faults.0.is_empty() { Ok(self) } else { Err(faults.0) }
    }

    /// The part that the placing of an order decides, whatever happens to it later.
    #[must_use]
    pub fn of_placing(&self) -> Self {
        let Self { customers, workflow, skus, total, placed_at, attributes, .. } = self.clone();
        Self { customers, workflow, skus, total, placed_at, attributes, ..Self::default() }
    }
}

#[derive(Default)]
struct Faults(Vec<FilterFault>);

impl Faults {
    fn add(&mut self, place: &[Token], detail: impl Into<String>) {
        self.0.push(FilterFault { place: place.to_vec(), detail: detail.into() });
    }

    fn list<T>(&mut self, place: &[Token], list: Option<&[T]>) {
        if list.is_some_and(|list| list.len() > MAX_VALUES) {
            self.add(place, format!("takes at most {MAX_VALUES} values"));
        }
    }

    fn text(&mut self, place: &[Token], text: &str) {
        if text.contains('\0') {
            self.add(place, "must have no NUL: no text of an order has one");
        }
    }

    fn texts(&mut self, place: &[Token], texts: &[String]) {
        for (index, text) in texts.iter().enumerate().take(MAX_VALUES) {
            self.text(&[place, &[Item(index)]].concat(), text);
        }
    }

    fn step(&mut self, StepFilter { name, statuses }: &StepFilter) {
        if name.is_none() && statuses.is_none() {
            self.add(&[Field("step")], "takes a `name`, a `status` or both");
        }
        let status = [Field("step"), Field("status")];
        if statuses.as_ref().is_some_and(|statuses| statuses.contains(&StepStatus::Pending)) {
            self.add(&status, "takes no PENDING: only steps that have begun are found");
        }
        self.list(&status, statuses.as_deref());
        self.text(&[Field("step"), Field("name")], name.as_deref().unwrap_or_default());
    }

    fn attributes(&mut self, attributes: &[AttributeFilter]) {
        if attributes.len() > MAX_ATTRIBUTES {
            self.add(&[Field("attributes")], format!("takes at most {MAX_ATTRIBUTES}"));
        }
        for (index, AttributeFilter { path, value }) in attributes.iter().enumerate().take(MAX_ATTRIBUTES) {
            let at = |name| [Field("attributes"), Item(index), Field(name)];
            if (1..=MAX_ATTRIBUTES).contains(&path.len()) {
                self.texts(&at("path"), path);
            } else {
                self.add(&at("path"), format!("takes 1 to {MAX_ATTRIBUTES} keys"));
            }
            if value.as_ref().is_some_and(has_nul) {
                self.add(&at("value"), "must have no NUL: no attribute of an order has one");
            }
        }
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl AmountRange {
    /// Whether it leaves nothing out.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

impl TimeRange {
    /// Whether it leaves nothing out.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

/// A moment as it is compared: to the microsecond, and of the years 1 to 9999. No order is outside,
/// and Postgres takes no moment that is far outside.
pub fn within_history(at: Timestamp) -> Timestamp {
    const YEAR_1: i64 = -62_135_596_800_000_000;
    const YEAR_10000: i64 = 253_402_300_800_000_000;
    Timestamp::from_timestamp_micros(at.timestamp_micros().clamp(YEAR_1, YEAR_10000)).unwrap_or(at)
}

#[expect(clippy::ref_option, reason = "serde asks for it")]
fn states<S: Serializer>(states: &Option<Vec<State>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(states.iter().flatten().map(|state| state.as_str()))
}

#[expect(clippy::ref_option, reason = "serde asks for it")]
fn step_statuses<S: Serializer>(statuses: &Option<Vec<StepStatus>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(statuses.iter().flatten().map(|status| status.as_str()))
}
