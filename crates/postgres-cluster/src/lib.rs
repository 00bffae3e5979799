//! A private Postgres cluster: found or downloaded, initialised, started, watched and stopped.
//!
//! For installs without a database server, and for tests. It does not know about orders: it returns
//! a URL.
//!
//! - **Access.** Only the user that runs it (and root): the server listens on a Unix socket alone,
//!   inside a folder of mode 0700. So no port can collide, no password must be kept, and no one can
//!   listen on the network.
//! - **User.** Our user. If that is root, which Postgres refuses, the owner of the existing data,
//!   otherwise `postgres`, otherwise `nobody`.
//! - **Place.** [`Options::folder`]. If our user is root and the server's user cannot reach that
//!   folder (for example a clone under `/root`), it is under `/var/lib/tenuto`, and a note in the
//!   folder names the place. [`Belongings`] finds and removes both.
//! - **Life.** As long as the [`Cluster`] value, and not longer than the process: with `setpriv`,
//!   the kernel stops the server when our process ends; in any case, the next start stops the
//!   server of an earlier process.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod advice;
mod authentication;
mod belongings;
mod binaries;
mod cluster;
mod download;
mod error;
mod exit;
mod home;
mod identity;
mod initialise;
mod leftover;
mod options;
mod restarts;
mod server;
mod settings;
pub mod testing;

pub use belongings::{Belongings, Claimed};
pub use cluster::Cluster;
pub use download::{Archive, Download};
pub use error::Error;
pub use exit::Exit;
pub use options::{Options, Search};
