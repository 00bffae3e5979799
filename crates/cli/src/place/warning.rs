//! A warning about one order, by its line.

use std::fmt;

use command_line::output::printable;

/// A warning about one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The line it came from.
    pub line: u64,
    /// Its id, if it has one.
    pub order: Option<String>,
    /// The fault.
    pub what: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(order) = &self.order {
            write!(f, ", order {}", printable(order))?;
        }
        write!(f, ": {}", printable(&self.what))
    }
}
