//! What a filter asks of one thing about an order: its workflow, an amount, a time, a step, an
//! attribute.

use std::time::Duration;

use chrono::TimeDelta;
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::summary::{OrderSummary, StepSummary};
use crate::Timestamp;
use crate::duration;
use crate::order::StepStatus;

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

/// A step that meets all of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepFilter {
    /// `None`: any step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `None`: wherever it stands.
    #[serde(rename = "status", skip_serializing_if = "Option::is_none", serialize_with = "step_statuses")]
    pub statuses: Option<Vec<StepStatus>>,
    /// The participants that it was requested of.
    #[serde(rename = "participant", skip_serializing_if = "Option::is_none")]
    pub participants: Option<Vec<String>>,
    /// When its present stage began.
    #[serde(skip_serializing_if = "TimeRange::is_open")]
    pub since: TimeRange,
    /// When something is due at it. A step at which nothing is due is in no range that has a bound.
    #[serde(skip_serializing_if = "TimeRange::is_open")]
    pub due: TimeRange,
    /// How long its present stage has lasted at least. It counts from the moment of
    /// [`OrderFilter::at`](super::OrderFilter::at).
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written")]
    pub older_than: Option<Duration>,
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

impl WorkflowFilter {
    pub(super) fn selects(&self, order: &OrderSummary<'_>) -> bool {
        let same = |version: i32| i64::from(version) == i64::from(order.workflow_version);
        self.name == order.workflow && self.version.is_none_or(same)
    }
}

impl AmountRange {
    pub(super) fn has(&self, amount: Decimal) -> bool {
        self.at_least.is_none_or(|least| amount >= least) && self.at_most.is_none_or(|most| amount <= most)
    }
}

impl TimeRange {
    pub(super) fn has(&self, at: Option<Timestamp>) -> bool {
        let at = at.map(|at| at.timestamp_micros());
        let (from, to) = (self.from.map(|from| from.timestamp_micros()), self.to.map(|to| to.timestamp_micros()));
        from.is_none_or(|from| at.is_some_and(|at| at >= from)) && to.is_none_or(|to| at.is_some_and(|at| at < to))
    }
}

impl StepFilter {
    /// Whether it leaves nothing out.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// A step is as old as its present stage. A filter whose age counts from no moment yet selects
    /// no step.
    pub(super) fn selects(&self, step: &StepSummary<'_>) -> bool {
        self.name.as_ref().is_none_or(|wanted| wanted == step.name)
            && any_of(self.statuses.as_deref(), |wanted| *wanted == step.status)
            && any_of(self.participants.as_deref(), |wanted| step.participant == Some(wanted.as_str()))
            && self.since.has(Some(step.since))
            && self.due.has(step.due_at)
            && self.older_than.is_none()
    }

    pub(super) fn at(mut self, now: Timestamp) -> Self {
        let latest = self.older_than.take().and_then(|age| now.checked_sub_signed(TimeDelta::from_std(age).ok()?));
        self.since.to = self.since.to.into_iter().chain(latest).min();
        self
    }
}

impl AttributeFilter {
    pub(super) fn selects(&self, attributes: &Map<String, Value>) -> bool {
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
fn written<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&duration::written(duration.unwrap_or_default()))
}

#[expect(clippy::ref_option, reason = "serde asks for it")]
fn step_statuses<S: Serializer>(statuses: &Option<Vec<StepStatus>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(statuses.iter().flatten().map(|status| status.as_str()))
}

pub(super) fn any_of<T>(list: Option<&[T]>, is_met: impl Fn(&T) -> bool) -> bool {
    list.is_none_or(|list| list.iter().any(is_met))
}
