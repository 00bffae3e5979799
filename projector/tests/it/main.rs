//! The projector between a real log and a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod compare;
mod expected;
mod histories;
mod origin;
mod poison;
mod rebuild;
mod standby;
mod support;
mod views;
