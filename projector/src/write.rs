//! Writes a batch: views and checkpoint together, in one statement, whatever the size of the batch.
//!
//! An order's row is replaced only by a later one of itself. What hangs on it (steps, to-do) follows the row: it is written
//! only for the orders whose row was. So a batch may be applied again at any later time and changes nothing. All of it hangs on
//! the checkpoint: where that has been moved by somebody else, nothing is written.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::ids::OrderId;
use event_store::{Position, RecordedEvent};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;
use views::channels;
use views::checkpoint::VIEWS;

use crate::columns::{OrderColumns, StepColumns, TodoColumns, WorkflowColumns};
use crate::counts::counted;
use crate::error::{Interruption, WriteError};
use crate::fold::Batch;
use crate::parked::{self, Parked};
use crate::session::{Session, moved};

/// Writes and commits. Returns the change in the number of events that are set aside.
pub(crate) async fn write(session: &mut Session, batch: &Batch, last: &RecordedEvent) -> Result<i64, WriteError> {
    let rows = Rows::of(batch)?;
    let moving = Moving {
        from: session.checkpoint(),
        generation: session.generation(),
        through: last.position,
        event: Some(last.id),
        log_id: Some(session.log_id()),
        last_event_at: Some(last.created),
        is_news: true,
    };
    let mut more_parked = 0;
    if batch.workflows.name.is_empty() && batch.parked.is_empty() && batch.limits.is_empty() {
        // A statement is a transaction by itself.
        write_rows(&mut session.db, &rows, &moving).await?;
    } else {
        let mut transaction = session.db.begin().await?;
        more_parked = write_all(&mut transaction, &rows, &moving).await?;
        transaction.commit().await?;
    }
    session.committed(last.position);
    Ok(more_parked)
}

/// How far the checkpoint moves with a batch.
pub(crate) struct Moving {
    /// Where it is believed to be.
    pub from: Option<Position>,
    /// Of the views, as it is believed to be.
    pub generation: i64,
    pub through: Position,
    /// The id of the event there; `None`: as it was.
    pub event: Option<Uuid>,
    /// The identity of the log; `None`: as it was.
    pub log_id: Option<Uuid>,
    pub last_event_at: Option<DateTime<Utc>>,
    /// Whether that is announced, with the orders that have ended.
    pub is_news: bool,
}

/// Writes all that becomes of a batch, within the caller's transaction. Returns the change in the number of events that are set
/// aside.
pub(crate) async fn write_all(db: &mut PgConnection, rows: &Rows<'_>, moving: &Moving) -> Result<i64, WriteError> {
    write_rows(db, rows, moving).await?;
    write_workflows(db, &rows.batch.workflows).await?;
    let newly_parked = parked::write(db, &rows.batch.parked).await?;
    mark_parked(db, rows.batch).await?;
    Ok(newly_parked.cast_signed() + mark_limits(db, &rows.batch.limits).await?)
}

/// What becomes of the views of orders.
pub(crate) struct Rows<'a> {
    orders: OrderColumns,
    steps: StepColumns,
    todo: TodoColumns,
    batch: &'a Batch,
}

impl<'a> Rows<'a> {
    pub fn of(batch: &'a Batch) -> Result<Self, WriteError> {
        let orders = OrderColumns::of(batch).map_err(|error| WriteError::Refused(error.to_string()))?;
        Ok(Self { orders, steps: StepColumns::of(batch), todo: TodoColumns::of(batch), batch })
    }
}

