//! What is set aside: told of, and tried again after whatever was wrong has been mended.
//!
//! A stream is tried as a whole, from its beginning, in one transaction in which the active projector cannot move the checkpoint;
//! it then begins anew from there, because it remembers the stream as set aside.

use std::num::NonZeroUsize;

use chrono::{DateTime, Utc};
use domain::ids::OrderId;
use event_store::{EventStore, ReadError};
use serde::Serialize;
use sqlx::{Connection, FromRow, PgConnection, PgPool};
use views::CHECKPOINTS;
use views::checkpoint::begin_generation;

use crate::error::WriteError;
use crate::fold::Batch;
use crate::parked::mark;
use crate::reproject::RemakeError;
use crate::states::States;
use crate::write::{Moving, Rows, write_all};

/// An event that is set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
#[serde(rename_all = "camelCase")]
pub struct ParkedEvent {
    /// Its stream.
    pub stream: String,
    /// Index in its stream.
    pub revision: i64,
    /// Place in the log.
    pub position: i64,
    /// What happened.
    #[sqlx(rename = "type")]
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Why it cannot be projected.
    pub reason: String,
}

/// What came of trying again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retried {
    /// The views have it, up to where they are.
    Projected,
    /// Still not, for this reason; nothing was changed.
    StillParked(String),
    /// Nothing of it is set aside.
    NotParked,
}

/// What is set aside, in the order of the log: at most so many, after that place.
pub async fn parked(pool: &PgPool, after: Option<(i64, i64)>, most: u32) -> Result<Vec<ParkedEvent>, sqlx::Error> {
    let (position, revision) = after.unwrap_or((-1, -1));
    sqlx::query_as(
        "SELECT stream, revision, position, type, recorded_at, reason FROM parked WHERE (position, revision) > ($1, $2)
         ORDER BY position, revision LIMIT $3",
    )
    .bind(position)
    .bind(revision)
    .bind(i64::from(most))
    .fetch_all(pool)
    .await
}

/// The streams of which something is set aside.
pub async fn parked_streams(pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT DISTINCT stream FROM parked ORDER BY 1").fetch_all(pool).await
}

/// Tries a stream again.
pub async fn retry(log: &EventStore, pool: &PgPool, stream: &str) -> Result<Retried, RemakeError> {
    let mut db = pool.acquire().await?.detach();
    let mut transaction = db.begin().await?;
    // Nobody moves the views before this is over.
    let views = begin_generation(&mut transaction, CHECKPOINTS).await?;
    let Some((checkpoint, generation)) = views else { return Ok(Retried::NotParked) };
    let released = sqlx::query("DELETE FROM parked WHERE stream = $1").bind(stream).execute(&mut *transaction).await?;
    if released.rows_affected() == 0 {
        return Ok(Retried::NotParked);
    }
    let events = match log.read_stream_to(stream, checkpoint).await {
        Ok(events) => events,
        Err(error @ ReadError::StreamDeleted(_)) => return Ok(Retried::StillParked(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    let mut states = States::new(log.clone(), NonZeroUsize::MIN);
    let batch = Batch::fold(&mut states, &mut transaction, &events).await.map_err(WriteError::from)?;
    if let Some(first) = batch.parked.first() {
        return Ok(Retried::StillParked(format!("revision {}: {}", first.event.revision, first.reason)));
    }
    if let Some(hidden) = batch.limits.values().flatten().next() {
        return Ok(Retried::StillParked(hidden.reason.clone()));
    }
    let moving = Moving {
        from: Some(checkpoint),
        generation,
        through: checkpoint,
        event: None,
        log_id: None,
        last_event_at: None,
        is_news: true,
    };
    match write(&mut transaction, &batch, &moving).await {
        Ok(()) => {}
        Err(WriteError::Refused(reason)) => return Ok(Retried::StillParked(reason)),
        Err(error) => return Err(error.into()),
    }
    if let Some(order) = OrderId::from_stream(stream) {
        mark(&mut transaction, vec![order.as_str()]).await?;
    }
    transaction.commit().await?;
    Ok(Retried::Projected)
}

async fn write(db: &mut PgConnection, batch: &Batch, moving: &Moving) -> Result<(), WriteError> {
    write_all(db, &Rows::of(batch)?, moving).await.map(drop)
}
