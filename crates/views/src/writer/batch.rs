//! Writes a batch: views and checkpoint together, in one statement, whatever the size of the batch.
//!
//! Only a later row of the same order replaces an order's row. Its steps and its due work follow
//! the row: they are written only for the orders whose row was written. So the same batch, written
//! again at any later time, changes nothing. Everything depends on the checkpoint: if another
//! process moved it, nothing is written.

use std::sync::OnceLock;

use domain::ids::OrderId;
use domain::request_views::RequestChange;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::checkpoint::CheckpointMove;
use super::columns::{
    EstimateColumns, ExpectationColumns, OrderColumns, StepColumns, TimelineColumns, TodoColumns, WorkflowColumns,
};
use super::counts::{COUNTED, COUNTED_BY_WORKFLOW};
use super::error::WriteError;
use super::parameters::Parameters;
use super::requests;
use super::webhooks::{self, WebhookChange};
use crate::channels;
use crate::parked::{self, Parked};

/// How many ids one notification has: it holds less than 8,000 bytes.
const MAX_ENDED_IDS: usize = 100;

/// What a batch of events changes in the views.
#[derive(Debug)]
pub struct Changes<'a> {
    /// Orders, each after its last event.
    pub orders: OrderColumns,
    /// Their steps that changed.
    pub steps: StepColumns,
    /// Their due work.
    pub todo: TodoColumns,
    /// Those of them without due work.
    pub without_due_work: Vec<String>,
    /// When they and their open steps are expected to end.
    pub expectations: ExpectationColumns,
    /// Those of them of which nothing is expected.
    pub unexpected: Vec<String>,
    /// The histograms that got samples.
    pub estimates: &'a EstimateColumns,
    /// Events of orders.
    pub timeline: &'a TimelineColumns,
    /// Definitions.
    pub workflows: &'a WorkflowColumns,
    /// What changes about operations that a second person has to approve.
    pub requests: &'a [RequestChange],
    /// Events of webhooks.
    pub webhooks: &'a [WebhookChange],
    /// Events that are set aside.
    pub parked: &'a [Parked],
    /// The orders of these events.
    pub orders_parked: Vec<&'a str>,
    /// The orders whose streams' metadata changed, each with the event that now hides a part of
    /// it, if one does.
    pub limits: Vec<(&'a OrderId, Option<&'a Parked>)>,
}

