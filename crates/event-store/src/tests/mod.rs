//! Tests of the client against stub servers.

mod outages;
mod stubs;
