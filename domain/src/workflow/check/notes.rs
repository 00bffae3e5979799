//! Faults by path: a check finds a fault of `steps.ship.after[0]`, and this file finds its line and
//! column.

use std::collections::HashMap;

use crate::workflow::TextPosition;
use crate::workflow::fault::FaultReport;
use crate::workflow::yaml::Node;

/// Collects faults at the places of paths.
pub(super) struct Notes<'a, 'r, 's> {
    nodes: HashMap<&'a str, (&'a Node, TextPosition)>,
    report: &'r mut FaultReport<'s>,
}

impl<'a, 'r, 's> Notes<'a, 'r, 's> {
    pub fn new(root: &'a Node, report: &'r mut FaultReport<'s>) -> Self {
        let mut nodes = HashMap::new();
        root.visit(root.at, &mut |node, key_at| {
            nodes.insert(node.path.as_str(), (node, key_at));
        });
        Self { nodes, report }
    }

    /// Whether the file has a value at this path.
    pub fn has(&self, path: &str) -> bool {
        self.nodes.contains_key(path)
    }

    /// The line of a key.
    pub fn line(&self, path: &str) -> usize {
        self.nodes.get(path).map_or(TextPosition::START, |(_, key_at)| *key_at).line
    }

    /// Whether the report takes no more faults, so that checks can stop.
    pub fn is_full(&self) -> bool {
        self.report.is_full()
    }

    /// A fault of a value.
    pub fn at(&mut self, path: &str, reason: impl Into<String>) {
        let at = self.nodes.get(path).map_or(TextPosition::START, |(node, _)| node.at);
        self.report.add(at, path, reason);
    }

    /// A fault of a key with all that it contains.
    pub fn at_key(&mut self, path: &str, reason: impl Into<String>) {
        let at = self.nodes.get(path).map_or(TextPosition::START, |(_, key_at)| *key_at);
        self.report.add(at, path, reason);
    }

    /// A fault at a place within the text of a value.
    pub fn within(&mut self, path: &str, inner: TextPosition, reason: impl Into<String>) {
        match self.nodes.get(path) {
            Some((node, _)) => self.report.add_within(node, inner, reason),
            None => self.report.add(TextPosition::START, path, reason),
        }
    }
}
