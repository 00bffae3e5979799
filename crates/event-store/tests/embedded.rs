//! The part of the suite that asks through our client, once more with the way into a node in the same process: with a wire in
//! between or without, the answers are the same.

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
