//! One suite for every `EventStoreDB`: it runs against the embedded node, or against the server that `TENUTO_EVENTSTORE`
//! names (an empty one without access control). Tests of the node itself always start a node of their own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

/// How the suite's store is reached; `embedded.rs` has it the other way.
const EMBEDDED: bool = false;

mod suite {
    mod admission;
    mod all;
    mod append;
    mod backup;
    mod batch;
    mod child;
    mod crash;
    mod delete;
    mod disk;
    mod filters;
    mod fuzz;
    mod group_answers;
    mod group_info;
    mod group_settings;
    mod grpc;
    mod links;
    mod metadata;
    mod node;
    mod persistent;
    mod projections;
    mod read;
    mod reconnect;
    mod scavenge;
    mod segments;
    mod services;
    mod statuses;
    mod subscribe;
    mod support;
    mod web;
    mod wire;
}
