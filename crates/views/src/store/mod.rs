//! The queries over the views, for GraphQL. Each request reads one snapshot.

mod actions;
mod approvals;
mod calls;
pub(crate) mod conditions;
mod ends;
mod expected;
mod keys;
mod notes;
mod participants;
mod past_counts;
mod requests;
mod search;
#[cfg(test)]
mod tests;
mod troubles;
mod unknown;
mod webhooks;
mod workflows;

use std::collections::{HashMap, HashSet};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::filter::OrderFilter;
use domain::ids::OrderId;
use event_store::Position;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, PgPool, Postgres, QueryBuilder, Transaction};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use crate::checkpoint::{self, VIEWS};
use crate::error::ViewsError;
use crate::page::Page;
use crate::rows::{
    CountRow, Head, HourRow, ORDER_COLUMNS, OrderRow, ParkedRow, ProgressRow, StatusRow, StepRow, TimelineRow,
    WorkflowKey, WorkflowRow,
};
use crate::sort::{Place, Sort};
pub use actions::{ActionPlace, ActionsOf};
pub use approvals::ApprovalPlace;
pub use calls::CallsOf;
use conditions::{Purpose, push_filter};
pub use ends::EndsOf;
pub(crate) use expected::late_by_workflow;
pub use keys::{Keys, Personal};
pub use requests::{RequestPlace, expired_batches};
use search::Search;
pub use unknown::Unknown;
pub(crate) use unknown::unknown;
pub(crate) use workflows::counts_by_workflow;

/// A snapshot of the views, which begins with the first read. One store serves one request, so that
/// no answer mixes rows from before a change with rows from after it.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
    /// Begins with the first read. `None`: each read is by itself.
    snapshot: Option<Arc<Mutex<Option<Transaction<'static, Postgres>>>>>,
}

/// The connection of a read.
enum Reading<'a> {
    Snapshot(MappedMutexGuard<'a, PgConnection>),
    ByItself(PoolConnection<Postgres>),
}

impl Deref for Reading<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match self {
            Self::Snapshot(connection) => connection,
            Self::ByItself(connection) => connection,
        }
    }
}

impl DerefMut for Reading<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match self {
            Self::Snapshot(connection) => connection,
            Self::ByItself(connection) => connection,
        }
    }
}

