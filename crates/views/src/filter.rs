//! Which orders.

#![expect(missing_docs, reason = "the names of the fields say it")]

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

/// A checked filter, in the words of the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Criteria {
    pub statuses: Option<Vec<String>>,
    pub states: Option<Vec<String>>,
    pub customers: Option<Vec<String>>,
    pub workflow: Option<(String, Option<i32>)>,
    pub skus: Option<Vec<String>>,
    /// At least, and at most.
    pub total: (Option<Decimal>, Option<Decimal>),
    pub placed_at: TimeRange,
    pub updated_at: TimeRange,
    pub ended_at: TimeRange,
    pub step: Option<StepCriteria>,
    pub stuck_reason: Option<String>,
    pub attributes: Vec<AttributeCriteria>,
}

/// From, and before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

/// One of an order's steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepCriteria {
    pub name: Option<String>,
    /// None: any.
    pub statuses: Option<Vec<String>>,
}

/// One of an order's attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeCriteria {
    /// Is there: the first key, and all of them.
    There(String, Vec<String>),
    /// This is in the attributes.
    Holds(Value),
}
