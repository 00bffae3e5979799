//! The verdict of a backtest: whether the run of an order equals its history.

use super::unknown::Unknown;
use crate::ids::StepId;

/// Whether the run of an order equals its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The run equals the history.
    Same,
    /// The run differs.
    Differs(Box<Difference>),
    /// These answers are missing.
    Unknown(Vec<Unknown>),
}

/// Where the run first differs from the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The step, if a step differs.
    pub step: Option<StepId>,
    /// The revision of the recorded event on which the run decides otherwise.
    pub revision: u64,
    /// What the history decided, in sentences; empty: nothing.
    pub then: Vec<String>,
    /// What the run decides, in sentences; empty: nothing.
    pub now: Vec<String>,
    /// The state of the order at the end of its history.
    pub ended_then: Standing,
    /// The state of the order at the end of the run.
    pub ended_now: Standing,
}

/// The status and state of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    /// The business status.
    pub status: String,
    /// The state, spelled as in GraphQL.
    pub state: &'static str,
    /// No answer is missing. Otherwise this is the last state that the run reached.
    pub is_known: bool,
}
