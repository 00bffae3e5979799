//! Maps with known keys.

use crate::workflow::TextPosition;
use crate::workflow::fault::FaultReport;
use crate::workflow::suggest::did_you_mean;
use crate::workflow::yaml::{Content, Entry, Node};

/// A map with known keys.
pub(crate) struct Fields<'a> {
    path: &'a str,
    /// Where a missing key is reported.
    at: TextPosition,
    entries: &'a [Entry],
}

impl<'a> Fields<'a> {
    /// Reads a node as a map. Reports any other type, and every unknown key.
    pub fn of(node: &'a Node, at: TextPosition, known: &[&str], report: &mut FaultReport) -> Option<Self> {
        let Content::Map(entries) = &node.content else {
            report.add_at(node, format!("must be a map, is {}", node.content.kind()));
            return None;
        };
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let suggestion = did_you_mean(&entry.key, known.iter().copied());
            let reason = if suggestion.is_empty() {
                format!("is an unknown key; known here: {}", known.join(", "))
            } else {
                format!("is an unknown key{suggestion}")
            };
            report.add(entry.key_at, &entry.value.path, reason);
        }
        Some(Self { path: &node.path, at, entries })
    }

    fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The value of a key that must exist.
    pub fn required(&self, key: &str, report: &mut FaultReport) -> Option<&'a Node> {
        let value = self.get(key);
        if value.is_none() {
            report.add(self.at, self.path, format!("'{key}' is missing"));
        }
        value
    }

    /// Reports a fault of the map as a whole.
    pub fn fault_of_all(&self, reason: &str, report: &mut FaultReport) {
        report.add(self.at, self.path, reason);
    }

    /// Reports a fault at a key, if it exists.
    pub fn fault(&self, key: &str, reason: impl Into<String>, report: &mut FaultReport) {
        if let Some(entry) = self.entry(key) {
            report.add(entry.key_at, &entry.value.path, reason);
        }
    }
}

/// The entries of a map with free keys, within a limit.
pub(crate) fn entries<'a>(node: &'a Node, limit: usize, report: &mut FaultReport) -> Option<&'a [Entry]> {
    match &node.content {
        Content::Map(entries) if entries.len() > limit => {
            report.add_at(node, format!("holds {}, more than {limit}", entries.len()));
            None
        }
        Content::Map(entries) => Some(entries),
        other => {
            report.add_at(node, format!("must be a map, is {}", other.kind()));
            None
        }
    }
}
