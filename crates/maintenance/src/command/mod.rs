//! The maintenance commands: their options, the texts that they print, and their exit codes.

pub mod backup;
pub mod check;
mod database;
pub mod key;
pub mod keys;
pub mod parked;
pub mod rebuild;
pub mod reset;
