//! Tries events that are set aside again, after an operator has repaired the cause.
//!
//! A stream is tried as a whole, from its beginning, in one transaction in which the active
//! projector cannot move the checkpoint. The projector then starts again from there, because in its
//! memory the stream is set aside.

use std::num::NonZeroUsize;

use domain::ids::OrderId;
use event_store::{EventStore, ReadError};
use sqlx::{Connection, PgConnection, PgPool};
use views::checkpoint::begin_generation;
use views::writer::CheckpointMove;
use views::{CHECKPOINTS, parked};

use crate::error::WriteError;
use crate::fold::Batch;
use crate::reproject::ReprojectError;
use crate::states::States;

/// The result of a retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retried {
    /// The views have the stream, up to their checkpoint.
    Projected,
    /// The stream still cannot be projected, for this reason; nothing was changed.
    StillParked(String),
    /// Nothing of it is set aside.
    NotParked,
}

/// Tries a stream again.
pub async fn retry(log: &EventStore, pool: &PgPool, stream: &str) -> Result<Retried, ReprojectError> {
    let mut db = pool.acquire().await?.detach();
    let mut transaction = db.begin().await?;
    // From here on no other process moves the checkpoint.
    let views = begin_generation(&mut transaction, CHECKPOINTS).await?;
    let Some((checkpoint, generation)) = views else { return Ok(Retried::NotParked) };
    if parked::release(&mut transaction, stream).await? == 0 {
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
    let to = CheckpointMove {
        from: Some(checkpoint),
        generation,
        through: checkpoint,
        event: None,
        log_id: None,
        last_event_at: None,
        announce: true,
    };
    match write(&batch, &mut transaction, &to).await {
        Ok(()) => {}
        Err(WriteError::Refused(reason)) => return Ok(Retried::StillParked(reason)),
        Err(error) => return Err(error.into()),
    }
    if let Some(order) = OrderId::from_stream(stream) {
        parked::mark_again(&mut transaction, &[order.as_str()]).await?;
    }
    transaction.commit().await?;
    Ok(Retried::Projected)
}

async fn write(batch: &Batch, db: &mut PgConnection, to: &CheckpointMove) -> Result<(), WriteError> {
    batch.changes()?.write(db, to).await?;
    Ok(())
}
