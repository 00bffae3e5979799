//! In which order orders are listed, and where in it one stands.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::filter::within_history;
use crate::paging::{self, PageArguments};
use crate::store::OrderRow;

/// The order of a list of orders. Orders that are alike in it are told apart by their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum OrderSort {
    PlacedAtAsc,
    PlacedAtDesc,
    UpdatedAtAsc,
    UpdatedAtDesc,
    /// Of those that have ended.
    EndedAtAsc,
    /// Of those that have ended.
    EndedAtDesc,
    TotalAsc,
    TotalDesc,
}

/// What a list is sorted by, whichever end it begins at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    PlacedAt,
    UpdatedAt,
    EndedAt,
    Total,
}

/// Where an order stands in a sorted list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderCursor {
    pub key: SortKey,
    pub id: String,
}

/// The value of what a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    Moment(DateTime<Utc>),
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

    fn key(self, text: &str) -> Option<SortKey> {
        Some(match self {
            Self::Total => SortKey::Amount(text.parse().ok()?),
            _ => SortKey::Moment(within_history(DateTime::from_timestamp_micros(text.parse().ok()?)?)),
        })
    }
}

impl OrderSort {
    pub fn by(self) -> SortBy {
        match self {
            Self::PlacedAtAsc | Self::PlacedAtDesc => SortBy::PlacedAt,
            Self::UpdatedAtAsc | Self::UpdatedAtDesc => SortBy::UpdatedAt,
            Self::EndedAtAsc | Self::EndedAtDesc => SortBy::EndedAt,
            Self::TotalAsc | Self::TotalDesc => SortBy::Total,
        }
    }

    pub fn is_descending(self) -> bool {
        matches!(self, Self::PlacedAtDesc | Self::UpdatedAtDesc | Self::EndedAtDesc | Self::TotalDesc)
    }

    /// The cursor of an order in a list sorted so: what it is sorted by, key and id. A list sorted by something else refuses it.
    pub fn cursor(self, row: &OrderRow) -> String {
        let micros = |at: DateTime<Utc>| at.timestamp_micros().to_string();
        let key = match self.by() {
            SortBy::PlacedAt => micros(row.placed_at),
            SortBy::UpdatedAt => micros(row.updated_at),
            // In such a list are only orders that have ended.
            SortBy::EndedAt => micros(row.ended_at.unwrap_or_default()),
            SortBy::Total => row.total.to_string(),
        };
        paging::encode_cursor(&format!("{}|{key}|{}", self.by().column(), row.id))
    }

    /// Checks paging arguments for a list sorted so.
    pub fn page(self, arguments: &PageArguments) -> Result<paging::Page<OrderCursor>, paging::PageError> {
        arguments.check(|cursor| self.decode(cursor))
    }

    fn decode(self, cursor: &str) -> Option<OrderCursor> {
        let mut parts = cursor.splitn(3, '|');
        if parts.next()? != self.by().column() {
            return None;
        }
        let key = self.by().key(parts.next()?)?;
        let id = parts.next()?;
        domain::ids::OrderId::new(id).ok()?;
        Some(OrderCursor { key, id: id.to_owned() })
    }
}
