//! Sealed personal data, as events record them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Personal data that need a key to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The id of the key.
    pub key: Uuid,
    /// Base64 of the nonce (12 bytes), the encrypted JSON of [`Contents`](super::Contents), and the
    /// tag (16 bytes).
    pub text: String,
}