impl Store {
    /// Reads from this pool's database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, snapshot: Some(Arc::default()) }
    }

    /// Holds no connection and no snapshot between two reads: for rows that do not change.
    pub fn without_snapshot(pool: PgPool) -> Self {
        Self { pool, snapshot: None }
    }

    async fn snapshot(&self) -> Result<Reading<'_>, ViewsError> {
        let Some(snapshot) = &self.snapshot else { return Ok(Reading::ByItself(self.pool.acquire().await?)) };
        let mut snapshot = snapshot.lock().await;
        if snapshot.is_none() {
            *snapshot = Some(begin(self.pool.clone()).await?);
        }
        let begun = MutexGuard::map(snapshot, |begun| &mut **begun.as_mut().expect("it was begun just now"));
        Ok(Reading::Snapshot(begun))
    }

    /// The checkpoint of these views.
    pub async fn checkpoint(&self) -> Result<Option<Position>, ViewsError> {
        Ok(checkpoint::read(&mut *self.snapshot().await?).await?)
    }

    /// Whether these views have that position; if not, their checkpoint.
    pub async fn at_least(&self, position: u64) -> Result<Result<(), Option<Position>>, ViewsError> {
        let had = self.checkpoint().await?;
        Ok(if had.map(|had| had.commit) >= Some(position) { Ok(()) } else { Err(had) })
    }

    /// The order of that id.
    pub async fn order(&self, id: &str) -> Result<Option<OrderRow>, ViewsError> {
        let mut query = select_orders();
        query.push(" WHERE id = ").push_bind(id);
        Ok(query.build_query_as().fetch_optional(&mut *self.snapshot().await?).await?)
    }

    /// The rows of a page, in the order in which they are counted, and one more if the list goes
    /// on.
    pub async fn orders(
        &self,
        filter: &OrderFilter,
        sort: Sort,
        page: &Page<Place>,
    ) -> Result<Vec<OrderRow>, ViewsError> {
        let search = Search { filter, sort, page };
        Ok(search.rows(&mut *self.snapshot().await?).await?)
    }

    /// Orders that changed after a position, of these or of all, in the order of their last
    /// changes.
    pub async fn changed(&self, after: i64, of: Option<&[String]>, most: i64) -> Result<Vec<OrderRow>, ViewsError> {
        let mut query = select_orders();
        query.push(" WHERE position > ").push_bind(after);
        if let Some(ids) = of {
            query.push(" AND id = ANY(").push_bind(ids).push(")");
        }
        query.push(" ORDER BY position LIMIT ").push_bind(most);
        Ok(query.build_query_as().fetch_all(&mut *self.snapshot().await?).await?)
    }

    /// Which of these orders match which of the filters. A filter is given by its index.
    pub async fn meeting(&self, ids: &[String], filters: &[OrderFilter]) -> Result<Vec<(String, usize)>, ViewsError> {
        let mut met = Vec::new();
        for (chunk, some) in filters.chunks(FILTERS).enumerate() {
            let mut query =
                QueryBuilder::<Postgres>::new("WITH changed AS MATERIALIZED (SELECT * FROM orders WHERE id = ANY(");
            query.push_bind(ids).push("))");
            for (index, filter) in some.iter().enumerate() {
                let union = if index == 0 { "" } else { " UNION ALL" };
                query.push(format_args!("{union} SELECT id, {index} FROM changed AS orders WHERE true"));
                push_filter(&mut query, filter, Purpose::Check);
            }
            let rows: Vec<(String, i32)> = query.build_query_as().fetch_all(&mut *self.snapshot().await?).await?;
            met.extend(rows.into_iter().map(|(id, index)| (id, chunk * FILTERS + index.cast_unsigned() as usize)));
        }
        Ok(met)
    }

    /// The steps that have begun, by order.
    pub async fn steps(&self, orders: &[String]) -> Result<HashMap<String, Vec<StepRow>>, ViewsError> {
        let rows: Vec<StepRow> = sqlx::query_as(
            "SELECT order_id, step, participant, action, mode, status, outcome, data, attempts, last_error, since, due_at,
                    started_at, ended_at, next_attempt_at
             FROM steps WHERE order_id = ANY($1) ORDER BY order_id, started_at, step",
        )
        .bind(orders)
        .fetch_all(&mut *self.snapshot().await?)
        .await?;
        Ok(grouped(rows, |row| &row.order_id))
    }

    /// The same page of the timeline of each order, up to the revision of its row.
    pub async fn timelines(
        &self,
        orders: &[Head],
        page: &Page<i64>,
    ) -> Result<HashMap<String, Vec<TimelineRow>>, ViewsError> {
        let direction = if page.from_end { "DESC" } else { "ASC" };
        let mut query = QueryBuilder::<Postgres>::new("SELECT entry.* FROM unnest(");
        query.push_bind(orders.iter().map(|order| order.id.as_str()).collect::<Vec<_>>()).push("::text[], ");
        query.push_bind(orders.iter().map(|order| order.revision).collect::<Vec<_>>());
        query.push(
            "::bigint[]) AS wanted (id, last) CROSS JOIN LATERAL (
                 SELECT order_id, revision, type, recorded_at, summary, step, actor, approved_by, reason, data,
                        correlation_id, causation_id, hash
                 FROM timeline WHERE order_id = wanted.id AND revision <= wanted.last",
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

    /// Those of these definitions that the views have.
    pub async fn workflows(&self, keys: HashSet<WorkflowKey>) -> Result<HashMap<WorkflowKey, WorkflowRow>, ViewsError> {
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
    pub async fn workflow(&self, name: &str, version: Option<i32>) -> Result<Option<WorkflowRow>, ViewsError> {
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

    /// The first events of an order that are set aside.
    pub async fn parked(&self, order: &OrderId) -> Result<Vec<ParkedRow>, ViewsError> {
        let rows = sqlx::query_as(
            "SELECT stream, revision, position, type, recorded_at, reason FROM parked WHERE stream = ANY($1)
             ORDER BY position, revision LIMIT $2",
        )
        .bind([order.stream(), order.metadata_stream()])
        .bind(MAX_PARKED)
        .fetch_all(&mut *self.snapshot().await?)
        .await?;
        Ok(rows)
    }

    /// How many orders have each status and state.
    pub async fn counts(&self) -> Result<Vec<CountRow>, ViewsError> {
        let rows = sqlx::query_as(
            "SELECT status, state, orders FROM order_counts WHERE hour = '-infinity' ORDER BY status, state",
        )
        .fetch_all(&mut *self.snapshot().await?)
        .await?;
        Ok(rows)
    }

    /// How many orders were placed in each hour that overlaps a time range, by status and state.
    pub async fn counts_by_hour(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<HourRow>, ViewsError> {
        let rows = sqlx::query_as(
            "SELECT hour, status, state, orders FROM order_counts
             WHERE $1 < $2 AND hour >= date_trunc('hour', $1, 'UTC') AND hour < $2 ORDER BY hour, status, state",
        )
        .bind(from)
        .bind(to)
        .fetch_all(&mut *self.snapshot().await?)
        .await?;
        Ok(rows)
    }

    /// How many orders of a principal have each status and state.
    pub async fn counts_of(&self, placed_by: &str) -> Result<Vec<CountRow>, ViewsError> {
        let rows = sqlx::query_as(
            "SELECT status, state, count(*) AS orders FROM orders WHERE placed_by = $1
             GROUP BY status, state ORDER BY status, state",
        );
        Ok(rows.bind(placed_by).fetch_all(&mut *self.snapshot().await?).await?)
    }

    /// How many orders of a principal were placed in each hour that overlaps a time range, by
    /// status and state.
    pub async fn counts_by_hour_of(
        &self,
        placed_by: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<HourRow>, ViewsError> {
        let rows = sqlx::query_as(
            "SELECT date_trunc('hour', placed_at, 'UTC') AS hour, status, state, count(*) AS orders FROM orders
             WHERE placed_by = $1 AND $2 < $3 AND placed_at >= date_trunc('hour', $2, 'UTC')
                 AND date_trunc('hour', placed_at, 'UTC') < $3
             GROUP BY hour, status, state ORDER BY hour, status, state",
        )
        .bind(placed_by)
        .bind(from)
        .bind(to)
        .fetch_all(&mut *self.snapshot().await?)
        .await?;
        Ok(rows)
    }

    /// The checkpoint, and how many events are set aside.
    pub async fn progress(&self) -> Result<ProgressRow, ViewsError> {
        let row = sqlx::query_as(
            "SELECT position, prepare, last_event_at, (SELECT count(*) FROM parked) AS parked
             FROM (VALUES ($1)) AS views (name) LEFT JOIN checkpoints USING (name)",
        )
        .bind(VIEWS)
        .fetch_one(&mut *self.snapshot().await?)
        .await?;
        Ok(row)
    }
}

/// The most events that are listed of those of an order that are set aside.
const MAX_PARKED: i64 = 100;
/// How many filters one statement has: each has some parameters, and a statement takes 65,535.
const FILTERS: usize = 100;

/// A statement may take as long as the longest request; later no caller waits for it, and it must
/// not keep a connection from others. Compiling the statement of a page takes ten times as long as
/// running it. The views are locked before the snapshot begins, so that no rebuild exchanges some
/// of them in between.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
                     SET LOCAL statement_timeout = '30s'; SET LOCAL jit = off;
                     LOCK TABLE orders, steps, timeline, todo, order_counts, workflow_counts, estimates, expectations, workflows, parked IN ACCESS SHARE MODE";

/// Runs as a separate task, which continues when the request is dropped. If sqlx (0.9) is dropped
/// at a bad moment, it loses track of the `BEGIN` that it has sent, and the connection's next user
/// would work inside that transaction without knowing.
async fn begin(pool: PgPool) -> Result<Transaction<'static, Postgres>, ViewsError> {
    let begun = tokio::spawn(async move { pool.begin_with(BEGIN).await });
    Ok(begun.await.map_err(|_| ViewsError::Internal)??)
}

/// The status of an order: one row, which needs no snapshot.
pub async fn order_status(pool: &PgPool, id: &str) -> Result<Option<StatusRow>, sqlx::Error> {
    let row = sqlx::query_as(
        "SELECT id, status, state, expected_at, result_error, placed_by, revision, position
         FROM orders LEFT JOIN expectations ON order_id = id WHERE id = $1",
    )
    .bind(id);
    row.fetch_optional(pool).await
}

/// A connection for [`ended_orders`]: it plans a statement once, and looks orders up by their ids,
/// however few orders the planner expects.
pub async fn connect_to_look_up(pool: &PgPool) -> Result<PgConnection, sqlx::Error> {
    let mut db = pool.acquire().await?.detach();
    sqlx::raw_sql("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off").execute(&mut db).await?;
    Ok(db)
}

/// Whether the database answers.
pub async fn answers(pool: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT 1").execute(pool).await.map(drop)
}

/// The orders among these that have ended, or are stuck.
pub async fn ended_orders(db: &mut PgConnection, ids: &[String]) -> Result<Vec<StatusRow>, sqlx::Error> {
    let rows = sqlx::query_as(
        "SELECT id, status, state, expected_at, result_error, placed_by, revision, position
         FROM orders LEFT JOIN expectations ON order_id = id
         WHERE id = ANY($1) AND (ended_at IS NOT NULL OR stuck_reason IS NOT NULL)",
    );
    rows.bind(ids).fetch_all(db).await
}

fn select_orders() -> QueryBuilder<Postgres> {
    QueryBuilder::new(format!("SELECT {ORDER_COLUMNS} FROM orders"))
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
