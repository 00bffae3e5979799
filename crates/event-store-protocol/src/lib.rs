//! `EventStoreDB`'s protocol, shared by the client and the node.
//!
//! [`gossip`], [`streams`] and the other modules of messages are generated from `proto/` and
//! committed, so that a build needs no protocol compiler. A test generates them again and compares.
//! [`metadata`], [`link`] and [`scavenge`] are the formats of the server's own events, which are
//! JSON and text.

pub mod link;
mod messages;
pub mod metadata;
pub mod scavenge;

pub use messages::event_store::client as shared;
pub use messages::event_store::client::persistent_subscriptions as persistent;
pub use messages::event_store::client::{gossip, monitoring, operations, projections, server_features, streams, users};
pub use messages::google;

/// An expression that matches the types of all events except the server's own.
pub const NOT_SYSTEM: &str = r"^[^\$].*";
