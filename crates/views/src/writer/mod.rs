//! Writes what the projector has folded. No other process writes a view.
//!
//! The projector describes what a batch of events changes ([`Changes`]) and how far the checkpoint
//! moves ([`CheckpointMove`]). Both are written together, or neither is.

mod batch;
mod checkpoint;
mod columns;
mod counts;
mod error;
pub(crate) mod parameters;
mod requests;
mod webhooks;

use sqlx::PgConnection;

pub use batch::Changes;
pub use checkpoint::{CheckpointMove, move_checkpoint};
pub use columns::{
    EstimateColumns, ExpectationColumns, OrderColumns, StepColumns, TimelineColumns, TodoColumns, WorkflowColumns,
};
pub use error::WriteError;
pub use webhooks::WebhookChange;

/// What every transaction of the writer's connection relies on.
///
/// Views and checkpoint move together. If a crash of the server undoes both, the log still has the
/// events. So no commit waits for the disk.
///
/// The statement of a batch is planned once: a plan takes longer than a batch of a few events. The
/// plan must be good for each batch and each size of the views, which the planner does not know.
/// So rows are looked up by their keys, and lists are joined by hashing.
const SETTINGS: &str = "SET synchronous_commit = off; SET plan_cache_mode = force_generic_plan;
                        SET enable_seqscan = off; SET enable_nestloop = off; SET jit = off";

/// Prepares a connection for the statements of batches.
pub async fn prepare(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(SETTINGS).execute(db).await.map(drop)
}
