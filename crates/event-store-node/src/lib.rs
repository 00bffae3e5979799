//! The embedded node: one `EventStoreDB` in this process. `EventStoreDB`'s own gRPC protocol, served on loopback and durable
//! on local disk, so that everything above runs the same code against it and against a real cluster. It is one node, for
//! development, tests and one-machine installs.
//!
//! From the outside in: a [`connection`] carries the protocol; [`web`] answers what is plain HTTP; a [`service`] turns its
//! messages into intents and questions; the [`writer`] makes the intents durable, a group at a time, each [`decision`] a
//! pure function; a [`reader`] answers the questions from the [`recent`] events or from the [`storage`]. Memory does not
//! grow with the history, and nothing that was acknowledged depends on memory.
//!
//! A client in the same process reaches it without the wire ([`NodeHandle::in_process`]), by the same rules and with the
//! same answers. [`backup`] reads a running node as any client does, and writes what it reads as the node does.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod admin;
mod admission;
pub mod backup;
mod change;
mod connection;
mod decision;
mod filter;
mod gate;
mod group;
mod in_process;
mod intake;
mod log;
mod member;
mod node;
mod persistent;
mod projections;
mod reader;
mod recent;
mod scavenge;
mod service;
mod stats;
mod storage;
mod trouble;
mod web;
mod writer;

pub use member::Advertised;
pub use node::{Node, NodeError, NodeHandle, NodeOptions};
pub use storage::{CheckReport, StorageError, check_log, remove_log};
