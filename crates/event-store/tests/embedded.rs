//! The part of the suite that uses our client, run a second time against a node in the same
//! process: the answers must be the same as over the network.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(dead_code, reason = "the suite shares its support, of which this half does not need everything")]

/// Whether the suite's store is reached in the same process.
const EMBEDDED: bool = true;

mod suite {
    mod all;
    mod append;
    mod delete;
    mod embedded;
    mod filters;
    mod metadata;
    mod read;
    mod subscribe;
    mod support;
    mod world;
}
