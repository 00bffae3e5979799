//! Compares the live views with rebuilt ones: tables of the same names that a writer has filled
//! from the log.
//!
//! The statements name only the columns of the keys, so that no column can be forgotten.

use std::collections::BTreeSet;

use domain::ids::OrderId;
use event_store::Position;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, FromRow, Postgres, Transaction};

use crate::checkpoint;
use crate::tables::{CHECKPOINTS, View, live_schema};

/// The most differences of one table that one comparison returns. A range with so many has more.
const MAX_DIFFERENCES: i64 = 1_000;

/// The views whose rows belong to orders. The first column of their keys holds the order's id.
const OF_ORDERS: [View; 4] = [View::Orders, View::Steps, View::Timeline, View::Todo];

/// A row, or a column of one, that is not what the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The view.
    pub table: &'static str,
    /// The key of the row: the order's id first.
    pub row: String,
    /// The order that the row belongs to, if it belongs to one.
    pub order: Option<String>,
    /// The column; `None`: the whole row is missing, or should not exist.
    pub column: Option<String>,
    /// The value that follows from the log; `None`: null, or no such row.
    pub log: Option<String>,
    /// The value in the view; `None`: null, or no such row.
    pub view: Option<String>,
}

/// The result of a comparison.
#[derive(Debug, Default)]
pub struct Compared {
    /// Everything that differs, up to a bound.
    pub differences: Vec<Difference>,
    /// Streams that could not be read, each with the reason. Their rows were not compared.
    pub unreadable: Vec<(String, String)>,
}

impl Compared {
    /// Whether the rows of all orders are correct: the counts are counts of these rows.
    pub fn has_orders_right(&self) -> bool {
        self.unreadable.is_empty() && self.differences.iter().all(|difference| difference.table != View::Orders.table())
    }
}

/// A range of orders in the byte order of their ids.
#[derive(Debug, Clone, Default)]
pub struct Range {
    /// The first id in the range; `None`: the first of all.
    pub from: Option<String>,
    /// The first id after the range; `None`: the range has the last of all.
    pub to: Option<String>,
}

impl Range {
    /// One order alone.
    pub fn of(order: &OrderId) -> Self {
        // Only the id itself is in this range: a text in Postgres has no NUL.
        Self { from: Some(order.to_string()), to: Some(format!("{order}\u{1}")) }
    }
}

/// Ranges of `size` of these sorted orders. Together they cover every id.
pub fn ranges(orders: &[OrderId], size: usize) -> impl Iterator<Item = (Range, &[OrderId])> {
    let count = orders.len().div_ceil(size).max(1);
    let begin = move |index: usize| {
        let first = orders.get(index * size).filter(|_| index > 0);
        first.map(ToString::to_string)
    };
    (0..count).map(move |index| {
        let range = Range { from: begin(index), to: begin(index + 1) };
        (range, &orders[index * size..orders.len().min((index + 1) * size)])
    })
}

/// The live tables, and the rebuilt ones of the same names.
pub struct Live {
    /// The schema of the live tables, quoted.
    pub schema: String,
    /// The schema of the rebuilt tables.
    pub rebuilt: String,
}

impl Live {
    /// Creates an empty temporary table for each view. On this connection, the names of the views
    /// then mean the temporary tables.
    pub async fn shadowed(db: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let live = Self { schema: live_schema(db).await?, rebuilt: "pg_temp".to_owned() };
        for name in View::ALL.map(View::table).into_iter().chain([CHECKPOINTS]) {
            let create = format!(
                "CREATE TEMPORARY TABLE {name} (LIKE {}.{name} INCLUDING DEFAULTS INCLUDING INDEXES) ON COMMIT DELETE ROWS",
                live.schema
            );
            sqlx::query(AssertSqlSafe(create)).execute(&mut *db).await?;
        }
        Ok(live)
    }

