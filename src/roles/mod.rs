//! What a process can be: one role each, or everything.

pub(crate) mod command_handler;
pub(crate) mod dev;
pub(crate) mod event_store;
pub(crate) mod participants;
pub(crate) mod projector;
pub(crate) mod query_api;
mod readiness;
mod watched;

/// A role's task that serves HTTP: without it nothing reaches the role, so its end is the process's.
const HTTP_SERVER: &str = "the HTTP server";

/// What goes wrong at start ends the process, with its message.
pub(crate) type RoleResult = Result<(), Box<dyn std::error::Error>>;
