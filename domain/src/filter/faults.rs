//! What is wrong with a filter, and where.

use std::fmt;

use serde_json::Value;

use super::{AttributeFilter, MAX_ATTRIBUTES, MAX_VALUES, OrderFilter, StepFilter, TimeRange, within_history};
use crate::duration;
use crate::json::push_token;
use crate::order::StepStatus;

/// The fields of a step's filter, for people.
pub const STEP_FIELDS: &str = "`name`, `status`, `participant`, `since`, `due` and `olderThan`";
/// What an age may be, to be read after its place.
pub const NO_AGE: &str = "takes a span of time of at most a year, like 90s, 10m, 2h or 3d";

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
    /// A text that is no age of a step.
    pub fn no_age() -> Self {
        Self { place: vec![Field("step"), Field("olderThan")], detail: NO_AGE.to_owned() }
    }

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
        let of_step = self.step.as_mut().map(|step| [&mut step.since, &mut step.due]);
        let of_order = [&mut self.placed_at, &mut self.updated_at, &mut self.ended_at];
        for range in of_order.into_iter().chain(of_step.into_iter().flatten()) {
            *range = TimeRange { from: range.from.map(within_history), to: range.to.map(within_history) };
        }
        let mut faults = Faults::default();
        for (name, texts) in [
            ("status", &self.statuses),
            ("customer", &self.customers),
            ("placedBy", &self.placed_by),
            ("sku", &self.skus),
        ] {
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

    fn step(&mut self, step: &StepFilter) {
        if step.is_open() {
            self.add(&[Field("step")], format!("takes at least one of {STEP_FIELDS}"));
        }
        let StepFilter { name, statuses, participants, older_than, since: _, due: _ } = step;
        if older_than.is_some_and(|age| age > duration::MAX) {
            self.add(&[Field("step"), Field("olderThan")], NO_AGE);
        }
        let participant = [Field("step"), Field("participant")];
        self.list(&participant, participants.as_deref());
        self.texts(&participant, participants.as_deref().unwrap_or_default());
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
