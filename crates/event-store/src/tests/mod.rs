//! Tests of the client against servers that only tests have.

mod outages;
mod stubs;