/// The checkpoint first. What never changes in an order's life is not set again.
const WRITE: &str = concat!(
    "WITH ",
    moved!("$61", "$63", "$64"),
    ", before AS (
        SELECT id, placed_at, state, status FROM orders WHERE id = ANY($7)
    ), changed AS (
        INSERT INTO orders (id, workflow, workflow_version, status, state, customer_id, customer_name, customer_email,
                            currency, total, lines, ship_to, attributes, result, stuck_reason,
                            placed_at, updated_at, ended_at, revision, position, sealed, result_error,
                            result_placeholders)
        SELECT * FROM unnest($7::text[], $8::text[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[],
                             $14::text[], $15::text[], $16::numeric[], $17::text[]::jsonb[], $18::text[]::jsonb[],
                             $19::text[]::jsonb[], $20::text[]::jsonb[], $21::text[], $22::timestamptz[],
                             $23::timestamptz[], $24::timestamptz[], $25::bigint[], $26::bigint[], $62::text[]::jsonb[],
                             $65::text[], $66::text[]::jsonb[])
        WHERE EXISTS (SELECT FROM moved)
        ON CONFLICT (id) DO UPDATE
        SET status = excluded.status, state = excluded.state, result = excluded.result,
            result_error = excluded.result_error, result_placeholders = excluded.result_placeholders,
            stuck_reason = excluded.stuck_reason, updated_at = excluded.updated_at, ended_at = excluded.ended_at,
            revision = excluded.revision, position = excluded.position
        WHERE orders.revision < excluded.revision
        RETURNING id, placed_at, state, status
    ), stepped AS (
        INSERT INTO steps (order_id, step, participant, action, mode, status, outcome, data, attempts, last_error,
                           started_at, ended_at, next_attempt_at)
        SELECT * FROM unnest($27::text[], $28::text[], $29::text[], $30::text[], $31::text[], $32::text[], $33::text[],
                             $34::text[]::jsonb[], $35::bigint[], $36::text[], $37::timestamptz[], $38::timestamptz[],
                             $39::timestamptz[]) AS step (order_id)
        WHERE step.order_id IN (SELECT id FROM changed)
        ON CONFLICT (order_id, step) DO UPDATE
        SET participant = excluded.participant, action = excluded.action, mode = excluded.mode, status = excluded.status,
            outcome = excluded.outcome, data = excluded.data, attempts = excluded.attempts,
            last_error = excluded.last_error, started_at = excluded.started_at, ended_at = excluded.ended_at,
            next_attempt_at = excluded.next_attempt_at
    ), due AS (
        INSERT INTO todo (order_id, due_at, revision, position)
        SELECT * FROM unnest($40::text[], $41::timestamptz[], $42::bigint[], $43::bigint[]) AS due (order_id)
        WHERE due.order_id IN (SELECT id FROM changed)
        ON CONFLICT (order_id) DO UPDATE
        SET due_at = excluded.due_at, revision = excluded.revision, position = excluded.position
    ), done AS (
        DELETE FROM todo WHERE order_id = ANY($44) AND order_id IN (SELECT id FROM changed)
    ), told AS (
        INSERT INTO timeline (order_id, revision, event_id, position, type, recorded_at, summary, step, actor, reason, data,
                              correlation_id, causation_id, hash)
        SELECT * FROM unnest($45::text[], $46::bigint[], $47::uuid[], $48::bigint[], $49::text[], $50::timestamptz[],
                             $51::text[], $52::text[], $53::text[], $54::text[], $55::text[]::jsonb[], $56::text[],
                             $57::uuid[], $58::text[])
        WHERE EXISTS (SELECT FROM moved)
        ON CONFLICT DO NOTHING
    ), ",
    counted!(),
    "
    SELECT pg_notify($6, position::text), (SELECT count(pg_notify($59, ids)) FROM unnest($60::text[]) AS ids) FROM moved",
);

/// Where nobody listens.
const UNHEARD: &str = "tenuto_unheard";

/// How many orders are told of together: a notification holds less than 8,000 bytes.
const ENDS_TOLD_TOGETHER: usize = 100;

async fn write_rows(
    db: &mut PgConnection,
    Rows { orders, steps, todo, batch }: &Rows<'_>,
    Moving { from, generation, through, event, log_id, last_event_at, is_news }: &Moving,
) -> Result<(), WriteError> {
    let timeline = &batch.timeline;
    let moved = sqlx::query(WRITE)
        .bind(VIEWS)
        .bind(through.commit.cast_signed())
        .bind(through.prepare.cast_signed())
        .bind(last_event_at)
        .bind(from.map(|from| from.commit.cast_signed()))
        .bind(if *is_news { channels::MOVED } else { UNHEARD })
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
        .bind(&todo.order_id)
        .bind(&todo.due_at)
        .bind(&todo.revision)
        .bind(&todo.position)
        .bind(&todo.nothing_due)
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
        .bind(channels::ENDED)
        .bind(if *is_news { ends(orders) } else { Vec::new() })
        .bind(generation)
        .bind(&orders.sealed)
        .bind(log_id)
        .bind(event)
        .bind(&orders.result_error)
        .bind(&orders.result_placeholders)
        .fetch_optional(db)
        .await?;
    Ok(moved.map(|_| ()).ok_or(Interruption::CheckpointMoved)?)
}

/// The orders that have ended, or are stuck, as they are told.
fn ends(orders: &OrderColumns) -> Vec<String> {
    let stands = orders.ended_at.iter().zip(&orders.stuck_reason);
    let ended = orders.id.iter().zip(stands).filter(|(_, (ended, stuck))| ended.is_some() || stuck.is_some());
    let ids: Vec<&str> = ended.map(|(id, _)| id.as_str()).collect();
    ids.chunks(ENDS_TOLD_TOGETHER).map(|ids| ids.join(" ")).collect()
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

/// Marks the orders that have hidden events, and unmarks those that have none any more. Returns the change in the number of rows of
/// `parked`: an order with hidden events has one row there, whatever its limits.
async fn mark_limits(db: &mut PgConnection, limits: &HashMap<OrderId, Option<Parked>>) -> Result<i64, sqlx::Error> {
    if limits.is_empty() {
        return Ok(0);
    }
    let streams: Vec<String> = limits.keys().map(OrderId::metadata_stream).collect();
    let earlier = sqlx::query("DELETE FROM parked WHERE stream = ANY($1)").bind(streams).execute(&mut *db).await?;
    let hidden: Vec<Parked> = limits.values().flatten().cloned().collect();
    let now = parked::write(db, &hidden).await?;
    parked::mark(db, limits.keys().map(OrderId::as_str).collect()).await?;
    Ok(now.cast_signed() - earlier.rows_affected().cast_signed())
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
