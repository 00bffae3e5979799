//! Expressions of a workflow file: CEL, compiled once, evaluated over `order` and `steps`.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

/// A compiled CEL expression.
#[derive(Clone)]
pub struct Expression {
    source: Arc<str>,
    program: Arc<cel::Program>,
}

/// What an expression can see, as JSON.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The value of `order`.
    pub order: Value,
    /// The value of `steps`: an object by step id.
    pub steps: Value,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.source)
    }
}
