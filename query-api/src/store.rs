//! Every `SELECT` over the views. Nothing else in this crate speaks SQL.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::order::{Address, Line};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection, PgPool, Postgres, QueryBuilder, Transaction};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use uuid::Uuid;

use crate::error::StoreError;
use crate::filter::{Criteria, OrderCursor, OrderSort, SortKey, TimeRange};
use crate::order_status::OrderStatus;
use crate::paging::Page;

/// The views as they are at one moment: when they are first read. One store serves one request, so that no answer mixes what
/// was before a change with what came after it.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
    /// Begun with the first read.
    snapshot: Arc<Mutex<Option<Transaction<'static, Postgres>>>>,
}

/// A row of `orders`.
#[derive(Debug, Clone, FromRow)]
pub struct OrderRow {
    pub id: String,
    pub workflow: String,
    pub workflow_version: i32,
    pub status: String,
    pub state: String,
    pub customer_id: String,
    pub customer_name: Option<String>,
    pub customer_email: Option<String>,
    pub currency: String,
    pub total: Decimal,
    pub lines: Json<Vec<Line>>,
    pub ship_to: Option<Json<Address>>,
    pub attributes: Json<Value>,
    pub result: Option<Json<Value>>,
    pub stuck_reason: Option<String>,
    pub placed_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub revision: i64,
    pub position: i64,
}

const ORDER_COLUMNS: &str = "id, workflow, workflow_version, status, state, customer_id, customer_name, customer_email, \
     currency, total, lines, ship_to, attributes, result, stuck_reason, placed_at, updated_at, ended_at, revision, position";

/// A row of `steps`.
#[derive(Debug, Clone, FromRow)]
pub struct StepRow {
    pub order_id: String,
    pub step: String,
    pub participant: Option<String>,
    pub action: Option<String>,
    pub mode: Option<String>,
    pub status: String,
    pub outcome: Option<String>,
    pub data: Option<Json<Value>>,
    pub attempts: i32,
    pub last_error: Option<String>,
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// A row of `timeline`.
#[derive(Debug, Clone, FromRow)]
pub struct TimelineRow {
    pub order_id: String,
    pub revision: i64,
    #[sqlx(rename = "type")]
    pub event_type: String,
    pub recorded_at: DateTime<Utc>,
    pub summary: String,
    pub step: Option<String>,
    pub actor: Option<String>,
    pub reason: Option<String>,
    pub data: Json<Value>,
    pub correlation_id: Option<String>,
    pub causation_id: Option<Uuid>,
    pub hash: String,
}

/// A row of `workflows`.
#[derive(Debug, Clone, FromRow)]
pub struct WorkflowRow {
    pub name: String,
    pub version: i32,
    pub source: String,
    pub outline: Json<Vec<OutlineStep>>,
    pub registered_at: DateTime<Utc>,
}

/// A step of a definition, as the view `workflows` outlines it.
#[derive(Debug, Clone, Deserialize)]
pub struct OutlineStep {
    pub id: String,
    pub participant: Option<String>,
    pub action: Option<String>,
    pub mode: String,
    pub after: Vec<String>,
    pub compensated: bool,
}

/// How many orders have a status and a state.
#[derive(Debug, Clone, FromRow)]
pub struct CountRow {
    pub status: String,
    pub state: String,
    pub orders: i64,
}

/// How far the views have come.
#[derive(Debug, Clone, FromRow)]
pub struct ProgressRow {
    pub position: Option<i64>,
    pub last_event_at: Option<DateTime<Utc>>,
    pub parked: i64,
}

/// A definition by name and version.
pub type WorkflowKey = (String, i32);

impl Store {
    /// Reads from this pool's database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, snapshot: Arc::default() }
    }

