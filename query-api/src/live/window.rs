//! Reads the changes after a position, at once for all subscribers.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::filter::OrderFilter;
use sqlx::PgPool;
use views::{OrderRow, Store};

use crate::error::QueryError;
use crate::schema::{Order, Parts};

/// The most orders in a window.
const ORDERS: i64 = 500;

/// The orders that subscribers follow.
#[derive(Debug, Clone)]
pub struct Watched {
    /// These orders; `None`: with criteria, any order may match.
    pub orders: Option<Vec<String>>,
    /// Orders that match one of these.
    pub criteria: Vec<OrderFilter>,
}

/// Orders that changed, each once and in its present state, in the order of their last changes.
pub struct Window {
    pub changes: Vec<Change>,
    /// Each change up to here was read.
    pub through: i64,
    /// Whether the views have no further changes.
    pub is_last: bool,
}

/// An order that changed.
#[derive(Clone)]
pub struct Change {
    pub order: Order,
    /// The criteria that it matches, by their index.
    pub meets: Vec<usize>,
    /// Whether it has not changed, but become late.
    pub became_late: bool,
}

impl Change {
    pub fn position(&self) -> i64 {
        self.order.row().position
    }
}

/// Reads the window after a position, in one snapshot. Fields beyond rows and steps are read later,
/// once for all subscribers: they do not change, or end at the revision of the order. So no slow
/// subscriber keeps the snapshot.
pub async fn read(pool: &PgPool, after: i64, watched: &Watched) -> Result<Window, QueryError> {
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
    Ok(Window { changes: changes(pool, &snapshot, rows, watched, false).await?, through, is_last })
}

/// The orders that became late since a moment, in their present state, and the moment up to which
/// they are all.
pub async fn became_late(
    pool: &PgPool,
    since: DateTime<Utc>,
    watched: &Watched,
) -> Result<(Vec<Change>, DateTime<Utc>), QueryError> {
    let snapshot = Store::new(pool.clone());
    let (rows, until) = snapshot.became_late(since, watched.orders.as_deref(), ORDERS).await?;
    let none = rows.is_empty();
    Ok((if none { Vec::new() } else { changes(pool, &snapshot, rows, watched, true).await? }, until))
}

async fn changes(
    pool: &PgPool,
    snapshot: &Store,
    rows: Vec<OrderRow>,
    watched: &Watched,
    became_late: bool,
) -> Result<Vec<Change>, QueryError> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let mut met: HashMap<String, Vec<usize>> = HashMap::new();
    for (id, criterion) in snapshot.meeting(&ids, &watched.criteria).await? {
        met.entry(id).or_default().push(criterion);
    }
    let parts = Parts { steps: snapshot.steps(&ids).await?, expectations: snapshot.expectations(&ids).await? };
    let orders = Order::live(&Store::without_snapshot(pool.clone()), rows, parts)?;
    let change = |order: Order| Change { meets: met.remove(&order.row().id).unwrap_or_default(), order, became_late };
    Ok(orders.into_iter().map(change).collect())
}
