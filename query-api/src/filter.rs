//! Which orders, and in which order.

use async_graphql::{Enum, ID, InputObject};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::paging::{self, PageArguments};
use crate::schema::OrderState;
use crate::store::OrderRow;

/// The most values in one list of a filter.
const MAX_VALUES: usize = 100;

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
    /// When the order was placed.
    placed_at: Option<DateTimeRange>,
    /// When something last happened to the order.
    updated_at: Option<DateTimeRange>,
    /// When the order came to its end. An order that has not is in no range that has a bound.
    ended_at: Option<DateTimeRange>,
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

/// The order of a list of orders. Orders that are alike in it are told apart by their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum OrderSort {
    PlacedAtAsc,
    PlacedAtDesc,
    UpdatedAtAsc,
    UpdatedAtDesc,
    TotalAsc,
    TotalDesc,
}

/// A checked filter, in the words of the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Criteria {
    pub statuses: Option<Vec<String>>,
    pub states: Option<Vec<String>>,
    pub customers: Option<Vec<String>>,
    pub workflow: Option<(String, Option<i32>)>,
    pub placed_at: TimeRange,
    pub updated_at: TimeRange,
    pub ended_at: TimeRange,
}

/// From, and before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

/// A list in a filter is longer than is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` takes at most {MAX_VALUES} values")]
pub struct TooManyValues(&'static str);

impl OrderFilter {
    /// Checks the filter.
    pub fn criteria(self) -> Result<Criteria, TooManyValues> {
        Ok(Criteria {
            statuses: bounded("status", self.status, |status| status)?,
            states: bounded("state", self.state, |state| state.as_str().to_owned())?,
            customers: bounded("customer", self.customer, |id| id.0)?,
            workflow: self.workflow.map(|workflow| (comparable(&workflow.name), workflow.version)),
            placed_at: range(self.placed_at),
            updated_at: range(self.updated_at),
            ended_at: range(self.ended_at),
        })
    }
}

fn bounded<T>(
    name: &'static str,
    values: Option<Vec<T>>,
    text: impl Fn(T) -> String,
) -> Result<Option<Vec<String>>, TooManyValues> {
    match values {
        Some(values) if values.len() > MAX_VALUES => Err(TooManyValues(name)),
        Some(values) => Ok(Some(values.into_iter().map(|value| comparable(&text(value))).collect())),
        None => Ok(None),
    }
}

/// A NUL is in no text of the views, and Postgres refuses to compare with one.
pub fn comparable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn range(range: Option<DateTimeRange>) -> TimeRange {
    let DateTimeRange { from, to } = range.unwrap_or_default();
    TimeRange { from: from.map(within_history), to: to.map(within_history) }
}

/// No order is outside these years, and Postgres takes no moment that is far outside.
fn within_history(at: DateTime<Utc>) -> DateTime<Utc> {
    const YEAR_1: i64 = -62_135_596_800;
    const YEAR_10000: i64 = 253_402_300_800;
    DateTime::from_timestamp(at.timestamp().clamp(YEAR_1, YEAR_10000), at.timestamp_subsec_nanos()).unwrap_or(at)
}

/// Where an order stands in a sorted list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderCursor {
    pub key: SortKey,
    pub id: String,
}

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    Moment(DateTime<Utc>),
    Amount(Decimal),
}

impl OrderSort {
    /// The column of `orders`.
    pub fn column(self) -> &'static str {
        match self {
            Self::PlacedAtAsc | Self::PlacedAtDesc => "placed_at",
            Self::UpdatedAtAsc | Self::UpdatedAtDesc => "updated_at",
            Self::TotalAsc | Self::TotalDesc => "total",
        }
    }

    pub fn is_descending(self) -> bool {
        matches!(self, Self::PlacedAtDesc | Self::UpdatedAtDesc | Self::TotalDesc)
    }

    /// The cursor of an order in a list sorted so: column, key and id. A list sorted by something else refuses it.
    pub fn cursor(self, row: &OrderRow) -> String {
        let key = match self {
            Self::PlacedAtAsc | Self::PlacedAtDesc => row.placed_at.timestamp_micros().to_string(),
            Self::UpdatedAtAsc | Self::UpdatedAtDesc => row.updated_at.timestamp_micros().to_string(),
            Self::TotalAsc | Self::TotalDesc => row.total.to_string(),
        };
        paging::encode_cursor(&format!("{}|{key}|{}", self.column(), row.id))
    }

    /// Checks paging arguments for a list sorted so.
    pub fn page(self, arguments: &PageArguments) -> Result<paging::Page<OrderCursor>, paging::PageError> {
        arguments.check(|cursor| self.decode(cursor))
    }

    fn decode(self, cursor: &str) -> Option<OrderCursor> {
        let mut parts = cursor.splitn(3, '|');
        if parts.next()? != self.column() {
            return None;
        }
        let key = parts.next()?;
        let key = match self {
            Self::TotalAsc | Self::TotalDesc => SortKey::Amount(key.parse().ok()?),
            _ => SortKey::Moment(within_history(DateTime::from_timestamp_micros(key.parse().ok()?)?)),
        };
        let id = parts.next()?;
        domain::ids::OrderId::new(id).ok()?;
        Some(OrderCursor { key, id: id.to_owned() })
    }
}
