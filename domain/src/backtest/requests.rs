//! The terms in which the recorded history and a run are compared: addressees, request events and
//! milestones.

use serde_json::Value;

use crate::ids::StepId;
use crate::order::{Direction, OrderCompleted, StatusChanged};
use crate::workflow::Step;

/// The index of an event in its history; earlier events have lower ones.
pub(super) type Seq = usize;

/// The addressee of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Addressee {
    /// A participant, with its action.
    Participant { name: String, action: String },
    /// A person, with what the step awaits.
    Person(String),
    /// No one: a step waits for a time.
    Time,
}

impl Addressee {
    /// The addressee of a step of a definition; `None` where the step sends nothing in this
    /// direction.
    pub fn of(step: &Step, direction: Direction) -> Option<Self> {
        let action = match direction {
            Direction::Do => step.action.as_ref(),
            Direction::Undo => step.undo.as_ref(),
        };
        match (action, &step.awaits, direction) {
            (Some(a), ..) => Some(Addressee::Participant { name: a.participant.clone(), action: a.action.clone() }),
            (None, Some(awaits), Direction::Do) => Some(Addressee::Person(awaits.clone())),
            (None, None, Direction::Do) => Some(Addressee::Time),
            (None, _, Direction::Undo) => None,
        }
    }

    /// The name that messages show.
    pub fn name(&self) -> String {
        match self {
            Addressee::Participant { name, action } => format!("{name}.{action}"),
            Addressee::Person(awaits) => format!("a person ({awaits})"),
            Addressee::Time => "time".to_owned(),
        }
    }
}

/// A request, or its conclusion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestEvent {
    /// The recorded event. In a run: the recorded event on which the run decided this.
    pub seq: Seq,
    /// The index of the request, in the list of the history or of the run.
    pub request: usize,
    pub kind: RequestEventKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RequestEventKind {
    Asked,
    /// The outcome; `None`: the request failed for good.
    Concluded(Option<String>),
}

impl RequestEvent {
    pub fn asked(seq: Seq, request: usize) -> Self {
        Self { seq, request, kind: RequestEventKind::Asked }
    }

    pub fn concluded(seq: Seq, request: usize, outcome: Option<String>) -> Self {
        Self { seq, request, kind: RequestEventKind::Concluded(outcome) }
    }
}

/// An event that concerns the order as a whole.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Milestone {
    pub seq: Seq,
    /// The step that caused it, if a step did.
    pub step: Option<StepId>,
    pub kind: MilestoneKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum MilestoneKind {
    Status(String),
    Undoing,
    Stuck,
    /// The result; `None`: the result had no value.
    Completed(Option<Value>),
    Canceled,
}

impl Milestone {
    pub fn status(seq: Seq, e: &StatusChanged) -> Self {
        Self { seq, step: Some(e.step.clone()), kind: MilestoneKind::Status(e.status.clone()) }
    }

    pub fn undoing(seq: Seq, step: Option<StepId>) -> Self {
        Self { seq, step, kind: MilestoneKind::Undoing }
    }

    pub fn stuck(seq: Seq, step: &str) -> Self {
        Self { seq, step: Some(step.to_owned()), kind: MilestoneKind::Stuck }
    }

    pub fn completed(seq: Seq, e: &OrderCompleted) -> Self {
        let result = e.result_error.is_none().then(|| e.result.clone());
        Self { seq, step: None, kind: MilestoneKind::Completed(result) }
    }

    pub fn canceled(seq: Seq) -> Self {
        Self { seq, step: None, kind: MilestoneKind::Canceled }
    }
}
