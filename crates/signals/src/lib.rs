//! The signals of a process: when it stops ([`stop`]), and when it reads its configuration again
//! ([`reload`]).

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

pub mod reload;
pub mod stop;
