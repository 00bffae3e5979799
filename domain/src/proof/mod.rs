//! Proof: whether a history is the one that was written, for somebody who trusts neither the log nor whoever hands it over.
//!
//! Three links, each of which can be checked without the one before: the events of an order hang together by their hashes
//! ([`chain`]); the heads of all orders hang together in a tree ([`merkle`]); a [`seal`] signs the root of that tree, and names the
//! seal before it. A [`bundle`] has one order's share of all three, and needs no server to be checked.
//!
//! Nothing here reads what an event says: events whose data are encrypted, or of a type that is not known yet, prove as well.

pub mod bundle;
pub mod chain;
mod hash;
pub mod keys;
pub mod merkle;
pub mod seal;

pub use hash::Hash;

#[cfg(test)]
pub(crate) mod tests;
