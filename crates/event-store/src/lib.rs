//! The one client of the log: append with an expected revision, read, and subscribe from a position, against whatever
//! `EventStoreDB` a connection string names. It does not know what an order is.
//!
//! It speaks the server's gRPC protocol itself, in the few calls that Tenuto makes ([`link`]), with the settings that every
//! client's connection string has ([`settings`]), on one connection to the node that leads ([`discovery`]), which is
//! replaced when it breaks ([`connection`]). A call whose answer never came may have been carried out, so an append is
//! repeated with the same event ids, which the server recognises. A dropped subscription is taken up again after the last
//! position handed out ([`subscription`]).
//!
//! A server in the same process implements [`InProcess`]: it spares each append what the wire costs, by the same rules
//! and with the same answers. One suite of tests runs against the embedded node both ways, and against any server that
//! `TENUTO_EVENTSTORE` names.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod connection;
mod convert;
mod dial;
mod discovery;
mod error;
mod fault;
mod gaps;
mod history;
mod identity;
mod in_process;
mod limits;
mod link;
mod rights;
mod settings;
mod store;
mod subscription;
#[cfg(test)]
mod tests;
mod types;

pub use error::{AppendError, ConnectError, ReadError};
pub use gaps::{Gaps, Removal};
pub use history::History;
pub use identity::{IdentityError, LOG_BEGUN, LOG_STREAM, LogSettings};
pub use in_process::{Cursor, InProcess, InProcessError, Passed};
pub use limits::StreamLimits;
pub use store::EventStore;
pub use subscription::Subscription;
pub use types::{Appended, Expected, Filter, NewEvent, Position, Record, RecordedEvent, SubscriptionItem};
