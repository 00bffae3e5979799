//! How a list of orders is sorted, and where in it an order stands.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

/// How a list of orders is sorted. The id decides between orders that have the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// What it is sorted by.
    pub by: SortBy,
    /// Whether the greatest comes first.
    pub is_descending: bool,
}

/// What a list is sorted by, whichever end it begins at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    /// When an order was placed.
    PlacedAt,
    /// When something last happened to it.
    UpdatedAt,
    /// When it ended: such a list has no others.
    EndedAt,
    /// The sum over its lines.
    Total,
}

/// Where an order stands in a sorted list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its value of what the list is sorted by.
    pub key: SortKey,
    /// Its id.
    pub id: String,
}

/// The value of what a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// Of a time.
    Moment(DateTime<Utc>),
    /// Of money.
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