    async fn snapshot(&self) -> Result<MappedMutexGuard<'_, PgConnection>, StoreError> {
        let mut snapshot = self.snapshot.lock().await;
        if snapshot.is_none() {
            *snapshot = Some(begin(self.pool.clone()).await?);
        }
        Ok(MutexGuard::map(snapshot, |begun| &mut **begun.as_mut().expect("it was begun just now")))
    }

    pub async fn order(&self, id: &str) -> Result<Option<OrderRow>, StoreError> {
        let mut query = select_orders();
        query.push(" WHERE id = ").push_bind(id);
        Ok(query.build_query_as().fetch_optional(&mut *self.snapshot().await?).await?)
    }

    /// The rows of a page, in the order in which they are counted, and one more if there are more.
    pub async fn orders(
        &self,
        criteria: &Criteria,
        sort: OrderSort,
        page: &Page<OrderCursor>,
    ) -> Result<Vec<OrderRow>, StoreError> {
        let mut query = select_orders();
        query.push(" WHERE true");
        push_criteria(&mut query, criteria);
        let column = sort.column();
        let follows = if sort.is_descending() { "<" } else { ">" };
        let precedes = if sort.is_descending() { ">" } else { "<" };
        for (cursor, side) in [(&page.after, follows), (&page.before, precedes)] {
            let Some(cursor) = cursor else { continue };
            query.push(format_args!(" AND ({column}, id) {side} ("));
            match cursor.key {
                SortKey::Moment(at) => query.push_bind(at),
                SortKey::Amount(total) => query.push_bind(total),
            };
            query.push(", ").push_bind(cursor.id.as_str()).push(")");
        }
        let direction = if sort.is_descending() == page.from_end { "ASC" } else { "DESC" };
        query
            .push(format_args!(" ORDER BY {column} {direction}, id {direction} LIMIT "))
            .push_bind(page.rows_to_read());
        Ok(query.build_query_as().fetch_all(&mut *self.snapshot().await?).await?)
    }

    /// The steps that something has happened to, by order.
    pub async fn steps(&self, orders: &[String]) -> Result<HashMap<String, Vec<StepRow>>, StoreError> {
        let rows: Vec<StepRow> = sqlx::query_as(
            "SELECT order_id, step, participant, action, mode, status, outcome, data, attempts, last_error, started_at, ended_at,
                    next_attempt_at
             FROM steps WHERE order_id = ANY($1) ORDER BY order_id, started_at, step",
        )
        .bind(orders)
        .fetch_all(&mut *self.snapshot().await?)
        .await?;
        Ok(grouped(rows, |row| &row.order_id))
    }

    /// The same page of the timeline of each order.
    pub async fn timelines(
        &self,
        orders: &[String],
        page: &Page<i64>,
    ) -> Result<HashMap<String, Vec<TimelineRow>>, StoreError> {
        let direction = if page.from_end { "DESC" } else { "ASC" };
        let mut query = QueryBuilder::<Postgres>::new("SELECT entry.* FROM unnest(");
        query.push_bind(orders);
        query.push(
            "::text[]) AS wanted (id) CROSS JOIN LATERAL (
                 SELECT order_id, revision, type, recorded_at, summary, step, actor, reason, data, correlation_id, causation_id, hash
                 FROM timeline WHERE order_id = wanted.id",
        );
        if let Some(after) = page.after {
            query.push(" AND revision > ").push_bind(after);
        }
        if let Some(before) = page.before {
            query.push(" AND revision < ").push_bind(before);
        }
        query.push(format_args!(" ORDER BY revision {direction} LIMIT ")).push_bind(page.rows_to_read());
        query.push(") AS entry");
        let rows: Vec<TimelineRow> = query.build_query_as().fetch_all(&mut *self.snapshot().await?).await?;
        Ok(grouped(rows, |row| &row.order_id))
    }

    /// The definitions of those names and versions, as far as they are known.
    pub async fn workflows(&self, keys: HashSet<WorkflowKey>) -> Result<HashMap<WorkflowKey, WorkflowRow>, StoreError> {
        let (names, versions): (Vec<String>, Vec<i32>) = keys.into_iter().unzip();
        let rows: Vec<WorkflowRow> = sqlx::query_as(
            "SELECT name, version, source, outline, registered_at FROM workflows
             JOIN unnest($1::text[], $2::integer[]) AS wanted (name, version) USING (name, version)",
        )
        .bind(names)
        .bind(versions)
        .fetch_all(&mut *self.snapshot().await?)
        .await?;
        Ok(rows.into_iter().map(|row| ((row.name.clone(), row.version), row)).collect())
    }

    /// A definition; without a version, the latest.
    pub async fn workflow(&self, name: &str, version: Option<i32>) -> Result<Option<WorkflowRow>, StoreError> {
        let row = sqlx::query_as(
            "SELECT name, version, source, outline, registered_at FROM workflows
             WHERE name = $1 AND ($2::integer IS NULL OR version = $2) ORDER BY version DESC LIMIT 1",
        )
        .bind(name)
        .bind(version)
        .fetch_optional(&mut *self.snapshot().await?)
        .await?;
        Ok(row)
    }

    /// How many orders there are of each status and state.
    pub async fn counts(&self) -> Result<Vec<CountRow>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT status, state, count(*) AS orders FROM orders GROUP BY status, state ORDER BY status, state",
        )
        .fetch_all(&mut *self.snapshot().await?)
        .await?;
        Ok(rows)
    }

    /// How far the views have come, and how many events they leave out.
    pub async fn progress(&self) -> Result<ProgressRow, StoreError> {
        let row = sqlx::query_as(
            "SELECT position, last_event_at, (SELECT count(*) FROM parked) AS parked
             FROM (VALUES ('views')) AS views (name) LEFT JOIN checkpoints USING (name)",
        )
        .fetch_one(&mut *self.snapshot().await?)
        .await?;
        Ok(row)
    }
}

