//! `EventStoreDB`, in two halves that meet on the wire, or in one process without it.
//!
//! [`client`] is what the rest of Tenuto uses: append with an expected revision, read, and subscribe from a position,
//! against whatever `EventStoreDB` a connection string names.
//!
//! [`node`] is the embedded default: `EventStoreDB`'s own gRPC protocol, served in-process on loopback and durable on
//! local disk, so that everything above runs the same code against it and against a real cluster. It is one node, for
//! development, tests and one-machine installs.
//!
//! Neither knows what an order is. One suite of tests runs against the node and against any server that
//! `TENUTO_EVENTSTORE` names, and so keeps the node honest. A client in the node's own process can also ask it directly
//! ([`client::EventStore::embedded`]), by the same rules and with the same answers, which the same suite compares: it
//! spares each append what the wire costs.
//!
//! [`backup`] has a use for both: it reads a running node as any client, and writes what it reads as the node does.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

pub mod backup;
pub mod client;
pub mod node;