impl Changes<'_> {
    /// Writes and commits. Returns how many more events are set aside.
    pub async fn commit(&self, db: &mut PgConnection, to: &CheckpointMove) -> Result<i64, WriteError> {
        let is_of_orders = self.workflows.is_empty() && self.webhooks.is_empty() && self.requests.is_empty();
        if is_of_orders && self.parked.is_empty() && self.limits.is_empty() {
            // A statement is a transaction by itself.
            self.write_orders(db, to).await?;
            return Ok(0);
        }
        let mut transaction = db.begin().await?;
        let more_parked = self.write(&mut transaction, to).await?;
        transaction.commit().await?;
        Ok(more_parked)
    }

    /// Writes within the caller's transaction. Returns how many more events are set aside.
    pub async fn write(&self, db: &mut PgConnection, to: &CheckpointMove) -> Result<i64, WriteError> {
        self.write_orders(db, to).await?;
        write_workflows(db, self.workflows).await?;
        requests::write(db, self.requests).await?;
        webhooks::write(db, self.webhooks).await?;
        let more_parked = parked::write(db, self.parked).await?;
        parked::mark(db, &self.orders_parked).await?;
        Ok(more_parked.cast_signed() + parked::replace_limits(db, &self.limits).await?)
    }

    /// The checkpoint, and everything about orders. Every part of the statement reads the tables as
    /// they were before it.
    async fn write_orders(&self, db: &mut PgConnection, to: &CheckpointMove) -> Result<(), WriteError> {
        // A projector writes many small batches. Everything is bound in the same order each time,
        // so the text is the same.
        static STATEMENT: OnceLock<String> = OnceLock::new();
        let mut parameters = Parameters::default();
        let moved = to.bind(&mut parameters);
        let orders = parameters.rows(&self.orders);
        let steps = parameters.rows(&self.steps);
        let todo = parameters.rows(&self.todo);
        let without_due_work = parameters.bind(&self.without_due_work);
        let expectations = parameters.rows(&self.expectations);
        let unexpected = parameters.bind(&self.unexpected);
        let estimates = parameters.rows(self.estimates);
        let timeline = parameters.rows(self.timeline);
        let moved_channel = to.channel(&mut parameters);
        let ended_channel = parameters.bind(channels::ENDED);
        let ended = parameters.bind(if to.announce { announced(&self.orders) } else { Vec::new() });
        let text = || {
            format!(
                "WITH {moved}, before AS (
        SELECT id, placed_at, state, status, workflow, workflow_version FROM orders WHERE id = ANY({order_ids})
    ), changed AS (
        INSERT INTO orders ({order_names})
        SELECT * FROM unnest({order_arrays})
        WHERE EXISTS (SELECT FROM moved)
        ON CONFLICT (id) DO UPDATE SET {order_updates} WHERE orders.revision < excluded.revision
        RETURNING id, placed_at, state, status, workflow, workflow_version
    ), stepped AS (
        INSERT INTO steps ({step_names})
        SELECT * FROM unnest({step_arrays}) AS step (order_id)
        WHERE step.order_id IN (SELECT id FROM changed)
        ON CONFLICT (order_id, step) DO UPDATE SET {step_updates}
    ), due AS (
        INSERT INTO todo ({todo_names})
        SELECT * FROM unnest({todo_arrays}) AS due (order_id)
        WHERE due.order_id IN (SELECT id FROM changed)
        ON CONFLICT (order_id) DO UPDATE SET {todo_updates}
    ), done AS (
        DELETE FROM todo WHERE order_id = ANY({without_due_work}) AND order_id IN (SELECT id FROM changed)
    ), expected AS (
        INSERT INTO expectations ({expectation_names})
        SELECT * FROM unnest({expectation_arrays}) AS expected (order_id)
        WHERE expected.order_id IN (SELECT id FROM changed)
        ON CONFLICT (order_id) DO UPDATE SET {expectation_updates}
        WHERE (expectations.expected_at, expectations.steps) IS DISTINCT FROM (excluded.expected_at, excluded.steps)
    ), not_expected AS (
        DELETE FROM expectations WHERE order_id = ANY({unexpected}) AND order_id IN (SELECT id FROM changed)
    ), estimated AS (
        INSERT INTO estimates ({estimate_names})
        SELECT * FROM unnest({estimate_arrays})
        WHERE EXISTS (SELECT FROM moved)
        ON CONFLICT (workflow, step, part, version) DO UPDATE SET {estimate_updates}
    ), recorded AS (
        INSERT INTO timeline ({entry_names})
        SELECT * FROM unnest({entry_arrays})
        WHERE EXISTS (SELECT FROM moved)
        ON CONFLICT DO NOTHING
    ), {COUNTED}, {COUNTED_BY_WORKFLOW}
    SELECT pg_notify({moved_channel}, position::text),
           (SELECT count(pg_notify({ended_channel}, ids)) FROM unnest({ended}::text[]) AS ids)
    FROM moved",
                order_ids = orders.key(),
                order_names = orders.names(),
                order_arrays = orders.arrays(),
                order_updates = orders.updates(),
                step_names = steps.names(),
                step_arrays = steps.arrays(),
                step_updates = steps.updates(),
                todo_names = todo.names(),
                todo_arrays = todo.arrays(),
                todo_updates = todo.updates(),
                expectation_names = expectations.names(),
                expectation_arrays = expectations.arrays(),
                expectation_updates = expectations.updates(),
                estimate_names = estimates.names(),
                estimate_arrays = estimates.arrays(),
                estimate_updates = estimates.updates(),
                entry_names = timeline.names(),
                entry_arrays = timeline.arrays(),
            )
        };
        let moved = parameters.statement(|| STATEMENT.get_or_init(text).as_str())?.fetch_optional(db).await?;
        moved.map(|_| ()).ok_or(WriteError::CheckpointMoved)
    }
}

/// The orders that have ended, or are stuck, as the texts of their announcements.
fn announced(orders: &OrderColumns) -> Vec<String> {
    orders.ended().chunks(MAX_ENDED_IDS).map(|ids| ids.join(" ")).collect()
}

/// The first registration of a version stands.
async fn write_workflows(db: &mut PgConnection, workflows: &WorkflowColumns) -> Result<(), sqlx::Error> {
    if workflows.is_empty() {
        return Ok(());
    }
    let mut parameters = Parameters::default();
    let rows = parameters.rows(workflows);
    let statement = format!(
        "INSERT INTO workflows ({}) SELECT * FROM unnest({}) ON CONFLICT DO NOTHING",
        rows.names(),
        rows.arrays()
    );
    parameters.statement(|| AssertSqlSafe(statement))?.execute(db).await.map(drop)
}