/// As long as the longest request may take.
const STATEMENT_LIMIT: &str = "SET LOCAL statement_timeout = '30s'";

/// In a task of its own, which goes on when the request is given up: cut off at a bad moment, sqlx (0.9) forgets that it has sent
/// `BEGIN`, and the connection's next user would unknowingly work inside that transaction.
async fn begin(pool: PgPool) -> Result<Transaction<'static, Postgres>, StoreError> {
    let begun = tokio::spawn(async move {
        let mut begun = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        // What nobody waits for any more must not go on keeping a connection from others.
        sqlx::query(STATEMENT_LIMIT).execute(&mut *begun).await?;
        Ok::<_, sqlx::Error>(begun)
    });
    Ok(begun.await.map_err(|_| StoreError::Internal)??)
}

/// Where an order stands: one row, and no need for a snapshot.
pub(crate) async fn order_status(pool: &PgPool, id: &str) -> Result<Option<OrderStatus>, sqlx::Error> {
    let row = sqlx::query_as("SELECT id, status, state, revision, position FROM orders WHERE id = $1").bind(id);
    row.fetch_optional(pool).await
}

/// Those of these orders that have ended, or are stuck.
pub(crate) async fn ended_orders(db: &mut PgConnection, ids: &[String]) -> Result<Vec<OrderStatus>, sqlx::Error> {
    let rows = sqlx::query_as(
        "SELECT id, status, state, revision, position FROM orders
         WHERE id = ANY($1) AND (ended_at IS NOT NULL OR stuck_reason IS NOT NULL)",
    );
    rows.bind(ids).fetch_all(db).await
}

fn select_orders() -> QueryBuilder<Postgres> {
    QueryBuilder::new(format!("SELECT {ORDER_COLUMNS} FROM orders"))
}

fn push_criteria(query: &mut QueryBuilder<Postgres>, criteria: &Criteria) {
    let lists = [("status", &criteria.statuses), ("state", &criteria.states), ("customer_id", &criteria.customers)];
    for (column, wanted) in lists {
        match wanted.as_deref() {
            None => {}
            // Equality lets the index give the order too, which a list would not.
            Some([only]) => {
                query.push(format_args!(" AND {column} = ")).push_bind(only.as_str());
            }
            Some(several) => {
                query.push(format_args!(" AND {column} = ANY(")).push_bind(several).push(")");
            }
        }
    }
    if let Some((name, version)) = &criteria.workflow {
        query.push(" AND workflow = ").push_bind(name.as_str());
        if let Some(version) = version {
            query.push(" AND workflow_version = ").push_bind(*version);
        }
    }
    for (column, TimeRange { from, to }) in
        [("placed_at", criteria.placed_at), ("updated_at", criteria.updated_at), ("ended_at", criteria.ended_at)]
    {
        if let Some(from) = from {
            query.push(format_args!(" AND {column} >= ")).push_bind(from);
        }
        if let Some(to) = to {
            query.push(format_args!(" AND {column} < ")).push_bind(to);
        }
    }
}

fn grouped<T>(rows: Vec<T>, key: impl Fn(&T) -> &String) -> HashMap<String, Vec<T>>
where
    T: for<'r> FromRow<'r, PgRow>,
{
    let mut groups: HashMap<String, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row).clone()).or_default().push(row);
    }
    groups
}
