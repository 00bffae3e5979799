//! Who may reach a listener while callers are not authenticated.
//!
//! Then every caller can do everything, so three rules keep others out. A listener binds loopback
//! only ([`Exposure::permit`]). A request names this server in `Host` ([`host`]), since a page of
//! another site can have its own name resolve to loopback (DNS rebinding). A request that a web
//! page sends comes from a page of this server, or from an origin that the configuration allows
//! ([`browser`]).
//!
//! Every answer forbids browsers to make more of it than it is ([`protected`]).

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod answers;
mod browser;
mod exposure;
mod host;
mod refusal;

pub use answers::protected;
pub use exposure::{Exposure, NotLoopback, OpenAccess};
pub use refusal::Refusal;
