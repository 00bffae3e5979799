//! How a list of orders is sorted, and the cursor of an order in it.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use domain::filter::within_history;
use views::{OrderRow, Page, Place, Sort, SortBy, SortKey};

use crate::paging::{self, PageArguments};

/// How a list of orders is sorted. The id decides between orders with the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum OrderSort {
    PlacedAtAsc,
    PlacedAtDesc,
    UpdatedAtAsc,
    UpdatedAtDesc,
    /// Only orders that have ended.
    EndedAtAsc,
    /// Only orders that have ended.
    EndedAtDesc,
    TotalAsc,
    TotalDesc,
}

fn key(by: SortBy, text: &str) -> Option<SortKey> {
    Some(match by {
        SortBy::Total => SortKey::Amount(text.parse().ok()?),
        _ => SortKey::Moment(within_history(DateTime::from_timestamp_micros(text.parse().ok()?)?)),
    })
}

impl OrderSort {
    fn by(self) -> SortBy {
        match self {
            Self::PlacedAtAsc | Self::PlacedAtDesc => SortBy::PlacedAt,
            Self::UpdatedAtAsc | Self::UpdatedAtDesc => SortBy::UpdatedAt,
            Self::EndedAtAsc | Self::EndedAtDesc => SortBy::EndedAt,
            Self::TotalAsc | Self::TotalDesc => SortBy::Total,
        }
    }

    /// The sort for the views.
    pub fn sort(self) -> Sort {
        Sort { by: self.by(), is_descending: self.is_descending() }
    }

    fn is_descending(self) -> bool {
        matches!(self, Self::PlacedAtDesc | Self::UpdatedAtDesc | Self::EndedAtDesc | Self::TotalDesc)
    }

    /// The cursor of an order in a list with this sort: the sort, the value and the id. A list with
    /// another sort refuses it.
    pub fn cursor(self, row: &OrderRow) -> String {
        let micros = |at: DateTime<Utc>| at.timestamp_micros().to_string();
        let key = match self.by() {
            SortBy::PlacedAt => micros(row.placed_at),
            SortBy::UpdatedAt => micros(row.updated_at),
            // Such a list has only orders that have ended.
            SortBy::EndedAt => micros(row.ended_at.unwrap_or_default()),
            SortBy::Total => row.total.to_string(),
        };
        paging::encode_cursor(&format!("{}|{key}|{}", self.by().column(), row.id))
    }

    /// Checks paging arguments for a list with this sort.
    pub fn page(self, arguments: &PageArguments) -> Result<Page<Place>, paging::PageError> {
        arguments.check(|cursor| self.decode(cursor))
    }

    fn decode(self, cursor: &str) -> Option<Place> {
        let mut parts = cursor.splitn(3, '|');
        if parts.next()? != self.by().column() {
            return None;
        }
        let key = key(self.by(), parts.next()?)?;
        let id = parts.next()?;
        domain::ids::OrderId::new(id).ok()?;
        Some(Place { key, id: id.to_owned() })
    }
}
