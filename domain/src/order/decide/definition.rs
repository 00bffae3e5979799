//! What the decider reads from a definition.

use std::time::Duration;

use crate::order::{Direction, Refusal};
use crate::workflow::{Step, Workflow};

impl Workflow {
    /// The step of this name, in either section; otherwise a refusal.
    pub(crate) fn known_step(&self, id: &str) -> Result<&Step, Refusal> {
        self.step(id).ok_or_else(|| Refusal::UnknownStep { workflow: self.name.clone(), step: id.to_owned() })
    }

    /// Whether this is a step of `compensated`. If such a step fails, the order is stuck.
    pub(crate) fn is_after_compensation(&self, id: &str) -> bool {
        self.compensated.iter().any(|step| step.id == id)
    }
}

/// The outcome of an answer that names none.
pub(super) const DONE: &str = "done";

impl Step {
    /// How long a later answer may take, from when the participant has accepted the request.
    pub fn time_to_answer(&self, direction: Direction) -> Duration {
        let of_undo = self.undo_timeout.filter(|_| direction == Direction::Undo);
        of_undo.unwrap_or(self.answer_timeout)
    }

    /// The outcome of an answer; `None`: the step requires an outcome, and the answer names none.
    pub(super) fn outcome_of<'a>(&self, direction: Direction, named: Option<&'a str>) -> Option<&'a str> {
        let is_required = direction == Direction::Do && self.outcome_required;
        named.or((!is_required).then_some(DONE))
    }

    /// Whether the step can have this outcome.
    pub(crate) fn knows(&self, outcome: &str) -> bool {
        self.outcomes.is_empty() || self.outcomes.iter().any(|known| known == outcome)
    }
}
