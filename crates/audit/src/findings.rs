//! What is not as it was written, and how it is told.

use std::fmt::{self, Write};

use domain::ids::OrderId;
use domain::proof::chain::Fault;
use domain::proof::seal::SealFault;
use projector::compare::Difference;
use serde::Serialize;

use command_line::output::printable;

/// Findings that are told one by one. Where there are more, the rest is counted.
const MOST: usize = 10_000;
/// A value is told up to here, for people.
const MAX_VALUE: usize = 160;

/// Something that is not as it was written.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "in", rename_all = "camelCase")]
pub enum Finding {
    /// With the log as a whole.
    Log {
        /// What is wrong.
        reason: String,
    },
    /// With the keys of personal data: what is sealed cannot be read any more.
    Keys {
        /// What is wrong.
        reason: String,
    },
    /// With a stream that has the name of an order's, or could not be read.
    Stream {
        /// Its name.
        stream: String,
        /// What is wrong.
        reason: String,
    },
    /// With an event of an order, or where one should be.
    Order {
        /// The order.
        order: OrderId,
        /// Where in it, and what is wrong.
        #[serde(flatten)]
        fault: Fault,
    },
    /// With a seal: what is written on it.
    Seal {
        /// Its number, or its file.
        seal: String,
        /// What is wrong.
        #[serde(flatten)]
        fault: SealFault,
    },
    /// With what a seal covers: the log is not what was sealed.
    Sealed {
        /// Its number, or its file.
        seal: String,
        /// What is wrong.
        reason: String,
    },
    /// With a row of a view.
    #[serde(rename_all = "camelCase")]
    View {
        /// The view's table.
        table: &'static str,
        /// The row's key.
        row: String,
        /// The order that the row is about.
        order: Option<String>,
        /// The column that differs; none: the row is missing, or should be.
        column: Option<String>,
        /// The value by the log.
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
                write!(f, "view {table}, row {row}, column {column}: the log says {log}, the view {view}")
            }
            Self::View { table, row, log: Some(_), .. } => {
                write!(f, "view {table}, row {row}: the row is missing, though the log has it")
            }
            Self::View { table, row, .. } => {
                write!(
                    f,
                    "view {table}, row {row}: the log has nothing that makes this row: it was put in, or its events were taken out"
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
    told: Vec<Finding>,
    more: u64,
}

impl Findings {
    /// Adds one.
    pub fn add(&mut self, finding: Finding) {
        if self.told.len() < MOST {
            self.told.push(finding);
        } else {
            self.more += 1;
        }
    }

    /// Adds others.
    pub fn join(&mut self, others: Self) {
        self.extend(others.told);
        self.more += others.more;
    }

    /// Takes out those that are told and fit.
    pub fn take(&mut self, fits: impl Fn(&Finding) -> bool) -> Vec<Finding> {
        let (taken, kept) = std::mem::take(&mut self.told).into_iter().partition(fits);
        self.told = kept;
        taken
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.told.len() as u64 + self.more
    }
}

impl Extend<Finding> for Findings {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }
}

/// What was looked at and what was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    clean: bool,
    /// What was looked at, each in a sentence.
    looked_at: Vec<String>,
    /// What could not be found out, or is not proved by this.
    notes: Vec<String>,
    findings: Vec<Finding>,
    /// Findings that are not told one by one.
    more: u64,
}

impl Report {
    pub(crate) fn new(looked_at: Vec<String>, notes: Vec<String>, findings: Findings) -> Self {
        let Findings { told, more } = findings;
        Self { clean: told.is_empty(), looked_at, notes, findings: told, more }
    }

    /// Whether everything that was looked at is as it was written.
    pub fn is_clean(&self) -> bool {
        self.clean
    }

    /// For a program.
    pub fn to_json(&self) -> String {
        // Nothing in it can fail to be written: texts and numbers.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        format!("{text}\n")
    }

    /// For a person.
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
            (all, more) => line(format_args!("{all} differences, {more} of which are not told one by one")),
        }
        text
    }
}
