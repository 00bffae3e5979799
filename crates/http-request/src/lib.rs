//! Reads the bodies of requests: bounded, of the right media type, and with every fault at its
//! place. [`filter`] reads the JSON of the one filter over orders.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

pub mod body;
mod fields;
pub mod filter;

pub use fields::{Fields, line_fault};
