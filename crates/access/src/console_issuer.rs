//! Where people sign in to the console.

use serde::Serialize;

/// An issuer whose tokens are accepted, and that knows the console as a client: people sign in by
/// an authorization code with PKCE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsoleIssuer {
    /// Its name in the configuration.
    pub name: String,
    /// Its URL.
    pub url: String,
    /// The console's id with it, as a public client.
    pub client_id: String,
    /// What the console asks for, separated by spaces.
    pub scope: String,
}
