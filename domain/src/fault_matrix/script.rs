//! The script of one life: how each step is answered, and the one fault.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::ids::StepId;
use crate::order::Direction;

/// The data of the steps' answers, where an expression needs more than generated data.
pub type Samples = BTreeMap<StepId, Value>;

/// The script of one life.
#[derive(Debug, Clone, Default)]
pub(super) struct Script {
    /// The outcomes of each step, in their order; all but the last are interim ones.
    pub answers: BTreeMap<StepId, Vec<String>>,
    /// The data of each answer.
    pub data: BTreeMap<StepId, Value>,
    /// A short name for the outcomes of this path.
    pub path: String,
    /// The fault at an action.
    pub fault: Option<(Place, Fault)>,
    /// What happens after which number of decisions.
    pub turns: Vec<(usize, Turn)>,
    /// An operator's remedy for a stuck order.
    pub remedy: Remedy,
}

/// An action of a step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub step: StepId,
    pub direction: Direction,
}

/// A fault of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The participant refuses for good.
    Refused,
    /// One attempt has no clear answer.
    OnceUnclear,
    /// No attempt has a clear answer.
    AlwaysUnclear,
    /// A mistake of the deployment fails one attempt.
    OnceMisconfigured,
    /// A mistake of the deployment fails every attempt.
    Misconfigured,
    /// The request cannot be made until a person corrects something.
    Held,
    /// The participant acts, and its answer is lost.
    AnswerLost,
    /// The driver with the attempt disappears.
    Lost,
    /// The first request is not sent: the participant has no capacity.
    NotSent,
    /// No request is ever sent: the participant is unreachable.
    NeverSent,
    /// The participant acts, but its answer lacks the required outcome.
    NoOutcome,
    /// The step does not know the outcome.
    UnknownOutcome,
    /// The later answer never comes.
    NeverAnswered,
    /// The later answer comes twice.
    AnsweredTwice,
    /// The later answer comes before the request is accepted.
    AnsweredFirst,
    /// The participant accepts, and refuses later.
    RefusedLater,
}

/// What happens after a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// An operator cancels the order.
    Cancel,
    /// An operator pauses the order for a day, and resumes it.
    Pause,
    /// The driver disappears before it performs its decision.
    Crash,
    /// The driver performs its decision, and disappears before it receives an answer.
    CrashAfterPerforming,
}

/// The remedy for a stuck order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The cause is corrected, and an operator retries.
    #[default]
    Retry,
    /// An operator skips it.
    Skip,
    /// An operator cancels the order.
    Cancel,
}

impl Fault {
    /// Whether the order ends as without this fault.
    pub fn is_passing(self) -> bool {
        match self {
            Fault::OnceUnclear
            | Fault::OnceMisconfigured
            | Fault::AnswerLost
            | Fault::Lost
            | Fault::NotSent
            | Fault::AnsweredTwice
            | Fault::AnsweredFirst => true,
            Fault::Refused
            | Fault::AlwaysUnclear
            | Fault::Misconfigured
            | Fault::Held
            | Fault::NeverSent
            | Fault::NoOutcome
            | Fault::UnknownOutcome
            | Fault::NeverAnswered
            | Fault::RefusedLater => false,
        }
    }

    /// Whether a person must correct it: a forward step is held, and the order is not compensated.
    pub fn is_a_mistake(self) -> bool {
        match self {
            Fault::Misconfigured | Fault::Held | Fault::NeverSent | Fault::NoOutcome | Fault::UnknownOutcome => true,
            Fault::Refused
            | Fault::OnceUnclear
            | Fault::AlwaysUnclear
            | Fault::OnceMisconfigured
            | Fault::AnswerLost
            | Fault::Lost
            | Fault::NotSent
            | Fault::NeverAnswered
            | Fault::AnsweredTwice
            | Fault::AnsweredFirst
            | Fault::RefusedLater => false,
        }
    }
}

impl Script {
    /// The same script with a fault.
    pub fn with_fault(&self, place: Place, fault: Fault, remedy: Remedy) -> Self {
        Self { fault: Some((place, fault)), remedy, ..self.clone() }
    }

    /// The same script with a turn after this number of decisions.
    pub fn with_turn(&self, after: usize, turn: Turn) -> Self {
        let mut turned = self.clone();
        turned.turns.push((after, turn));
        turned
    }

    /// The fault of an action, if the script has it there.
    pub fn fault_at(&self, step: &str, direction: Direction) -> Option<Fault> {
        let (place, fault) = self.fault.as_ref()?;
        (place.step == step && place.direction == direction).then_some(*fault)
    }

    /// Whether an operator cancels the order.
    pub fn is_cancel(&self) -> bool {
        self.remedy == Remedy::Cancel || self.turns.iter().any(|(_, turn)| *turn == Turn::Cancel)
    }

    /// The kind of life, for the counts.
    pub fn kind(&self) -> &'static str {
        let fault = self.fault.as_ref().map(|(place, fault)| (place.direction, fault.is_passing()));
        match (self.turns.last(), fault) {
            (Some((_, Turn::Crash | Turn::CrashAfterPerforming)), _) => "taken over after a decision",
            (Some((_, Turn::Pause)), _) => "paused after a decision",
            (_, Some((Direction::Do, true))) => "an action fails for a moment",
            (_, Some((Direction::Do, false))) => "an action fails for good",
            (_, Some((Direction::Undo, true))) => "an undo fails for a moment",
            (_, Some((Direction::Undo, false))) => "an undo fails for good",
            (Some((_, Turn::Cancel)), None) => "canceled after a decision",
            (None, None) => "answered without a fault",
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if let Some((Place { step, direction }, fault)) = &self.fault {
            let of = if *direction == Direction::Do { "" } else { "the undo of " };
            let what = match fault {
                Fault::Refused => "is refused",
                Fault::OnceUnclear => "fails once",
                Fault::AlwaysUnclear => "fails at every attempt",
                Fault::OnceMisconfigured => "is misconfigured for a moment",
                Fault::Misconfigured => "is misconfigured",
                Fault::Held => "cannot be asked",
                Fault::AnswerLost => "acts unheard",
                Fault::Lost => "is lost with its driver",
                Fault::NotSent => "is not sent at first",
                Fault::NeverSent => "is never sent",
                Fault::NoOutcome => "is answered without an outcome",
                Fault::UnknownOutcome => "gives an answer that it does not know",
                Fault::NeverAnswered => "is never answered",
                Fault::AnsweredTwice => "is answered twice",
                Fault::AnsweredFirst => "is answered before it is accepted",
                Fault::RefusedLater => "is accepted, and refused later",
            };
            write!(f, "; {of}{step} {what}")?;
            match self.remedy {
                Remedy::Retry => {}
                Remedy::Skip => write!(f, ", and is skipped")?,
                Remedy::Cancel => write!(f, ", and the order is canceled")?,
            }
        }
        for (after, turn) in &self.turns {
            let what = match turn {
                Turn::Cancel => "canceled",
                Turn::Pause => "paused for a day",
                Turn::Crash => "taken over, unperformed,",
                Turn::CrashAfterPerforming => "taken over, performed and unheard,",
            };
            write!(f, "; {what} after decision {after}")?;
        }
        Ok(())
    }
}
