//! Writes a batch: views and checkpoint in one transaction, one statement a table.
//!
//! An order's row is replaced only by a later one of itself. What hangs on it (steps, to-do) follows the row: it is written
//! only for the orders whose row was. So a batch may be applied again at any later time and changes nothing.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use event_store::client::Position;
use sqlx::{Connection, PgConnection};

use crate::columns::{OrderColumns, StepColumns, TimelineColumns, TodoColumns, WorkflowColumns};
use crate::error::WriteError;
use crate::fold::Batch;
use crate::parked;
use crate::session::{Session, move_checkpoint};

/// Writes and commits. Gives back how many events are newly set aside.
pub(crate) async fn write(
    session: &mut Session,
    batch: &Batch,
    through: Position,
    last_event_at: Option<DateTime<Utc>>,
) -> Result<u64, WriteError> {
    let orders = OrderColumns::of(batch).map_err(|error| WriteError::Refused(error.to_string()))?;
    let from = session.checkpoint();
    let mut transaction = session.db.begin().await?;
    let db = &mut *transaction;
    move_checkpoint(db, from, through, last_event_at).await?;
    write_workflows(db, &batch.workflows).await?;
    let changed = write_orders(db, &orders).await?;
    write_steps(db, &StepColumns::of(batch, &changed)).await?;
    write_todo(db, &TodoColumns::of(batch, &changed)).await?;
    write_timeline(db, &batch.timeline).await?;
    let newly_parked = parked::write(db, &batch.parked).await?;
    mark_parked(db, batch).await?;
    transaction.commit().await?;
    session.committed(through);
    Ok(newly_parked)
}

/// Gives back the orders whose rows are now these.
async fn write_orders(db: &mut PgConnection, orders: &OrderColumns) -> Result<HashSet<String>, sqlx::Error> {
    if orders.id.is_empty() {
        return Ok(HashSet::new());
    }
    // What never changes in an order's life is not set again.
    let changed: Vec<String> = sqlx::query_scalar(
        "INSERT INTO orders (id, workflow, workflow_version, status, state, customer_id, customer_name, customer_email,
                             currency, total, lines, ship_to, attributes, result, stuck_reason,
                             placed_at, updated_at, ended_at, revision, position)
         SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                              $9::text[], $10::numeric[], $11::text[]::jsonb[], $12::text[]::jsonb[], $13::text[]::jsonb[],
                              $14::text[]::jsonb[], $15::text[], $16::timestamptz[], $17::timestamptz[], $18::timestamptz[],
                              $19::bigint[], $20::bigint[])
         ON CONFLICT (id) DO UPDATE
         SET status = excluded.status, state = excluded.state, result = excluded.result, stuck_reason = excluded.stuck_reason,
             updated_at = excluded.updated_at, ended_at = excluded.ended_at,
             revision = excluded.revision, position = excluded.position
         WHERE orders.revision < excluded.revision
         RETURNING id",
    )
    .bind(&orders.id)
    .bind(&orders.workflow)
    .bind(&orders.workflow_version)
    .bind(&orders.status)
    .bind(&orders.state)
    .bind(&orders.customer_id)
    .bind(&orders.customer_name)
    .bind(&orders.customer_email)
    .bind(&orders.currency)
    .bind(&orders.total)
    .bind(&orders.lines)
    .bind(&orders.ship_to)
    .bind(&orders.attributes)
    .bind(&orders.result)
    .bind(&orders.stuck_reason)
    .bind(&orders.placed_at)
    .bind(&orders.updated_at)
    .bind(&orders.ended_at)
    .bind(&orders.revision)
    .bind(&orders.position)
    .fetch_all(db)
    .await?;
    Ok(changed.into_iter().collect())
}

