//! The result of checking a log.

use std::fmt::Display;

/// How many problems are listed. Beyond that the check stops.
const MAX_PROBLEMS: usize = 100;

/// The result of checking a log.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct CheckReport {
    /// The last position. Positions begin with 1, and only those of removed events are missing.
    pub last_position: u64,
    /// How many events there are.
    pub events: u64,
    /// How many events scavenges have removed.
    pub removed: u64,
    /// How many streams there are, metadata streams and deleted streams included.
    pub streams: u64,
    /// How many tables the engine has.
    pub tables: u64,
    /// The size of all tables in bytes.
    pub table_bytes: u64,
    /// What opening the log repaired: it always cuts off the end of an append that was not
    /// acknowledged.
    pub mended: Vec<String>,
    /// The problems, each with its place.
    pub problems: Vec<String>,
    /// There were more problems than are listed, and the check stopped.
    pub gave_up: bool,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

impl CheckReport {
    /// Whether no problem was found.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn note(&mut self, place: impl Display, fault: impl Display) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(format!("{place}: {fault}"));
        } else {
            self.gave_up = true;
        }
    }
}
