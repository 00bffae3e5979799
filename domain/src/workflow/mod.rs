//! What an order follows: steps, what each asks of whom, and how they depend on one another.
//!
//! A definition is read from a YAML file by [`Workflow::parse`], which checks it whole and reports every fault with its line and column.
//! One that is registered is read by [`Workflow::registered`], which does not hold it to rules that came later.
//! `workflows/schema.json` describes the format for editors.
//!
//! # When a step starts
//!
//! A step that follows nothing starts when its section does. Any other is *ready*
//! - with `join: all` (as if not said): once every step that it follows is completed or skipped;
//! - with `join: any`: once one of them is completed.
//!
//! A step is skipped when *all* that it follows were skipped. A ready step starts, unless its guard (`when`) does not hold: then it is
//! skipped.
//!
//! A step asks a participant (`call`, answered in the same exchange; `request`, answered later), lets time pass (`wait`), or has a person
//! answer (`await`). Whatever it waits for has a deadline, after which it fails, or is answered by `on-timeout`.
//!
//! A request can answer with an *interim* outcome: its step stays open for a further answer. Meanwhile a follower starts only
//! if it has a guard, and the guard holds; one without a guard, or whose guard does not hold yet, goes on waiting for the answer
//! that completes the step.
//!
//! An outcome in `compensate-on` completes its step and undoes the order: nothing of `steps` starts after it. When every undo has
//! run, the steps of `compensated` follow, by the same rules.

pub mod address;
mod check;
mod diagram;
mod expression;
pub(crate) mod fault;
mod meaning;
pub(crate) mod read;
pub mod suggest;
pub(crate) mod yaml;

pub(crate) use expression::UNITS;
pub use expression::{
    Comparison, DataPath, Evaluated, EvaluationError, Expression, ExpressionError, Reference, Scope, Subject,
    TextPosition,
};
pub use fault::{Fault, Faults};

use std::collections::BTreeMap;
use std::time::Duration;

use fault::Report;

use crate::ids::StepId;
use crate::order::Mode;

/// A checked definition.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// Its name.
    pub name: String,
    /// Its version, from 1.
    pub version: u32,
    /// The services that act, by name.
    pub participants: BTreeMap<String, Participant>,
    /// The steps forward, in the order of the file.
    pub steps: Vec<Step>,
    /// The steps after every undo has run, in the order of the file.
    pub compensated: Vec<Step>,
    /// What a completed order gives back.
    pub result: Option<Expression>,
    /// The text it was read from, which is what the log keeps.
    pub source: String,
}

/// How a service that acts is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Participant {
    /// Over HTTP.
    Http {
        /// Where it is. `${NAME}` stands for a setting of the command handler, put in when it is called, so that a
        /// definition outlives a move of the service.
        url: String,
    },
    /// By events: requests and replies are streams of the log.
    Events,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name, unique in the workflow.
    pub id: StepId,
    /// What it follows; nothing: it starts at once.
    pub after: Vec<StepId>,
    /// When it may start, if it follows several.
    pub join: Join,
    /// Must hold for the step to run.
    pub when: Option<Expression>,
    /// How it comes to its answer.
    pub mode: Mode,
    /// What is asked of whom; none for a step that waits by itself, or for a person.
    pub action: Option<ActionRef>,
    /// What a person is to give.
    pub awaits: Option<String>,
    /// The input to the action: names and what they are, in the order of the file.
    pub with: Vec<(String, Expression)>,
    /// What undoes it; same participant or another.
    pub undo: Option<ActionRef>,
    /// How long one exchange may take.
    pub exchange_timeout: Duration,
    /// How long a later answer may take, a person's too; for a `wait`, how long it lasts.
    pub answer_timeout: Duration,
    /// How long the later answer to its undo may take; none: as long as its own.
    pub undo_timeout: Option<Duration>,
    /// The answer that is assumed where none comes in time; none: the step fails.
    pub on_timeout: Option<String>,
    /// What to do when an attempt fails.
    pub retry: Retry,
    /// The answers it knows; empty: any.
    pub outcomes: Vec<String>,
    /// Whether a "done" that names no outcome is none.
    pub outcome_required: bool,
    /// Outcomes that leave the step open, and how long the next answer may take.
    pub interim: BTreeMap<String, Duration>,
    /// Outcomes after which the order is undone.
    pub compensate_on: Vec<String>,
    /// The business status that the order has once the step is completed.
    pub sets_status: Option<String>,
}

/// When a step that follows several may start. Either way it is skipped when all that it follows were skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Join {
    /// Once all that it follows are completed or skipped.
    #[default]
    All,
    /// Once one that it follows is completed.
    Any,
}

/// An action of a participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRef {
    /// Who.
    pub participant: String,
    /// What.
    pub action: String,
}

/// Exponential back-off: attempt `n + 1` follows attempt `n` after `initial · factorⁿ⁻¹`, at most `max`.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// The first wait.
    pub initial: Duration,
    /// What each wait is multiplied by.
    pub factor: f64,
    /// The longest wait.
    pub max: Duration,
    /// After which answers there is no further attempt, though their status says "later".
    pub give_up_on: Vec<Final>,
}

/// An answer of a participant that is final, whatever its status says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Final {
    /// By HTTP status.
    Status(u16),
    /// By the `type` of the problem (RFC 9457).
    Problem(String),
}

/// Some twenty minutes in all: a service that is restarted, or failed over, costs time and not orders.
impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 30,
            initial: Duration::from_millis(200),
            factor: 2.0,
            max: Duration::from_mins(1),
            give_up_on: Vec::new(),
        }
    }
}

impl Workflow {
    /// Reads a definition and checks it whole. Gives all that is wrong with it, not only the first fault.
    pub fn parse(source: &str) -> Result<Self, Faults> {
        Self::read(source, check::new)
    }

    /// Reads a definition that was registered before. Rules that came later do not apply to it, so that its orders go on.
    pub fn registered(source: &str) -> Result<Self, Faults> {
        Self::read(source, |_, _, _| {})
    }

    fn read(source: &str, more: impl FnOnce(&Self, &yaml::Node, &mut Report)) -> Result<Self, Faults> {
        let mut report = Report::new(source);
        let Some(root) = yaml::load(source, &mut report) else { return report.finish(None) };
        let workflow = read::workflow(&root, source, &mut report);
        if let Some(workflow) = &workflow {
            check::all(workflow, &root, &mut report);
            more(workflow, &root, &mut report);
        }
        report.finish(workflow)
    }

    /// Hints for the definition's author: what is allowed and seldom meant. `None`: there are none.
    pub fn hints(&self) -> Option<Faults> {
        let mut report = Report::new(&self.source);
        let root = yaml::load(&self.source, &mut report)?;
        check::hints(self, &root, &mut report);
        report.finish(Some(())).err()
    }

    /// Whether what is asked of a participant, named in one of the steps, is asked by events.
    pub fn is_reached_by_events(&self, participant: &str) -> bool {
        self.participants.get(participant) == Some(&Participant::Events)
    }

    /// Every expression of the definition.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let steps = self.steps.iter().chain(&self.compensated);
        let of_steps = steps.flat_map(|step| step.when.iter().chain(step.with.iter().map(|(_, value)| value)));
        of_steps.chain(&self.result)
    }

    /// Whether a decision under it may take long, since an expression of it may.
    pub fn may_take_long(&self) -> bool {
        self.expressions().any(Expression::may_take_long)
    }

    /// The step of that name, in either section.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().chain(&self.compensated).find(|step| step.id == id)
    }
}

#[cfg(test)]
mod tests;
