//! Proof: whether a history is unchanged, for a reader who trusts neither the log nor its sender.
//!
//! There are three links, and each can be checked alone. The hashes of an order's events form a
//! [`chain`]. The heads of all orders form a tree ([`merkle`]). A [`seal`] signs the root of that
//! tree, and names the seal before it. A [`bundle`] contains all three for one order, so the check
//! needs no server.
//!
//! This module does not read the data of events, so it also proves encrypted events and unknown
//! types.

pub mod bundle;
pub mod chain;
mod hash;
pub mod keys;
pub mod merkle;
pub mod seal;

pub use hash::Hash;

#[cfg(test)]
pub(crate) mod tests;
