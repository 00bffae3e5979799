//! The roles of a process: one of them, or all in one.

pub(crate) mod command_handler;
pub(crate) mod dev;
pub(crate) mod event_store;
pub(crate) mod participants;
pub(crate) mod projector;
pub(crate) mod query_api;
mod readiness;
mod watched;

/// The task that serves HTTP. Without it no client reaches the role, so its end is the end of the
/// process.
const HTTP_SERVER: &str = "the HTTP server";

/// The result of a role. An error ends the process, with its message.
pub(crate) type RoleResult = Result<(), Box<dyn std::error::Error>>;
