//! How a list of orders is sorted, and the place of an order in it.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

/// How a list of orders is sorted. The id decides between orders that have the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// The value that it is sorted by.
    pub by: SortBy,
    /// Whether the greatest comes first.
    pub is_descending: bool,
}

/// The value that a list is sorted by, in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    /// When an order was placed.
    PlacedAt,
    /// When its last event was recorded.
    UpdatedAt,
    /// When it ended: such a list has only orders that have ended.
    EndedAt,
    /// The sum over its lines.
    Total,
}

/// The place of an order in a sorted list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its value that the list is sorted by.
    pub key: SortKey,
    /// Its id.
    pub id: String,
}

/// The value that a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// A time.
    Moment(DateTime<Utc>),
    /// An amount of money.
    Amount(Decimal),
}

impl SortBy {
    /// The column of `orders`.
    pub fn column(self) -> &'static str {
        match self {
            Self::PlacedAt => "placed_at",
            Self::UpdatedAt => "updated_at",
            Self::EndedAt => "ended_at",
            Self::Total => "total",
        }
    }
}
