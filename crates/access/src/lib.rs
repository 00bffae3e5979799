//! Who may reach what.
//!
//! A listener has a [`Gate`]. While callers are not authenticated, every caller can do everything,
//! so three rules keep others out. A listener binds loopback only ([`Exposure::permit`]). A request
//! names this server in `Host` ([`host`]), since a page of another site can have its own name
//! resolve to loopback (DNS rebinding). A request that a web page sends comes from a page of this
//! server, or from an origin that the configuration allows ([`browser`]).
//!
//! Once callers are authenticated, each request is an operation ([`routes`]), its caller is a
//! principal with roles ([`Principal`], [`Role`]), and one table says how much of an operation a
//! role has ([`table`]). Principals show an API key ([`api_key`]), a token of an OIDC issuer
//! ([`token`]) or a certificate. This crate checks them without IO; the crate `authentication` gets
//! the issuers' keys and the API keys.
//!
//! Every answer forbids browsers to make more of it than it is ([`protected`]).

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod admitted;
mod answers;
pub mod api_key;
mod authenticate;
mod browser;
mod caller;
mod console_issuer;
mod counts;
mod exposure;
mod gate;
#[cfg(test)]
mod golden_tests;
mod host;
mod line_limit;
mod operation;
mod principal;
mod refusal;
mod role;
pub mod routes;
mod second_person;
mod session;
pub mod table;
pub mod token;

pub use admitted::{Admitted, Credentials};
pub use answers::protected;
pub use authenticate::{Authenticate, Bearer, Checking, NotAuthenticated};
pub use caller::{Caller, Orders, Own, Reach};
pub use console_issuer::ConsoleIssuer;
pub use counts::AccessCounts;
pub use exposure::{Exposure, Names, NotLoopback};
pub use gate::{Denied, Forbidden, Gate};
pub use line_limit::LineLimit;
pub use operation::Operation;
pub use principal::Principal;
pub use refusal::Refusal;
pub use role::{NoRole, Role};
pub use second_person::{Rule as SecondPersonRule, SecondPerson};
pub use session::Session;
