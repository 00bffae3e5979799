//! One suite for every `EventStoreDB`: it runs against the embedded node, or against the server
//! that `TENUTO_EVENTSTORE` names (an empty server without access control). The node's own tests
//! are in its crate.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

/// Whether the suite's store is reached in the same process. In `embedded.rs` it is.
const EMBEDDED: bool = false;

mod suite {
    mod all;
    mod append;
    mod batch;
    mod delete;
    mod filters;
    mod group_answers;
    mod group_info;
    mod group_settings;
    mod grpc;
    mod links;
    mod metadata;
    mod persistent;
    mod read;
    mod services;
    mod statuses;
    mod subscribe;
    mod support;
    mod wire;
    mod world;
}
