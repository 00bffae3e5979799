//! `EventStoreDB`'s protocol, as a client and a server both need it.
//!
//! [`gossip`], [`streams`] and the other modules of messages are generated from `proto/` and committed, so that no crate
//! needs a compiler of protocols to build; a test generates them again and compares. [`metadata`], [`link`] and
//! [`scavenge`] are what the server's own events say, which are JSON and text.

pub mod link;
mod messages;
pub mod metadata;
pub mod scavenge;

pub use messages::event_store::client as shared;
pub use messages::event_store::client::persistent_subscriptions as persistent;
pub use messages::event_store::client::{gossip, monitoring, operations, projections, server_features, streams};
pub use messages::google;

/// An expression for the types of all events but the server's own.
pub const NOT_SYSTEM: &str = r"^[^\$].*";