    /// A snapshot of the views. They are locked before it begins, so that no rebuild exchanges some
    /// of them in between.
    pub async fn snapshot<'c>(&self, db: &'c mut PgConnection) -> Result<Transaction<'c, Postgres>, sqlx::Error> {
        let mut snapshot = db.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
        let lock = format!("LOCK TABLE {} IN ACCESS SHARE MODE", View::all_in(&self.schema));
        sqlx::query(AssertSqlSafe(lock)).execute(&mut *snapshot).await?;
        Ok(snapshot)
    }

    /// The checkpoint of the live views.
    pub async fn checkpoint(&self, db: &mut PgConnection) -> Result<Option<Position>, sqlx::Error> {
        checkpoint::read_in(db, &self.schema).await
    }

    /// The orders of a range that are in any view.
    pub async fn orders(&self, db: &mut PgConnection, range: &Range) -> Result<Vec<String>, sqlx::Error> {
        let each = |view: View| {
            let order = view.keys()[0];
            format!("SELECT {order} FROM {}.{} WHERE {}", self.schema, view.table(), within(order))
        };
        let query = OF_ORDERS.map(each).join(" UNION ");
        sqlx::query_scalar(AssertSqlSafe(query)).bind(&range.from).bind(&range.to).fetch_all(db).await
    }

    /// Those metadata streams of these orders that have events set aside.
    pub async fn metadata(
        &self,
        db: &mut PgConnection,
        orders: &BTreeSet<OrderId>,
    ) -> Result<BTreeSet<String>, sqlx::Error> {
        let streams: Vec<String> = orders.iter().map(OrderId::metadata_stream).collect();
        let query = format!("SELECT stream FROM {}.parked WHERE stream = ANY($1)", self.schema);
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query)).bind(streams).fetch_all(db).await?;
        Ok(found.into_iter().collect())
    }

    /// Compares the rows of a range of orders, and the events of these streams that are set aside.
    pub async fn differing_orders(
        &self,
        db: &mut PgConnection,
        range: &Range,
        streams: &BTreeSet<String>,
    ) -> Result<Vec<Difference>, sqlx::Error> {
        let mut differences = Vec::new();
        for view in OF_ORDERS {
            let query = self.differing(view, &within(view.keys()[0]));
            let rows =
                sqlx::query_as(AssertSqlSafe(query)).bind(&range.from).bind(&range.to).fetch_all(&mut *db).await?;
            differences.extend(rows.into_iter().map(|row: Row| row.of(view)));
        }
        let streams: Vec<&String> = streams.iter().collect();
        let query = self.differing(View::Parked, "stream = ANY($1)");
        let rows = sqlx::query_as(AssertSqlSafe(query)).bind(streams).fetch_all(&mut *db).await?;
        differences.extend(rows.into_iter().map(|row: Row| row.of(View::Parked)));
        Ok(differences)
    }

    /// Compares all rows of a view.
    pub async fn differing_view(&self, db: &mut PgConnection, view: View) -> Result<Vec<Difference>, sqlx::Error> {
        let rows = sqlx::query_as(AssertSqlSafe(self.differing(view, "true"))).fetch_all(db).await?;
        Ok(rows.into_iter().map(|row: Row| row.of(view)).collect())
    }

    /// Compares the counts with the live rows of the orders.
    pub async fn differing_counts(&self, db: &mut PgConnection) -> Result<Vec<Difference>, sqlx::Error> {
        let Self { schema, rebuilt } = self;
        let counted = format!(
            "INSERT INTO {rebuilt}.{} (hour, state, status, orders)
             SELECT coalesce(hour, '-infinity'), state, status, count(*)
             FROM (SELECT date_trunc('hour', placed_at, 'UTC') AS hour, state, status FROM {schema}.orders) AS orders
             GROUP BY GROUPING SETS ((hour, state, status), (state, status))",
            View::Counts.table()
        );
        sqlx::query(AssertSqlSafe(counted)).execute(&mut *db).await?;
        let by_workflow = format!(
            "INSERT INTO {rebuilt}.{} (workflow, version, state, orders)
             SELECT workflow, workflow_version, state, count(*) FROM {schema}.orders
             GROUP BY workflow, workflow_version, state",
            View::WorkflowCounts.table()
        );
        sqlx::query(AssertSqlSafe(by_workflow)).execute(&mut *db).await?;
        let mut differences = self.differing_view(db, View::Counts).await?;
        differences.extend(self.differing_view(db, View::WorkflowCounts).await?);
        Ok(differences)
    }

    /// Rows are compared as texts: `1.0` and `1.00` differ.
    fn differing(&self, view: View, within: &str) -> String {
        let (Self { schema, rebuilt }, name, keys) = (self, view.table(), view.keys());
        let key = keys[0];
        let using = keys.join(", ");
        let row = keys.iter().map(|key| format!("{key}::text")).collect::<Vec<_>>().join(" || ' ' || ");
        let order = if OF_ORDERS.contains(&view) { format!("{key}::text") } else { "NULL".to_owned() };
        format!(
            "SELECT {row} AS keys, {order} AS order_id, made.{key} IS NOT NULL AS in_log, live.{key} IS NOT NULL AS in_view,
                    cell.key AS name, cell.made AS log, cell.live AS view
             FROM (SELECT * FROM {rebuilt}.{name}) AS made
             FULL JOIN (SELECT * FROM {schema}.{name} WHERE {within}) AS live USING ({using})
             LEFT JOIN LATERAL (
                 SELECT key, m.value AS made, l.value AS live
                 FROM json_each_text(to_json(made.*)) AS m FULL JOIN json_each_text(to_json(live.*)) AS l USING (key)
                 WHERE m.value IS DISTINCT FROM l.value
             ) AS cell ON made.{key} IS NOT NULL AND live.{key} IS NOT NULL
             WHERE (made.*)::text IS DISTINCT FROM (live.*)::text
             ORDER BY {using}, cell.key LIMIT {MAX_DIFFERENCES}"
        )
    }
}

/// The condition that an id is in the range whose two ends are bound first.
fn within(column: &str) -> String {
    format!(r#"($1::text IS NULL OR {column} >= $1 COLLATE "C") AND ($2::text IS NULL OR {column} < $2 COLLATE "C")"#)
}

#[derive(FromRow)]
struct Row {
    keys: String,
    order_id: Option<String>,
    in_log: bool,
    in_view: bool,
    name: Option<String>,
    log: Option<String>,
    view: Option<String>,
}

impl Row {
    fn of(self, view: View) -> Difference {
        let table = view.table();
        let Self { keys, order_id, in_log, in_view, name, log, view: viewed } = self;
        let there = |is_there: bool| is_there.then(|| "a row".to_owned());
        let (log, view) = if in_log && in_view { (log, viewed) } else { (there(in_log), there(in_view)) };
        Difference { table, row: keys, order: order_id, column: name, log, view }
    }
}
