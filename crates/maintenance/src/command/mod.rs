//! The maintenance commands: their options, the texts that they print, and their exit codes.

mod backup;
mod check;
mod copy;
mod database;
pub mod event_store;
pub mod key;
pub mod keys;
pub mod parked;
pub mod rebuild;
pub mod reset;
