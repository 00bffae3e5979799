//! The master key of customers' keys, from the configuration of this process.

use secrets::{ExposeSecret, SecretError, Sources};
use views::master_key::{InvalidMasterKey, MasterKeys, set};

/// The environment variable.
const VARIABLE: &str = "TENUTO_MASTER_KEY";

/// Why the master key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// It cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// It is none.
    #[error("{VARIABLE}: {0}")]
    Invalid(#[from] InvalidMasterKey),
}

/// Takes the master key, if one is configured, before the first key of a customer is read.
pub fn take_master_key() -> Result<(), MasterKeyError> {
    if let Some(text) = Sources::of_environment().read(VARIABLE)? {
        // A second call finds the same configuration.
        let _ = set(MasterKeys::parse(text.expose_secret())?).is_ok();
    }
    Ok(())
}
