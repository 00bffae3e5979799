//! A user, as the log records it.

use serde::{Deserialize, Serialize};

use super::caller::Identity;
use super::password::Hashed;

/// The longest login name, in bytes.
const MAX_LOGIN: usize = 200;

/// A user. The log has it as JSON, under the keys that a server uses.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    pub(crate) login_name: String,
    #[serde(default)]
    pub(crate) full_name: String,
    #[serde(flatten)]
    pub(crate) password: Hashed,
    #[serde(default)]
    pub(crate) disabled: bool,
    #[serde(default)]
    pub(crate) groups: Vec<String>,
}

impl User {
    pub(crate) fn identity(&self) -> Identity {
        Identity { login: self.login_name.clone(), groups: self.groups.clone() }
    }
}

/// Whether a user can have this name: it stands before the colon of the credentials, and in the
/// name of a stream.
pub(crate) fn is_login(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_LOGIN && !name.contains(':') && !name.chars().any(char::is_control)
}
