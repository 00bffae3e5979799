//! A private Postgres cluster: found or fetched, initialised, started, watched and stopped.
//!
//! For installs without a database server of their own, and for tests. It knows nothing of orders: it gives a URL.
//!
//! - **Who reaches it.** Only the user who runs it (and root): the server listens on nothing but a Unix socket, inside a
//!   folder of mode 0700. So there is no port to collide on, no password to keep, and nothing to hear on the network.
//! - **Who it runs as.** Ourselves; when we are root, which the server refuses to be, the owner of the existing data,
//!   else `postgres`, else `nobody`.
//! - **Where it lives.** In [`Options::folder`]. When we are root and the server's user cannot reach that folder (a
//!   clone under `/root`, say), under `/var/lib/tenuto` instead, and a note in the folder says where.
//!   [`Belongings`] finds and removes both.
//! - **How long it lives.** As long as the [`Cluster`] value, and no longer than the process: where `setpriv` exists the
//!   kernel stops it when we die, and in any case the next start stops what an earlier process left behind.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod advice;
mod belongings;
mod binaries;
mod cluster;
mod download;
mod error;
mod home;
mod identity;
mod initialise;
mod leftover;
mod options;
mod server;
mod settings;
pub mod testing;

pub use belongings::{Belongings, Claimed};
pub use cluster::Cluster;
pub use error::Error;
pub use options::{Options, Search};
pub use server::Exit;
