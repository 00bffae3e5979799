//! The query side over a real Postgres with rows in it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod contract;
mod ends;
mod filters;
mod http;
mod orders;
mod paging;
mod support;
