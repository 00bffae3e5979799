//! The embedded node: one `EventStoreDB` in this process. It serves `EventStoreDB`'s gRPC protocol
//! on loopback, and stores the log on local disk, so that all other crates run the same code
//! against it and against a real cluster. It is a single node, for development, tests and
//! one-machine installs.
//!
//! From the outside in: a [`connection`] carries the protocol. [`web`] answers plain HTTP. A
//! [`service`] turns protocol messages into intents and queries. The [`writer`] makes the intents
//! durable, a group at a time, and each [`decision`] is a pure function. A [`reader`] answers the
//! queries from the [`recent`] events or from the [`storage`]. Memory does not grow with the
//! history, and no acknowledged event depends on memory.
//!
//! A client in the same process reaches the node without the network ([`NodeHandle::in_process`]),
//! with the same rules and answers. [`backup`] reads a running node as any client does, and writes
//! the copy as the node does.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod access;
mod admin;
mod admission;
pub mod backup;
mod change;
mod connection;
mod decision;
mod figures;
mod filter;
mod gate;
mod group;
mod in_process;
mod intake;
mod log;
mod member;
mod node;
mod page;
mod persistent;
mod projections;
mod read_write_error;
mod reader;
mod recent;
mod scavenge;
mod service;
mod stats;
mod storage;
mod transport;
mod web;
mod writer;

pub use access::users::InitialPasswords;
pub use figures::METRICS;
pub use log::free_space;
pub use member::Advertised;
pub use node::{Node, NodeError, NodeHandle, NodeOptions};
pub use storage::{CheckReport, StorageError, check_log, remove_log};
