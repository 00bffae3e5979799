//! The query side over a real Postgres with rows in it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod actions;
mod approvals;
mod as_of;
mod contract;
mod documents;
mod ends;
mod expected;
mod figures;
mod filters;
mod freshness;
mod fuzz;
mod http;
mod live;
mod operations;
mod orders;
mod paging;
mod participants;
mod socket;
mod support;
mod troubles;
mod webhooks;
mod workflows;
