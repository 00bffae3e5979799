//! Scripted participants that keep their contract: they act once for each idempotency key.

use serde_json::{Value, json};

use super::script::{Fault, Place, Script};
use crate::order::{Attempt, Direction, Mode, Reply};
use crate::workflow::{Step, Workflow};

/// All participants of a workflow.
#[derive(Debug, Clone, Default)]
pub(super) struct Services {
    /// The actions, each once, in their order. Step and direction determine the idempotency key, so
    /// the place is enough.
    pub acts: Vec<Place>,
    /// Exported seals and bundles stay valid: a golden file for each version, kept for ever.
    /// `UPDATE_GOLDEN=1` writes missing files.
    pub requests: Vec<Place>,
    /// An operator has had the cause corrected.
    pub corrected: bool,
}

impl Services {
    /// The reply to an attempt; `None`: its driver disappears, and the answer is lost.
    pub fn perform(&mut self, workflow: &Workflow, script: &Script, attempt: &Attempt) -> Option<Reply> {
        let place = Place { step: attempt.step.clone(), direction: attempt.direction };
        let before = self.requests.iter().filter(|requests| **requests == place).count();
        self.requests.push(place.clone());
        let unclear = || Some(Reply::Unclear { error: "answered 503".to_owned(), retry_after: None });
        let misconfigured = || {
            let error = "answered 401".to_owned();
            Some(Reply::Misconfigured { error, retry_after: None, maybe_done: false })
        };
        match script.fault_at(&attempt.step, attempt.direction).filter(|_| !self.corrected) {
            Some(Fault::Refused) => return Some(Reply::Refused { error: "answered 409".to_owned() }),
            Some(Fault::AlwaysUnclear) => return unclear(),
            Some(Fault::Misconfigured) => return misconfigured(),
            Some(Fault::Held) => return Some(Reply::Held { error: "key 7 is missing".to_owned() }),
            Some(Fault::OnceMisconfigured) if before == 0 => return misconfigured(),
            Some(Fault::OnceUnclear) if before == 0 => return unclear(),
            Some(Fault::Lost) if before == 0 => return None,
            Some(Fault::AnswerLost) if before == 0 => {
                self.act(place);
                return unclear();
            }
            Some(Fault::NoOutcome) => {
                self.act(place);
                let is_later = is_answered_later(workflow, workflow.step(&attempt.step)?, attempt.direction);
                let at_once = Reply::Done { outcome: None, data: Value::Null };
                return Some(if is_later { Reply::Accepted } else { at_once });
            }
            Some(Fault::UnknownOutcome) => {
                self.act(place);
                return Some(Reply::Done { outcome: Some("unheard-of".to_owned()), data: Value::Null });
            }
            _ => {}
        }
        self.act(place);
        let step = workflow.step(&attempt.step)?;
        if is_answered_later(workflow, step, attempt.direction) {
            return Some(Reply::Accepted);
        }
        let outcome = (attempt.direction == Direction::Do).then(|| script.answer_of(step, 0)).flatten();
        Some(Reply::Done { outcome, data: script.data_of(step) })
    }

    fn act(&mut self, place: Place) {
        if !self.acts.contains(&place) {
            self.acts.push(place);
        }
    }
}

/// Whether an action is answered later.
pub(super) fn is_answered_later(workflow: &Workflow, step: &Step, direction: Direction) -> bool {
    match direction {
        Direction::Do => step.mode == Mode::Request,
        Direction::Undo => step.undo.as_ref().is_some_and(|undo| workflow.is_reached_by_events(&undo.participant)),
    }
}

impl Script {
    /// The outcome of a step after `given` earlier ones.
    pub fn answer_of(&self, step: &Step, given: usize) -> Option<String> {
        let named = self.answers.get(&step.id).and_then(|answers| answers.get(given)).cloned();
        named.or_else(|| (step.outcome_required && given == 0).then(|| "done".to_owned()))
    }

    /// The data of its answer.
    pub fn data_of(&self, step: &Step) -> Value {
        self.data.get(&step.id).cloned().unwrap_or_else(|| json!({}))
    }
}
