//! Turns each recorded reply and operation into a command for the run.

use std::time::Duration;

use serde_json::Value;

use super::past::{OperationKind, RecordedReply, ReplyKind};
use super::requests::Seq;
use super::rules::RuleAnswer;
use super::run::{Run, Source};
use crate::Timestamp;
use crate::ids::StepId;
use crate::order::{
    Answer, AttemptId, Command, DecideError, Direction, Event, FailureCause, HandOver, LateRefusal, MAX_RETRY_AFTER,
    NotSent, Operate, Operation, Reply, Signal,
};

/// The principal of every operator command of a run.
const OPERATOR: &str = "operator";

impl Run<'_> {
    pub(super) fn suppose(&mut self, index: usize) -> Result<(), DecideError> {
        let Some(request) = self.requests.get_mut(index) else { return Ok(()) };
        request.given += 1;
        let Source::Rule(supposed) = &request.source else { return Ok(()) };
        let (answer, step, direction) = (supposed.answer.clone(), request.step.clone(), request.direction);
        let command = match answer {
            RuleAnswer::Outcome { outcome, data } => self.answered(&step, direction, Some(outcome), data),
            RuleAnswer::Refused(error) => self.refused(&step, direction, error),
        };
        self.decide(self.seq(), &command, Some(&step))
    }

    pub(super) fn reply(&mut self, index: usize, reply: RecordedReply) -> Result<(), DecideError> {
        let at = self.moment(index, &reply);
        let Some(request) = self.requests.get_mut(index) else { return Ok(()) };
        request.given += 1;
        let (step, direction) = (request.step.clone(), request.direction);
        self.advance_to(at);
        let command = match reply.kind {
            ReplyKind::Accepted => self.answer(&step, direction, Reply::Accepted),
            ReplyKind::Unreadable => {
                let outcome = match self.unreadable(&reply) {
                    Some(FailureCause::NoOutcome) => None,
                    Some(FailureCause::UnknownOutcome(outcome)) => Some(outcome.unwrap_or_default().to_owned()),
                    _ => Some(String::new()),
                };
                self.answered(&step, direction, outcome, Value::Null)
            }
            ReplyKind::Unclear => {
                let error = self.error(reply.seq);
                let retry_after = self.waited(reply.seq).map(|waited| waited.min(MAX_RETRY_AFTER));
                self.answer(&step, direction, Reply::Unclear { error, retry_after })
            }
            ReplyKind::Misconfigured => {
                let (error, maybe_done) = (self.error(reply.seq), self.may_have_acted(reply.seq));
                let retry_after = self.waited(reply.seq).map(|waited| waited.min(MAX_RETRY_AFTER));
                self.answer(&step, direction, Reply::Misconfigured { error, retry_after, maybe_done })
            }
            ReplyKind::Held => self.held(&step, direction, self.error(reply.seq)),
            ReplyKind::Refused => self.refused(&step, direction, self.error(reply.seq)),
            ReplyKind::Lost => self.lost(&step, direction),
            ReplyKind::NotSent => self.not_sent(&step, direction, &reply),
            // A tick has made this attempt already, together with other due work.
            ReplyKind::Again if self.attempt(&step).is_some() => return Ok(()),
            ReplyKind::Again => self.operate(Operation::Retry { step: Some(step.clone()) }),
            ReplyKind::Overdue => {
                if let Some(deadline) = self.requests.get(index).and_then(|request| self.deadline(request)) {
                    self.advance_to(deadline);
                }
                Command::Tick(self.clock())
            }
            ReplyKind::Skipped => {
                let (outcome, data) = self.recorded_answer(reply.seq);
                // An undo has no outcomes, so an operator skips it without one.
                let outcome = (direction == Direction::Do).then_some(outcome);
                self.operate(Operation::Skip { step: step.clone(), outcome, data })
            }
            ReplyKind::Done => {
                let (outcome, data) = self.recorded_answer(reply.seq);
                self.answered(&step, direction, Some(outcome), data)
            }
            ReplyKind::Later if self.answers_at_once(&step) => {
                let (outcome, data) = self.recorded_answer(reply.seq);
                self.answered(&step, direction, Some(outcome), data)
            }
            ReplyKind::Later => {
                let (outcome, data) = self.recorded_answer(reply.seq);
                self.signaled(&step, direction, Some(outcome), data)
            }
        };
        self.decide(reply.seq, &command, Some(&step))
    }

    pub(super) fn operation(&mut self, seq: Seq, at: Timestamp, kind: OperationKind) -> Result<(), DecideError> {
        let before = self.operations.checked_sub(1).and_then(|before| self.past.operations.get(before));
        // A pause lasts as long as recorded, even if it begins later in the run. The operation
        // before a resume is its pause.
        let lasted = match (kind, self.state.paused, before) {
            (OperationKind::Resume, Some(since), Some(pause)) => since.checked_add_signed(at - pause.at),
            _ => None,
        };
        self.operations += 1;
        self.advance_to(lasted.unwrap_or(at));
        let operation = match kind {
            OperationKind::Cancel => Operation::Cancel,
            OperationKind::Pause => Operation::Pause,
            OperationKind::Resume => Operation::Resume,
        };
        let command = self.operate(operation);
        self.decide(seq, &command, None)
    }

    fn operate(&self, operation: Operation) -> Command {
        let (actor, reason) = (OPERATOR.to_owned(), "as then".to_owned());
        Command::Operate(Operate { operation, actor, reason, now: self.clock() })
    }

    /// The attempt in flight.
    fn attempt(&self, step: &str) -> Option<AttemptId> {
        self.state.attempt_in_flight(step)
    }

    /// The attempt in flight; if none is, an id that no attempt has, which the decider refuses.
    fn attempt_or_none(&self, step: &StepId, direction: Direction) -> AttemptId {
        let none = || AttemptId { step: step.clone(), direction, number: 0, recorded_at: self.clock().at };
        self.attempt(step).map_or_else(none, |attempt| AttemptId { direction, ..attempt })
    }

    fn answer(&self, step: &StepId, direction: Direction, reply: Reply) -> Command {
        let attempt = self.attempt_or_none(step, direction);
        Command::Answer(Answer { attempt, reply, now: self.clock() })
    }

    /// An answer in the exchange if an attempt is in flight; otherwise a later answer.
    fn answered(&self, step: &StepId, direction: Direction, outcome: Option<String>, data: Value) -> Command {
        if self.attempt(step).is_some() {
            return self.answer(step, direction, Reply::Done { outcome, data });
        }
        self.signaled(step, direction, outcome, data)
    }

    /// Each answer has its own key, so that two equal answers count as two.
    fn signaled(&self, step: &StepId, direction: Direction, outcome: Option<String>, data: Value) -> Command {
        let (step, key, now) = (step.clone(), Some(format!("answer-{}", self.decided.len())), self.clock());
        Command::Signal(Signal { step, direction, outcome, data, key, now })
    }

    fn refused(&self, step: &StepId, direction: Direction, error: String) -> Command {
        if self.attempt(step).is_some() {
            return self.answer(step, direction, Reply::Refused { error });
        }
        self.refused_later(step, direction, error, false)
    }

    fn held(&self, step: &StepId, direction: Direction, error: String) -> Command {
        if self.attempt(step).is_some() {
            return self.answer(step, direction, Reply::Held { error });
        }
        self.refused_later(step, direction, error, true)
    }

    fn refused_later(&self, step: &StepId, direction: Direction, error: String, misconfigured: bool) -> Command {
        let (step, now) = (step.clone(), self.clock());
        Command::Refuse(LateRefusal { step, direction, error, request: None, key: None, misconfigured, now })
    }

    fn lost(&self, step: &StepId, direction: Direction) -> Command {
        let attempts = vec![self.attempt_or_none(step, direction)];
        Command::HandOver(HandOver { attempts, now: self.clock() })
    }

    /// The history says when the next attempt comes, so this command must not start it.
    fn not_sent(&self, step: &StepId, direction: Direction, reply: &RecordedReply) -> Command {
        let attempt = self.attempt_or_none(step, direction);
        let wait = self.waited(reply.seq).unwrap_or_default().max(Duration::from_secs(1));
        Command::NotSent(NotSent { attempt, error: self.error(reply.seq), wait, now: self.clock() })
    }

    /// How long the recorded attempt was to wait for the next one. Other due work does not shorten
    /// it.
    fn waited(&self, seq: Seq) -> Option<Duration> {
        let Some(Event::StepAttemptFailed(e)) = self.past.events.get(seq) else { return None };
        (e.retry_at - e.at).to_std().ok()
    }

    /// The outcome and the data of a recorded answer.
    fn recorded_answer(&self, seq: Seq) -> (String, Value) {
        let Some(Event::StepCompleted(e)) = self.past.events.get(seq) else { return Default::default() };
        (e.outcome.clone(), e.data.clone())
    }

    /// Whether a recorded misconfigured attempt may have acted.
    fn may_have_acted(&self, seq: Seq) -> bool {
        let event = self.past.events.get(seq);
        matches!(event, Some(Event::StepAttemptFailed(e)) if e.maybe_done)
            || matches!(event, Some(Event::StepFailed(e)) if e.maybe_done)
    }

    /// The error of a recorded attempt.
    fn error(&self, seq: Seq) -> String {
        let event = self.past.events.get(seq);
        if let Some(Event::StepAttemptFailed(e)) = event {
            return e.error.clone();
        }
        let Some(Event::StepFailed(e)) = event else { return String::new() };
        match e.cause() {
            FailureCause::LastAttempt(error)
            | FailureCause::Misconfigured(error)
            | FailureCause::Held(error)
            | FailureCause::NeverSent(error) => error.to_owned(),
            _ => e.error.clone(),
        }
    }
}
