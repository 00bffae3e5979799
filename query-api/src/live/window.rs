//! What changed after a position, read at once for all who want to hear of it.

use std::collections::HashMap;

use domain::filter::OrderFilter;
use sqlx::PgPool;
use views::Store;

use crate::error::StoreError;
use crate::schema::Order;

/// Orders read at once.
const ORDERS: i64 = 500;

/// What somebody wants to hear of.
#[derive(Debug, Clone)]
pub struct Watched {
    /// These orders; none: there are criteria, so that any order may be wanted.
    pub orders: Option<Vec<String>>,
    /// Orders that meet one of these.
    pub criteria: Vec<OrderFilter>,
}

/// Orders that changed, each once and as it is now, those that changed last at the end.
pub struct Window {
    pub changes: Vec<Change>,
    /// Everything up to here is read.
    pub through: i64,
    /// Whether that is everything there is.
    pub is_last: bool,
}

/// An order that changed.
#[derive(Clone)]
pub struct Change {
    pub order: Order,
    /// The criteria that it meets, by their index.
    pub meets: Vec<usize>,
}

impl Change {
    pub fn position(&self) -> i64 {
        self.order.row().position
    }
}

/// Reads on after a position, in one snapshot. What is asked for beyond rows and steps is read later, and once for all (it does not
/// change, or goes no further than the order's revision), so that nobody's leisure keeps the snapshot.
pub async fn read(pool: &PgPool, after: i64, watched: &Watched) -> Result<Window, StoreError> {
    let snapshot = Store::new(pool.clone());
    let checkpoint = snapshot.checkpoint().await?.map_or(after, |checkpoint| checkpoint.commit.cast_signed());
    let rows = snapshot.changed(after, watched.orders.as_deref(), ORDERS).await?;
    let is_last = i64::try_from(rows.len()).unwrap_or(i64::MAX) < ORDERS;
    let through = match rows.last() {
        Some(last) if !is_last => last.position,
        _ => checkpoint.max(after),
    };
    if rows.is_empty() {
        return Ok(Window { changes: Vec::new(), through, is_last });
    }
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let mut met: HashMap<String, Vec<usize>> = HashMap::new();
    for (id, criterion) in snapshot.meeting(&ids, &watched.criteria).await? {
        met.entry(id).or_default().push(criterion);
    }
    let steps = snapshot.steps(&ids).await?;
    let orders = Order::live(&Store::without_snapshot(pool.clone()), rows, steps)?;
    let change = |order: Order| Change { meets: met.remove(&order.row().id).unwrap_or_default(), order };
    Ok(Window { changes: orders.into_iter().map(change).collect(), through, is_last })
}
