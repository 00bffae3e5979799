//! The faults of a workflow file, with their places.

use std::fmt;

use super::TextPosition;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The path, such as `steps.ship.after`; empty: the file as a whole.
    pub path: String,
    /// The reason, for people.
    pub reason: String,
}

/// The faults of a file, at least one and at most 200, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

/// The limit of reported faults; further ones would help no author.
const MAX_FAULTS: usize = 200;

/// Collects the faults of a file.
pub(crate) struct FaultReport<'a> {
    pub(super) lines: Vec<&'a str>,
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

impl<'a> FaultReport<'a> {
    /// A report without faults.
    pub fn new(source: &'a str) -> Self {
        Self { lines: source.lines().collect(), faults: Vec::new() }
    }

    /// Adds a fault.
    pub fn add(&mut self, at: TextPosition, path: &str, reason: impl Into<String>) {
        if !self.is_full() {
            self.faults.push(Fault { line: at.line, column: at.column, path: path.to_owned(), reason: reason.into() });
        }
    }

    /// Whether the report takes no more faults.
    pub fn is_full(&self) -> bool {
        self.faults.len() >= MAX_FAULTS
    }

    /// The value, if there are no faults.
    pub fn finish<T>(mut self, read: Option<T>) -> Result<T, Faults> {
        self.faults.sort();
        self.faults.dedup();
        match read {
            Some(read) if self.faults.is_empty() => Ok(read),
            _ => Err(Faults(self.faults)),
        }
    }
}
