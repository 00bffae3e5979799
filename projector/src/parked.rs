//! Events that cannot be projected, set aside with the reason.

use domain::stream_prefix;
use event_store::RecordedEvent;
use sqlx::PgConnection;

/// Why an event of an order whose earlier event is parked is parked too.
pub(crate) const EARLIER_PARKED: &str = "an earlier event of this order is parked";

/// An event that is set aside.
#[derive(Debug, Clone)]
pub(crate) struct Parked {
    pub event: RecordedEvent,
    pub reason: String,
}

/// Events set aside so far.
pub(crate) async fn count(db: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM parked").fetch_one(db).await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Whether an event before this one, in the same stream, is parked.
pub(crate) async fn any_before(db: &mut PgConnection, event: &RecordedEvent) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM parked WHERE stream = $1 AND revision < $2)")
        .bind(storable(&event.stream))
        .bind(event.revision.cast_signed())
        .fetch_one(db)
        .await
}

/// Sets events aside; those that are already, stay as they are. Gives back how many are new.
pub(crate) async fn write(db: &mut PgConnection, parked: &[Parked]) -> Result<u64, sqlx::Error> {
    if parked.is_empty() {
        return Ok(0);
    }
    let each = || parked.iter().map(|parked| &parked.event);
    let done = sqlx::query(
        "INSERT INTO parked (position, revision, stream, event_id, type, recorded_at, reason, data, metadata)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::uuid[], $5::text[], $6::timestamptz[], $7::text[],
                              $8::bytea[], $9::bytea[])
         ON CONFLICT DO NOTHING",
    )
    .bind(each().map(|event| event.position.commit.cast_signed()).collect::<Vec<_>>())
    .bind(each().map(|event| event.revision.cast_signed()).collect::<Vec<_>>())
    .bind(each().map(|event| storable(&event.stream)).collect::<Vec<_>>())
    .bind(each().map(|event| event.id).collect::<Vec<_>>())
    .bind(each().map(|event| storable(&event.event_type)).collect::<Vec<_>>())
    .bind(each().map(|event| event.created).collect::<Vec<_>>())
    .bind(parked.iter().map(|parked| storable(&parked.reason)).collect::<Vec<_>>())
    .bind(each().map(|event| event.data.as_ref()).collect::<Vec<_>>())
    .bind(each().map(|event| event.metadata.as_ref()).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Marks those of these orders that have events set aside, and unmarks the others.
pub(crate) async fn mark(db: &mut PgConnection, orders: Vec<&str>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE orders SET parked = EXISTS (SELECT FROM parked AS aside WHERE aside.stream IN ($2 || id, '$$' || $2 || id))
         WHERE id = ANY($1)",
    )
    .bind(orders)
    .bind(stream_prefix::get())
    .execute(db)
    .await?;
    Ok(())
}

/// A Postgres text holds everything but NUL; what is set aside must be storable, whatever it is.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
