//! The services over real HTTP, on a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod deliveries;
mod faults;
mod idempotency;
mod mail;
mod records;
mod shipping;
mod world;
