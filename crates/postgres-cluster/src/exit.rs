//! The end of the server, with its reason.

use std::{fmt, process::ExitStatus};

/// The end of the server.
#[derive(Debug, Clone)]
pub struct Exit {
    /// Its exit status, if known.
    pub status: Option<ExitStatus>,
    /// The end of its log.
    pub log: String,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "ended ({status})")?,
            None => write!(f, "ended")?,
        }
        if self.log.is_empty() { Ok(()) } else { write!(f, "; its log ends with: {}", self.log) }
    }
}
