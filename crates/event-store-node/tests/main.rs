//! Tests of the embedded node. Each test starts a node. The tests that every `EventStoreDB` must
//! pass are in the client's suite, which also runs against the node.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod suite {
    mod admission;
    mod backup;
    mod child;
    mod crash;
    mod disk;
    mod foreign;
    mod fuzz;
    #[path = "../../../event-store/tests/suite/grpc.rs"]
    mod grpc;
    mod node;
    mod projections;
    mod reconnect;
    mod scavenge;
    mod segments;
    #[path = "../../../event-store/tests/suite/support.rs"]
    #[expect(dead_code, reason = "the client's suite needs more of it")]
    mod support;
    mod tls;
    mod users;
    mod web;
}
