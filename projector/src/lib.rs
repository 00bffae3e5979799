//! Projects the log into Postgres views, and owns their schema.
//!
//! [`run`] follows `$all`, filtered to the streams of orders and workflows, folds each order's events with
//! `domain::order::evolve` and writes what changed: the rows of `orders`, `steps`, `timeline`, `todo` and `workflows`, the
//! counts of orders, and the checkpoint, in one transaction per batch. What holds:
//!
//! - **The views are a pure function of the log.** How events fall into batches, a crash between any two of them, an event
//!   seen twice: none of it changes a row.
//! - **One writer.** The connection that holds the advisory lock is the one that writes ([`session`]), so whoever has lost the
//!   lock cannot write. Other projectors stand by and take over.
//! - **One bad event stops nothing.** It goes to the table `parked` with its reason, and so do the later events of its order.
//!   Everything else goes on ([`fold`] and [`write`]).
//! - **One log.** Views are only made from the log that they were made from so far ([`verify_log`]).
//! - **Nothing is skipped.** While the log or the database is down the projector waits, with back-off, and starts again from
//!   the checkpoint that the database has.

mod apply;
mod columns;
pub mod compare;
mod counts;
mod error;
mod fold;
mod health;
mod intake;
mod keyless;
mod options;
mod origin;
mod outline;
mod parked;
mod projector;
pub mod rebuild;
mod remake;
mod restored;
mod retry;
mod session;
mod states;
mod view;
mod write;

use sqlx::PgPool;

pub use error::ProjectorError;
pub use health::{Health, Role, Snapshot};
pub use keyless::{Keyless, keyless};
pub use options::ProjectorOptions;
pub use origin::{LogCheckError, REMEDY, compare_log, verify_log};
pub use projector::run;
pub use remake::RemakeError;
pub use retry::{ParkedEvent, Retried, parked, parked_streams, retry};

/// The channel on which each committed batch is announced, with the position that the views have come to.
pub const NOTIFICATIONS: &str = "tenuto_views";

/// The channel on which those orders of a batch are told that have ended, or are stuck: their ids, with a space between two.
pub const ENDS: &str = "tenuto_ends";

/// Brings the schema up to date. Safe to call from many processes at once, and on a database that has the table of keys alone.
pub async fn migrate(pool: &PgPool) -> Result<(), ProjectorError> {
    let mut db = pool.acquire().await.map_err(ProjectorError::Schema)?;
    restored::put_aside(&mut db).await.map_err(ProjectorError::Schema)?;
    sqlx::migrate!().run(&mut *db).await.map_err(ProjectorError::Migration)?;
    let restored = restored::put_back(&mut db).await.map_err(ProjectorError::Schema)?;
    if restored > 0 {
        tracing::info!(keys = restored, "the database had the keys of personal data alone: they were taken over");
    }
    Ok(())
}
