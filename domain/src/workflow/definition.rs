//! A checked definition, and its parts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::expression::Expression;
use crate::ids::StepId;
use crate::order::Mode;

/// A checked definition.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// Its name.
    pub name: String,
    /// Its version, from 1.
    pub version: u32,
    /// The participants, by name.
    pub participants: BTreeMap<String, Participant>,
    /// The forward steps, in the order of the file.
    pub steps: Vec<Step>,
    /// The steps after all undos, in the order of the file.
    pub compensated: Vec<Step>,
    /// The result of a completed order.
    pub result: Option<Expression>,
    /// The text of the file, as the log keeps it.
    pub source: String,
}

/// How a participant is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Participant {
    /// Over HTTP.
    Http {
        /// Its address. `${NAME}` is a setting of the command handler, read for each call. So the
        /// service can move without a new definition.
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
    /// Its predecessors. Empty: it starts at once.
    pub after: Vec<StepId>,
    /// When it may start after several predecessors.
    pub join: Join,
    /// The guard, which must hold for the step to run.
    pub when: Option<Expression>,
    /// How it gets its answer.
    pub mode: Mode,
    /// The action; `None`: the step waits for a time or a person.
    pub action: Option<ActionRef>,
    /// What a person must give.
    pub awaits: Option<String>,
    /// The input of the action: names and values, in the order of the file.
    pub with: Vec<(String, Expression)>,
    /// The action that undoes it, at the same participant or another one.
    pub undo: Option<ActionRef>,
    /// The time-out of one exchange.
    pub exchange_timeout: Duration,
    /// The time-out of a later answer, also a person's; for a `wait`, its length.
    pub answer_timeout: Duration,
    /// The time-out of the later answer to its undo; `None`: the same as for the step.
    pub undo_timeout: Option<Duration>,
    /// The outcome after a time-out; `None`: the step fails.
    pub on_timeout: Option<String>,
    /// The retries after failed attempts.
    pub retry: Retry,
    /// The outcomes that it knows; empty: any.
    pub outcomes: Vec<String>,
    /// Whether an answer must name an outcome.
    pub outcome_required: bool,
    /// Outcomes that leave the step open, with the time-out of the next answer.
    pub interim: BTreeMap<String, Duration>,
    /// Outcomes after which the order is compensated.
    pub compensate_on: Vec<String>,
    /// The business status of the order after the step.
    pub sets_status: Option<String>,
}

/// When a step with several predecessors may start. In both cases it is skipped when all of them
/// were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Join {
    /// Once all predecessors are completed or skipped.
    #[default]
    All,
    /// Once one predecessor is completed.
    Any,
}

/// An action of a participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRef {
    /// The participant.
    pub participant: String,
    /// The action.
    pub action: String,
}

/// Exponential back-off: attempt `n + 1` follows attempt `n` after `initial · factorⁿ⁻¹`, at most
/// `max`.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// Attempts in total, with the first.
    pub attempts: u32,
    /// The first wait.
    pub initial: Duration,
    /// The factor between waits.
    pub factor: f64,
    /// The longest wait.
    pub max: Duration,
    /// Answers after which no further attempt follows, although their status means "later".
    pub give_up_on: Vec<Final>,
}

/// An answer that is final, although its status means "later".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Final {
    /// By HTTP status.
    Status(u16),
    /// By the `type` of the problem (RFC 9457).
    Problem(String),
}

/// About twenty minutes in total: a restart or a failover of a service costs time, but no orders.
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
    /// Whether this participant is reached by events.
    pub fn is_reached_by_events(&self, participant: &str) -> bool {
        self.participants.get(participant) == Some(&Participant::Events)
    }

    /// All expressions of the definition.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let steps = self.steps.iter().chain(&self.compensated);
        let of_steps = steps.flat_map(|step| step.when.iter().chain(step.with.iter().map(|(_, value)| value)));
        of_steps.chain(&self.result)
    }

    /// Whether a decision may take long, because an expression of the definition may.
    pub fn may_take_long(&self) -> bool {
        self.expressions().any(Expression::may_take_long)
    }

    /// The step of this name, in either section.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().chain(&self.compensated).find(|step| step.id == id)
    }
}
