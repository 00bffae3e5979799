//! Projects the log into Postgres views.
//!
//! [`run`] follows `$all`, filtered to the streams of orders and workflows, and folds each order's
//! events with `domain::order::evolve`. It hands the changes of a batch to [`views::writer`], which
//! writes them and the checkpoint in one transaction. The guarantees:
//!
//! - **The views are a pure function of the log.** No row depends on how events fall into batches,
//!   on a crash between two batches, or on an event that arrives twice.
//! - **One writer.** The connection that holds the advisory lock is the one that writes
//!   ([`session`]), so a projector that has lost the lock cannot write. Other projectors stand by
//!   and take over.
//! - **One bad event stops nothing.** It is set aside with its reason, and so are the later events
//!   of its order. All other events are projected ([`fold`] and [`apply`]).
//! - **One log.** Views are only made from the log that their checkpoint names
//!   ([`views::verify_log`]).
//! - **No event is skipped.** While the log or the database is down, the projector waits, with
//!   back-off, and starts again from the checkpoint in the database.

mod apply;
mod changes;
pub mod compare;
mod error;
mod estimates;
mod figures;
mod fold;
mod health;
mod intake;
mod observer;
mod options;
mod projector;
pub mod rebuild;
mod reproject;
mod retry;
mod session;
mod states;

pub use error::ProjectorError;
pub use figures::METRICS;
pub use health::{Health, Role, Snapshot};
pub use observer::{ObservedEvent, Observer};
pub use options::ProjectorOptions;
pub use projector::run;
pub use reproject::ReprojectError;
pub use retry::{Retried, retry};
