//! TLS 1.2 and 1.3 of listeners, and of outgoing connections with a private authority or a
//! certificate of their own.
//!
//! Certificates and keys come from PEM files. A value that was made from files is made again when
//! their content changes, and the earlier one stays in use if the new files are faulty
//! ([`Reloaded`]). A listener's side is in [`listener`], the other one in [`client`].

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod certificate_fault;
pub mod client;
mod client_certificate;
mod der;
mod expiry;
pub mod file;
pub mod listener;
mod plain;
mod reload;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use certificate_fault::CertificateFault;
pub use client_certificate::ClientCertificate;
pub use file::FileFault;
pub use listener::{ListenerFiles, ListenerTls, Secured, prepare};
pub use reload::Reloaded;
