//! The one client of the log: append with an expected revision, read, and subscribe from a
//! position, with any `EventStoreDB` that a connection string names. It does not know what an order
//! is.
//!
//! It implements the server's gRPC protocol, as far as Tenuto needs it ([`link`]). The settings are
//! those of every client's connection string ([`settings`]). One connection to the leading node
//! ([`discovery`]) carries all calls, and is replaced when it breaks ([`connection`]). A call
//! without an answer may have been carried out, so an append is repeated with the same event ids,
//! which the server recognises. A broken subscription resumes after the last delivered position
//! ([`subscription`]).
//!
//! A server in the same process implements [`InProcess`]. That saves each append the cost of the
//! network, with the same rules and answers. One suite of tests runs against the embedded node in
//! both ways, and against any server that `TENUTO_EVENTSTORE` names.

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
mod report;
mod rights;
mod settings;
mod store;
mod subscription;
#[cfg(test)]
mod tests;
mod types;

pub use event_store_protocol::metadata::{TOMBSTONE_TYPE, described_by};

pub use error::{AppendError, ConnectError, ReadError};
pub use gaps::{Gaps, Removal};
pub use history::History;
pub use identity::{IdentityError, LOG_BEGUN, LOG_STREAM, LogSettings};
pub use in_process::{Cursor, InProcess, InProcessError, Passed};
pub use limits::StreamLimits;
pub use report::ServerReport;
pub use store::EventStore;
pub use subscription::Subscription;
pub use types::{Appended, Expected, Filter, NewEvent, Position, Record, RecordedEvent, SubscriptionItem};