async fn write_steps(db: &mut PgConnection, steps: &StepColumns) -> Result<(), sqlx::Error> {
    if steps.order_id.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO steps (order_id, step, participant, action, mode, status, outcome, data, attempts, last_error,
                            started_at, ended_at, next_attempt_at)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                              $8::text[]::jsonb[], $9::bigint[], $10::text[], $11::timestamptz[], $12::timestamptz[],
                              $13::timestamptz[])
         ON CONFLICT (order_id, step) DO UPDATE
         SET participant = excluded.participant, action = excluded.action, mode = excluded.mode, status = excluded.status,
             outcome = excluded.outcome, data = excluded.data, attempts = excluded.attempts, last_error = excluded.last_error,
             started_at = excluded.started_at, ended_at = excluded.ended_at, next_attempt_at = excluded.next_attempt_at",
    )
    .bind(&steps.order_id)
    .bind(&steps.step)
    .bind(&steps.participant)
    .bind(&steps.action)
    .bind(&steps.mode)
    .bind(&steps.status)
    .bind(&steps.outcome)
    .bind(&steps.data)
    .bind(&steps.attempts)
    .bind(&steps.last_error)
    .bind(&steps.started_at)
    .bind(&steps.ended_at)
    .bind(&steps.next_attempt_at)
    .execute(db)
    .await?;
    Ok(())
}

async fn write_todo(db: &mut PgConnection, todo: &TodoColumns) -> Result<(), sqlx::Error> {
    if !todo.order_id.is_empty() {
        sqlx::query(
            "INSERT INTO todo (order_id, due_at, revision, position)
             SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::bigint[])
             ON CONFLICT (order_id) DO UPDATE
             SET due_at = excluded.due_at, revision = excluded.revision, position = excluded.position",
        )
        .bind(&todo.order_id)
        .bind(&todo.due_at)
        .bind(&todo.revision)
        .bind(&todo.position)
        .execute(&mut *db)
        .await?;
    }
    if !todo.nothing_due.is_empty() {
        sqlx::query("DELETE FROM todo WHERE order_id = ANY($1)").bind(&todo.nothing_due).execute(db).await?;
    }
    Ok(())
}

async fn write_timeline(db: &mut PgConnection, timeline: &TimelineColumns) -> Result<(), sqlx::Error> {
    if timeline.order_id.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO timeline (order_id, revision, event_id, position, type, recorded_at, summary, step, actor, reason, data,
                               correlation_id, causation_id, hash)
         SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::bigint[], $5::text[], $6::timestamptz[], $7::text[],
                              $8::text[], $9::text[], $10::text[], $11::text[]::jsonb[], $12::text[], $13::uuid[], $14::text[])
         ON CONFLICT DO NOTHING",
    )
    .bind(&timeline.order_id)
    .bind(&timeline.revision)
    .bind(&timeline.event_id)
    .bind(&timeline.position)
    .bind(&timeline.event_type)
    .bind(&timeline.recorded_at)
    .bind(&timeline.summary)
    .bind(&timeline.step)
    .bind(&timeline.actor)
    .bind(&timeline.reason)
    .bind(&timeline.data)
    .bind(&timeline.correlation_id)
    .bind(&timeline.causation_id)
    .bind(&timeline.hash)
    .execute(db)
    .await?;
    Ok(())
}

/// The first registration of a version stands.
async fn write_workflows(db: &mut PgConnection, workflows: &WorkflowColumns) -> Result<(), sqlx::Error> {
    if workflows.name.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO workflows (name, version, source, outline, registered_at, position)
         SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[]::jsonb[], $5::timestamptz[], $6::bigint[])
         ON CONFLICT DO NOTHING",
    )
    .bind(&workflows.name)
    .bind(&workflows.version)
    .bind(&workflows.source)
    .bind(&workflows.outline)
    .bind(&workflows.registered_at)
    .bind(&workflows.position)
    .execute(db)
    .await?;
    Ok(())
}

async fn mark_parked(db: &mut PgConnection, batch: &Batch) -> Result<(), sqlx::Error> {
    let parked: Vec<&str> =
        batch.orders.iter().filter(|(_, work)| work.is_parked()).map(|(order, _)| order.as_str()).collect();
    if !parked.is_empty() {
        sqlx::query("UPDATE orders SET parked = true WHERE id = ANY($1) AND NOT parked")
            .bind(parked)
            .execute(db)
            .await?;
    }
    Ok(())
}
