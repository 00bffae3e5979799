//! The notes of operators on orders.

use super::Store;
use crate::error::ViewsError;
use crate::rows::NoteRow;

impl Store {
    /// The latest notes on these orders; at most so many. The same text of one author is one note,
    /// because an operator leaves it on many orders at once.
    pub async fn notes(&self, orders: &[String], most: i64) -> Result<Vec<NoteRow>, ViewsError> {
        let rows = sqlx::query_as(
            "SELECT actor, reason AS text, max(recorded_at) AS recorded_at, count(DISTINCT order_id) AS orders,
                    (array_agg(order_id ORDER BY recorded_at DESC, order_id))[1] AS order_id
             FROM timeline WHERE type = 'OrderNoted' AND order_id = ANY($1) AND actor IS NOT NULL AND reason IS NOT NULL
             GROUP BY actor, reason ORDER BY max(recorded_at) DESC, actor, reason LIMIT $2",
        );
        Ok(rows.bind(orders).bind(most).fetch_all(&mut *self.snapshot().await?).await?)
    }
}
