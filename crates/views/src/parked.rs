//! Events that cannot be projected. Each is set aside with its reason.

use chrono::{DateTime, Utc};
use domain::ids::OrderId;
use domain::stream_prefix;
use event_store::RecordedEvent;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use uuid::Uuid;

use crate::rows::ParkedRow;
use crate::writer::parameters::{Parameters, columns};

/// An event that is set aside.
#[derive(Debug, Clone)]
pub struct Parked {
    /// The event.
    pub event: RecordedEvent,
    /// Why it cannot be projected.
    pub reason: String,
}

columns! {
    /// Rows of `parked`.
    struct ParkedColumns {
        position: i64, "bigint[]", Never;
        revision: i64, "bigint[]", Never;
        stream: String, "text[]", Never;
        event_id: Uuid, "uuid[]", Never;
        event_type as "type": String, "text[]", Never;
        recorded_at: DateTime<Utc>, "timestamptz[]", Never;
        reason: String, "text[]", Never;
        data: Vec<u8>, "bytea[]", Never;
        metadata: Vec<u8>, "bytea[]", Never;
    }
}

impl ParkedColumns {
    fn push(&mut self, Parked { event, reason }: &Parked) {
        self.position.push(event.position.commit.cast_signed());
        self.revision.push(event.revision.cast_signed());
        self.stream.push(storable(&event.stream));
        self.event_id.push(event.id);
        self.event_type.push(storable(&event.event_type));
        self.recorded_at.push(event.created);
        self.reason.push(storable(reason));
        self.data.push(event.data.to_vec());
        self.metadata.push(event.metadata.to_vec());
    }
}

/// How many events are set aside.
pub async fn count(db: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM parked").fetch_one(db).await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// The first `most` of them, in the order of the log, after the event of this position and
/// revision.
pub async fn page(pool: &PgPool, after: Option<(i64, i64)>, most: u32) -> Result<Vec<ParkedRow>, sqlx::Error> {
    let (position, revision) = after.unwrap_or((-1, -1));
    sqlx::query_as(
        "SELECT stream, revision, position, type, recorded_at, reason FROM parked
         WHERE (position, revision) > ($1, $2) ORDER BY position, revision LIMIT $3",
    )
    .bind(position)
    .bind(revision)
    .bind(i64::from(most))
    .fetch_all(pool)
    .await
}

/// The streams with events that are set aside.
pub async fn streams(pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT DISTINCT stream FROM parked ORDER BY 1").fetch_all(pool).await
}

/// Whether an event before this one, in the same stream, is set aside.
pub async fn any_before(db: &mut PgConnection, event: &RecordedEvent) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM parked WHERE stream = $1 AND revision < $2)")
        .bind(storable(&event.stream))
        .bind(event.revision.cast_signed())
        .fetch_one(db)
        .await
}

/// Removes the rows of a stream, so that its events can be projected. Returns how many there were.
pub async fn release(db: &mut PgConnection, stream: &str) -> Result<u64, sqlx::Error> {
    Ok(sqlx::query("DELETE FROM parked WHERE stream = $1").bind(stream).execute(db).await?.rows_affected())
}

/// Marks those of these orders that have events set aside, and unmarks the others.
pub async fn mark_again(db: &mut PgConnection, orders: &[&str]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE orders
         SET parked = EXISTS (SELECT FROM parked AS aside WHERE aside.stream IN ($2 || id, '$$' || $2 || id))
         WHERE id = ANY($1)",
    )
    .bind(orders)
    .bind(stream_prefix::get())
    .execute(db)
    .await
    .map(drop)
}

/// Marks these orders.
pub(crate) async fn mark(db: &mut PgConnection, orders: &[&str]) -> Result<(), sqlx::Error> {
    if orders.is_empty() {
        return Ok(());
    }
    let marked = sqlx::query("UPDATE orders SET parked = true WHERE id = ANY($1) AND NOT parked");
    marked.bind(orders).execute(db).await.map(drop)
}

/// Sets events aside; a row that exists stays as it is. Returns how many rows are new.
pub(crate) async fn write(
    db: &mut PgConnection,
    parked: impl IntoIterator<Item = &Parked>,
) -> Result<u64, sqlx::Error> {
    let mut columns = ParkedColumns::default();
    for parked in parked {
        columns.push(parked);
    }
    if columns.position.is_empty() {
        return Ok(0);
    }
    let mut parameters = Parameters::default();
    let rows = parameters.rows(&columns);
    let statement =
        format!("INSERT INTO parked ({}) SELECT * FROM unnest({}) ON CONFLICT DO NOTHING", rows.names(), rows.arrays());
    Ok(parameters.statement(|| AssertSqlSafe(statement))?.execute(db).await?.rows_affected())
}

/// Replaces what is set aside because an operator of the log hides events of these orders: an order
/// with hidden events has one row, whatever the limits of its stream are. Returns the change in the
/// number of rows.
pub(crate) async fn replace_limits(
    db: &mut PgConnection,
    limits: &[(&OrderId, Option<&Parked>)],
) -> Result<i64, sqlx::Error> {
    if limits.is_empty() {
        return Ok(0);
    }
    let streams: Vec<String> = limits.iter().map(|(order, _)| order.metadata_stream()).collect();
    let earlier = sqlx::query("DELETE FROM parked WHERE stream = ANY($1)").bind(streams).execute(&mut *db).await?;
    let now = write(db, limits.iter().filter_map(|(_, hidden)| *hidden)).await?;
    let orders: Vec<&str> = limits.iter().map(|(order, _)| order.as_str()).collect();
    mark_again(db, &orders).await?;
    Ok(now.cast_signed() - earlier.rows_affected().cast_signed())
}

/// Every text, without the one character that a text in Postgres cannot hold: NUL.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
