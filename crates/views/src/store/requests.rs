//! Operations that a second person has to approve.

use chrono::{DateTime, Utc};
use domain::request_views::WAITING;
use sqlx::{PgConnection, Postgres, QueryBuilder};

use super::Store;
use crate::error::ViewsError;
use crate::page::Page;
use crate::rows::RequestRow;

/// The place of a request in the list of those that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPlace {
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// Its id.
    pub id: String,
}

/// The columns of a request, with the state that it has now: one that is too old waits no more,
/// also before that is recorded.
const COLUMNS: &str = "SELECT r.id, r.order_id, r.operation, r.step, r.details, r.matches, r.requested_by, r.principal,
    r.reason, r.approver, r.previewed_at, r.requested_at, r.expires_at, r.settled_by, r.settled_reason, r.settled_at,
    CASE WHEN r.state = 'WAITING' AND r.expires_at <= now() THEN 'EXPIRED' ELSE r.state END AS state
    FROM requests r";

impl Store {
    /// A page of the requests that wait, the longest waiting first, and one more if the list goes
    /// on. `placed_by`: only of the orders that this principal placed.
    pub async fn requests(
        &self,
        placed_by: Option<&str>,
        page: &Page<RequestPlace>,
    ) -> Result<Vec<RequestRow>, ViewsError> {
        let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
        if let Some(own) = placed_by {
            query.push(" JOIN orders ON orders.id = r.order_id AND orders.placed_by = ").push_bind(own);
        }
        query.push(" WHERE r.state = 'WAITING' AND r.expires_at > now()");
        for (place, side) in [(&page.after, ">"), (&page.before, "<")] {
            let Some(RequestPlace { requested_at, id }) = place else { continue };
            query.push(format_args!(" AND (r.requested_at, r.id) {side} ("));
            query.push_bind(*requested_at).push(", ").push_bind(id.as_str()).push(")");
        }
        let direction = if page.from_end { "DESC" } else { "ASC" };
        query.push(format_args!(" ORDER BY r.requested_at {direction}, r.id {direction} LIMIT "));
        query.push_bind(page.rows_to_read());
        Ok(query.build_query_as().fetch_all(&mut *self.snapshot().await?).await?)
    }

    /// The requests of an order, the latest first; at most so many.
    pub async fn requests_of(&self, order_id: &str, most: i64) -> Result<Vec<RequestRow>, ViewsError> {
        let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
        query.push(" WHERE r.order_id = ").push_bind(order_id);
        query.push(" ORDER BY r.requested_at DESC, r.id DESC LIMIT ").push_bind(most);
        Ok(query.build_query_as().fetch_all(&mut *self.snapshot().await?).await?)
    }

    /// A request by its id, and the principal that placed its order.
    pub async fn request(&self, id: &str) -> Result<Option<RequestRow>, ViewsError> {
        let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
        query.push(" WHERE r.id = ").push_bind(id);
        Ok(query.build_query_as().fetch_optional(&mut *self.snapshot().await?).await?)
    }
}

/// The batches that were not approved in time, and of which that is not recorded; at most so many.
pub async fn expired_batches(db: &mut PgConnection, most: i64) -> Result<Vec<String>, sqlx::Error> {
    let query = sqlx::query_scalar(
        "SELECT id FROM requests WHERE state = $1 AND order_id IS NULL AND expires_at <= now()
         ORDER BY requested_at, id LIMIT $2",
    );
    query.bind(WAITING).bind(most).fetch_all(db).await
}
