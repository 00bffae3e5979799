//! Findings: the differences between what was written and what is there, and their texts.

use std::fmt::{self, Write};

use domain::ids::OrderId;
use domain::proof::chain::Fault;
use domain::proof::seal::SealFault;
use projector::compare::Difference;
use serde::Serialize;

use command_line::output::printable;

/// How many findings are listed. Further ones are only counted.
const MAX_LISTED: usize = 10_000;
/// How many bytes of a value are shown to people.
const MAX_VALUE: usize = 160;

/// A difference between what was written and what is there.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "in", rename_all = "camelCase")]
pub enum Finding {
    /// In the log as a whole.
    Log {
        /// What is wrong.
        reason: String,
    },
    /// In the keys of personal data: sealed data can no longer be read.
    Keys {
        /// What is wrong.
        reason: String,
    },
    /// In a stream that has the name of an order's stream, or could not be read.
    Stream {
        /// The stream's name.
        stream: String,
        /// What is wrong.
        reason: String,
    },
    /// In an event of an order, or in its place.
    Order {
        /// The order.
        order: OrderId,
        /// Where in the order, and what is wrong.
        #[serde(flatten)]
        fault: Fault,
    },
    /// In a seal itself.
    Seal {
        /// Its number, or its file.
        seal: String,
        /// What is wrong.
        #[serde(flatten)]
        fault: SealFault,
    },
    /// In what a seal covers: the log differs from what was sealed.
    Sealed {
        /// Its number, or its file.
        seal: String,
        /// What is wrong.
        reason: String,
    },
    /// In a row of a view.
    #[serde(rename_all = "camelCase")]
    View {
        /// The view's table.
        table: &'static str,
        /// The row's key.
        row: String,
        /// The order that the row is about.
        order: Option<String>,
        /// The column that differs. `None`: the row is missing, or should not exist.
        column: Option<String>,
        /// The value according to the log.
        log: Option<String>,
        /// The value in the view.
        view: Option<String>,
    },
}

impl From<Difference> for Finding {
    fn from(Difference { table, row, order, column, log, view }: Difference) -> Self {
        Self::View { table, row, order, column, log, view }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log { reason } => write!(f, "log: {reason}"),
            Self::Keys { reason } => write!(f, "keys: {reason}"),
            Self::Stream { stream, reason } => write!(f, "stream {stream}: {reason}"),
            Self::Order { order, fault: Fault { revision, event_id, position, flaw } } => {
                write!(f, "order {order}, revision {revision}")?;
                if let Some(id) = event_id {
                    write!(f, ", event {id}")?;
                }
                if let Some(position) = position {
                    write!(f, ", position {position}")?;
                }
                write!(f, ": {flaw}")
            }
            Self::Seal { seal, fault } => write!(f, "seal {seal}: {fault}"),
            Self::Sealed { seal, reason } => write!(f, "seal {seal}: {reason}"),
            Self::View { table, row, column: Some(column), log, view, .. } => {
                let (log, view) = (value(log.as_deref()), value(view.as_deref()));
                write!(f, "view {table}, row {row}, column {column}: the log has {log}, the view has {view}")
            }
            Self::View { table, row, log: Some(_), .. } => {
                write!(f, "view {table}, row {row}: the view has no row, but the log has its events")
            }
            Self::View { table, row, .. } => {
                write!(
                    f,
                    "view {table}, row {row}: the log has no events for this row: the row was inserted, or its events were removed"
                )
            }
        }
    }
}

fn value(value: Option<&str>) -> String {
    let Some(value) = value else { return "nothing".to_owned() };
    match value.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{:?} (and more)", &value[..end]),
        None => format!("{value:?}"),
    }
}

/// All findings, up to a bound.
#[derive(Debug, Default)]
pub(super) struct Findings {
    listed: Vec<Finding>,
    more: u64,
}

impl Findings {
    /// Adds one.
    pub fn add(&mut self, finding: Finding) {
        if self.listed.len() < MAX_LISTED {
            self.listed.push(finding);
        } else {
            self.more += 1;
        }
    }

    /// Adds others.
    pub fn join(&mut self, others: Self) {
        self.extend(others.listed);
        self.more += others.more;
    }

    /// Removes and returns the listed findings that `fits` selects.
    pub fn take(&mut self, fits: impl Fn(&Finding) -> bool) -> Vec<Finding> {
        let (taken, kept) = std::mem::take(&mut self.listed).into_iter().partition(fits);
        self.listed = kept;
        taken
    }

    /// Whether there are no findings.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// How many findings there are.
    pub fn count(&self) -> u64 {
        self.listed.len() as u64 + self.more
    }
}

impl Extend<Finding> for Findings {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }
}

/// What was checked, and the findings.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    clean: bool,
    /// What was checked, each in a sentence.
    looked_at: Vec<String>,
    /// What could not be checked, or is not proved by this report.
    notes: Vec<String>,
    findings: Vec<Finding>,
    /// The number of findings that are not listed.
    more: u64,
}

impl Report {
    pub(crate) fn new(looked_at: Vec<String>, notes: Vec<String>, findings: Findings) -> Self {
        let Findings { listed, more } = findings;
        Self { clean: listed.is_empty(), looked_at, notes, findings: listed, more }
    }

    /// Whether there are no differences.
    pub fn is_clean(&self) -> bool {
        self.clean
    }

    /// The report for programs.
    pub fn to_json(&self) -> String {
        // Cannot fail: it has only texts and numbers.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        format!("{text}\n")
    }

    /// The report for people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |line: fmt::Arguments| writeln!(text, "{}", printable(&line.to_string())).unwrap_or_default();
        for finding in &self.findings {
            line(format_args!("{finding}"));
        }
        for sentence in self.looked_at.iter().chain(&self.notes) {
            line(format_args!("{sentence}"));
        }
        match (self.findings.len() as u64 + self.more, self.more) {
            (0, _) => line(format_args!("everything is as it was written")),
            (1, _) => line(format_args!("1 difference")),
            (all, 0) => line(format_args!("{all} differences")),
            (all, more) => line(format_args!("{all} differences, {more} of which are not listed")),
        }
        text
    }
}
