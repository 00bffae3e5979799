//! What is wrong with a workflow file, and where.

use std::fmt;

use super::TextPosition;
use super::yaml::Node;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What it is about, such as `steps.ship.after`; empty: the file as a whole.
    pub path: String,
    /// What is wrong with it, for people.
    pub reason: String,
}

/// All that is wrong with a file (the first 200 things), at least one, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

/// The most faults that are noted: past it, a file says nothing new about what is wrong with it.
const MAX_FAULTS: usize = 200;

/// Collects faults while a file is read and checked.
pub(crate) struct Report<'a> {
    lines: Vec<&'a str>,
    faults: Vec<Fault>,
}

impl Faults {
    /// The faults.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Faults {
    type Item = Fault;
    type IntoIter = std::vec::IntoIter<Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.reason)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl<'a> Report<'a> {
    /// Nothing is wrong with the file yet.
    pub fn new(source: &'a str) -> Self {
        Self { lines: source.lines().collect(), faults: Vec::new() }
    }

    /// Notes a fault.
    pub fn add(&mut self, at: TextPosition, path: &str, reason: impl Into<String>) {
        if !self.is_full() {
            self.faults.push(Fault { line: at.line, column: at.column, path: path.to_owned(), reason: reason.into() });
        }
    }

    /// Notes a fault of a value.
    pub fn add_at(&mut self, node: &Node, reason: impl Into<String>) {
        self.add(node.at, &node.path, reason);
    }

    /// Notes a fault at a place within the text of a value.
    pub fn add_within(&mut self, node: &Node, inner: TextPosition, reason: impl Into<String>) {
        if !self.is_full() {
            self.add(node.within(inner, &self.lines), &node.path, reason);
        }
    }

    /// Whether further faults go unnoted.
    pub fn is_full(&self) -> bool {
        self.faults.len() >= MAX_FAULTS
    }

    /// What was read, if nothing is wrong with it.
    pub fn finish<T>(mut self, read: Option<T>) -> Result<T, Faults> {
        self.faults.sort();
        self.faults.dedup();
        match read {
            Some(read) if self.faults.is_empty() => Ok(read),
            _ => Err(Faults(self.faults)),
        }
    }
}
