//! Where secrets come from, and how they stay unseen.
//!
//! A secret `NAME` comes from the environment variable `NAME`, from the file that `NAME_FILE`
//! names, or from the file `tenuto.NAME` in the folder of systemd's credentials, without the prefix
//! `TENUTO_` of the name. It never comes from the command line, which every user of the machine can
//! read.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod file;
mod options;
mod sources;
mod urls;

pub use file::{FileFault, in_file};
pub use options::{OnCommandLine, Refused, SecretOptions};
pub use secrecy::{ExposeSecret, SecretString};
pub use sources::{SecretError, Sources};
pub use urls::{has_password, without_secrets};

/// The text of a secret, if there is one.
pub fn exposed(secret: Option<&SecretString>) -> Option<&str> {
    secret.map(ExposeSecret::expose_secret)
}
