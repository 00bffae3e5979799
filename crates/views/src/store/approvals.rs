//! The steps that wait for a person.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};

use super::{Store, select_orders};
use crate::error::ViewsError;
use crate::page::Page;
use crate::rows::{ApprovalRow, OrderRow};

/// The place of a step in this list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalPlace {
    /// When the step began.
    pub started_at: DateTime<Utc>,
    /// Its order.
    pub order_id: String,
    /// Its name.
    pub step: String,
}

impl Store {
    /// A page of the steps that wait for a person, and one more if the list goes on. `placed_by`:
    /// only of the orders that this principal placed.
    pub async fn approvals(
        &self,
        placed_by: Option<&str>,
        page: &Page<ApprovalPlace>,
    ) -> Result<Vec<ApprovalRow>, ViewsError> {
        // The conditions on mode and status are those of the index.
        let mut query = QueryBuilder::<Postgres>::new(
            "SELECT steps.order_id, steps.step, steps.started_at, steps.since, steps.due_at FROM steps",
        );
        if let Some(own) = placed_by {
            query.push(" JOIN orders ON orders.id = steps.order_id AND orders.placed_by = ").push_bind(own);
        }
        query.push(" WHERE steps.mode = 'AWAIT' AND steps.status = 'WAITING'");
        for (place, side) in [(&page.after, ">"), (&page.before, "<")] {
            let Some(ApprovalPlace { started_at, order_id, step }) = place else { continue };
            query.push(format_args!(" AND (steps.started_at, steps.order_id, steps.step) {side} ("));
            query.push_bind(*started_at).push(", ").push_bind(order_id.as_str()).push(", ");
            query.push_bind(step.as_str()).push(")");
        }
        let direction = if page.from_end { "DESC" } else { "ASC" };
        query.push(format_args!(
            " ORDER BY steps.started_at {direction}, steps.order_id {direction}, steps.step {direction} LIMIT "
        ));
        query.push_bind(page.rows_to_read());
        Ok(query.build_query_as().fetch_all(&mut *self.snapshot().await?).await?)
    }

    /// The orders of these ids, in any order.
    pub async fn orders_of(&self, ids: &[String]) -> Result<Vec<OrderRow>, ViewsError> {
        let mut query = select_orders();
        query.push(" WHERE id = ANY(").push_bind(ids).push(")");
        Ok(query.build_query_as().fetch_all(&mut *self.snapshot().await?).await?)
    }
}
