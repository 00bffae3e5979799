//! Watches the tasks of a role: a task that ends before it should is always noticed.
//!
//! For each task, the role chooses one of two consequences:
//! - [`Supervisor::run`]: the end of the task ends the process, with the reason. This is for a task
//!   that the role needs, and that ends only if waiting does not help: the HTTP server, the
//!   projector.
//! - [`Supervisor::keep_running`]: the task is restarted after a pause that grows. This is for
//!   loops that keep nothing in memory between two rounds: the to-do list, replies, deliveries. If
//!   such a loop panics at one order or one message, the HTTP server of the process keeps running.
//!   The role is not ready until the loop runs again, because a part of its work is not done.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod health;
mod outcome;
mod restart;
mod supervisor;
#[cfg(test)]
mod tests;

pub use health::{METRICS, TaskHealth};
pub use outcome::Outcome;
pub use restart::keep_running;
pub use supervisor::{Supervisor, TaskEnded};
