//! How Tenuto and a participant recognise each other's requests.
//!
//! A request to a participant is signed with a secret that both have ([`webhook`]). The address for
//! a later answer carries a token, which lets its bearer answer that one request ([`callback`]).
//! Secrets come from files ([`SecretFile`]) or from the database, and are never printed.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

pub mod callback;
mod file;
mod options;
mod participant_secrets;
pub mod webhook;

pub use file::{FileFault, FromLines, LineFault, SecretFile};
pub use options::{ParticipantSecretsOption, SigningOptions};
pub use participant_secrets::ParticipantSecrets;
