//! What can be set about the query side.

use std::time::Duration;

/// Settings of [`router`](crate::router).
#[derive(Debug, Clone)]
pub struct Options {
    /// How deep a query may nest.
    pub max_depth: usize,
    /// What a query may cost: a point a field, times the rows of the lists around it.
    pub max_complexity: usize,
    /// The largest body taken, in bytes.
    pub max_body_bytes: usize,
    /// How long a query may take.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // The introspection query of the usual tools is thirteen deep.
            max_depth: 16,
            max_complexity: 100_000,
            max_body_bytes: 256 * 1024,
            timeout: Duration::from_secs(30),
        }
    }
}
