//! Projects the log into Postgres views.
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
//! - **One log.** Views are only made from the log that they were made from so far ([`views::verify_log`]).
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
mod options;
mod outline;
mod parked;
mod projector;
pub mod rebuild;
mod reproject;
mod retry;
mod session;
mod states;
mod write;

pub use error::ProjectorError;
pub use health::{Health, Role, Snapshot};
pub use options::ProjectorOptions;
pub use projector::run;
pub use reproject::RemakeError;
pub use retry::{ParkedEvent, Retried, parked, parked_streams, retry};
