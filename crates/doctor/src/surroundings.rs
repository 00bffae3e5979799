//! What only the binary knows.

use std::error::Error;
use std::path::Path;

/// Reads the shipped workflows, and those of a folder: the origin and the text of each.
pub type ReadWorkflows = fn(Option<&Path>) -> Result<Vec<(String, String)>, Box<dyn Error>>;

/// What the binary knows.
pub struct Surroundings {
    /// Whether the process may open enough files.
    pub open_files: Result<(), String>,
    /// The workflows of a command handler.
    pub workflows: ReadWorkflows,
    /// The origin of the shipped ones.
    pub shipped_from: &'static str,
}
