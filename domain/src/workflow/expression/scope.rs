//! The values that an expression can read.

use serde_json::Value;

/// The values that an expression can read, as JSON.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The value of `order`.
    pub order: Value,
    /// The value of `steps`: an object by step id.
    pub steps: Value,
    /// Whether personal data in `order` are placeholders. If so, the evaluation tracks them.
    pub placeholders: bool,
}
