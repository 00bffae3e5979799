//! What the console has to know about the server that it comes from.

use access::ConsoleIssuer;
use axum::http::HeaderValue;
use live::Live;
use serde_json::{Value, json};

/// Settings of the console.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about the server")]
pub struct ConsoleOptions {
    /// Whether callers are authenticated.
    pub authenticates: bool,
    /// Where people sign in.
    pub issuers: Live<Vec<ConsoleIssuer>>,
    /// Whether this server takes commands.
    pub takes_commands: bool,
    /// Whether this server has the reference services at `/participants`.
    pub has_reference_services: bool,
    /// Whether other machines reach it although callers are not authenticated.
    pub is_open: bool,
}

impl ConsoleOptions {
    /// What the console gets.
    pub(super) fn described(&self) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "authentication": if self.authenticates { "required" } else { "none" },
            "issuers": *self.issuers.get(),
            "commands": self.takes_commands,
            "referenceServices": self.has_reference_services,
            "insecureOpen": self.is_open,
        })
    }

    /// What the page may load and reach: this server, and the issuers.
    pub(super) fn policy(&self) -> HeaderValue {
        let issuers = self.issuers.get();
        let origins = issuers.iter().filter_map(|issuer| url::Url::parse(&issuer.url).ok());
        let origins = origins.map(|url| url.origin().ascii_serialization());
        let reached: Vec<String> = std::iter::once("'self'".to_owned()).chain(origins).collect();
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src {}; img-src 'self' data:; \
             font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            reached.join(" ")
        );
        HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
    }
}
