//! Runs an order under another definition: the real decider, with the recorded answers.
//!
//! The run takes the recorded answers in their order, as far as the definition needs them. Each
//! answer takes as long as it took in the history. Times decide only about deadlines: an answer
//! that takes longer than the definition allows is too late. The run repeats operators' actions at
//! the same points. Jitter is always in the middle. An attempt in flight takes as long as it took.

use chrono::DateTime;
use serde_json::Value;

use super::Options;
use super::matching::{self, NewRequest};
use super::past::Past;
use super::requests::{Addressee, Milestone, RequestEvent, Seq};
use super::rules::Supposed;
use super::unknown::{Unknown, UnknownKind};
use crate::Timestamp;
use crate::ids::StepId;
use crate::order::{
    Command, DecideError, Direction, Event, Mode, Now, Order, UNDIVIDED, decide_split_like, place_again,
};
use crate::workflow::Workflow;

/// The limit for turns of a run. Real orders need fewer, so a run beyond it is in a loop.
const MAX_TURNS: usize = 10_000;

/// The state of a run.
pub(super) struct Run<'a> {
    pub workflow: &'a Workflow,
    pub past: &'a Past,
    pub state: Order,
    pub requests: Vec<RunRequest>,
    pub milestones: Vec<Milestone>,
    pub request_events: Vec<RequestEvent>,
    /// All decisions, each with the recorded event that caused it.
    pub decided: Vec<(Seq, Decided)>,
    /// Recorded answers that the order now refuses, each with its step.
    pub refused: Vec<(Seq, StepId)>,
    /// How many recorded operations the run has repeated.
    pub operations: usize,
    options: &'a Options,
    taken: Vec<bool>,
    pub now: Timestamp,
    seq: Seq,
    /// Where the recorded decision was split, while the run still has to decide the rest.
    split_at: Option<Seq>,
}

/// The result of a command.
#[derive(Debug)]
pub(super) enum Decided {
    Events(Vec<Event>),
    Refused(String),
}

/// A request of the run.
#[derive(Debug)]
pub(super) struct RunRequest {
    pub step: StepId,
    pub direction: Direction,
    pub addressee: Addressee,
    pub at: Timestamp,
    pub source: Source,
    /// How many replies of the source the run has used.
    pub given: usize,
    pub open: bool,
    /// How long the order waits for the answer.
    pub allowed_ms: Option<i64>,
}

/// The source of the answers.
#[derive(Debug)]
pub(super) enum Source {
    /// The history: the index of the recorded request.
    Past(usize),
    /// A rule.
    Rule(Supposed),
    /// The clock: a wait ends by itself.
    Clock,
    /// The answers are unknown.
    Unknown(UnknownKind),
}

impl<'a> Run<'a> {
    /// Runs the order, as far as the history has answers.
    pub fn execute(workflow: &'a Workflow, past: &'a Past, options: &'a Options) -> Result<Self, DecideError> {
        let split = past.split_of(0);
        let (events, state) = place_again(workflow, &past.placed, UNDIVIDED, split.map(|(_, at_once)| at_once))?;
        let split_at = split.map(|(mark, _)| mark).filter(|_| state.split.is_some());
        let mut run = Self {
            workflow,
            past,
            state,
            requests: Vec::new(),
            milestones: Vec::new(),
            request_events: Vec::new(),
            decided: Vec::new(),
            refused: Vec::new(),
            operations: 0,
            options,
            taken: vec![false; past.requests.len()],
            now: past.placed.at,
            seq: 0,
            split_at,
        };
        run.take(events);
        for _ in 0..MAX_TURNS {
            if !run.turn()? {
                break;
            }
        }
        Ok(run)
    }

    /// The requests that the order still waits for, and whose answers are unknown.
    pub fn unknown(&self) -> Vec<Unknown> {
        let open = self.requests.iter().filter(|_| !self.state.ended());
        open.filter_map(|request| {
            let kind = self.unknown_of(request)?;
            Some(Unknown {
                step: request.step.clone(),
                direction: request.direction,
                addressee: request.addressee.name(),
                kind,
            })
        })
        .collect()
    }

    /// Decides a command on a recorded event. `answered` is the step that the command answers.
    pub(super) fn decide(&mut self, seq: Seq, command: &Command, answered: Option<&StepId>) -> Result<(), DecideError> {
        self.seq = seq;
        self.decide_like(self.past.split_of(seq), command, answered)
    }

    /// Decides the rest of a split decision. It is split again where the history split the rest. It
    /// is not split if another command continued the rest.
    pub(super) fn decide_rest(&mut self) -> Result<(), DecideError> {
        let rest = self.split_at.map(|mark| mark + 1).filter(|rest| !self.past.came_from_outside(*rest));
        self.decide_like(rest.and_then(|rest| self.past.split_of(rest)), &Command::Tick(self.clock()), None)
    }

    /// Whether this recorded event continued the rest of the split decision.
    pub(super) fn takes_up_the_rest(&self, seq: Seq) -> bool {
        self.split_at.is_some_and(|mark| seq <= mark + 1)
    }

    /// `then`: where the history split the decision, and the events recorded before the split.
    fn decide_like(
        &mut self,
        then: Option<(Seq, &[Event])>,
        command: &Command,
        answered: Option<&StepId>,
    ) -> Result<(), DecideError> {
        let seq = self.seq;
        match decide_split_like(self.workflow, &self.state, command, then.map(|(_, at_once)| at_once)) {
            Ok((events, state)) => {
                // A command without events leaves the rest as it was.
                if !events.is_empty() {
                    self.split_at = then.map(|(mark, _)| mark).filter(|_| state.split.is_some());
                }
                self.state = state;
                self.take(events);
            }
            Err(DecideError::Refused(refusal)) => {
                // An operator's command that no longer applies is ignored.
                if let Some(step) = answered {
                    self.refused.push((seq, step.clone()));
                    self.decided.push((seq, Decided::Refused(refusal.to_string())));
                }
            }
            Err(error @ DecideError::Inconsistent(_)) => return Err(error),
        }
        Ok(())
    }

    /// The current time and jitter.
    pub(super) fn clock(&self) -> Now {
        Now { at: self.now, jitter: 0.5 }
    }

    /// Advances the clock, which never goes back.
    pub(super) fn advance_to(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
    }

    /// The input of a step.
    fn input(&self, step: &str) -> &Value {
        self.state.steps.get(step).map_or(&Value::Null, |known| &*known.input)
    }

    fn take(&mut self, events: Vec<Event>) {
        for event in &events {
            self.note(event);
        }
        self.decided.push((self.seq, Decided::Events(events)));
    }

    fn note(&mut self, event: &Event) {
        let seq = self.seq;
        match event {
            Event::StepStarted(e) => self.begin(&e.step, e.direction, e.at, None),
            Event::WaitStarted(e) => {
                self.begin(&e.step, Direction::Do, e.at, Some((e.deadline - e.at).num_milliseconds()));
            }
            Event::StepAccepted(e) => self.waits(&e.step, e.direction, (e.deadline - e.at).num_milliseconds()),
            Event::StepCompleted(e) => {
                self.concludes(&e.step, e.direction, Some(e.outcome.clone()), e.open_until.is_some());
                if let Some(until) = e.open_until {
                    self.waits(&e.step, e.direction, (until - e.at).num_milliseconds());
                }
            }
            Event::StepFailed(e) => self.concludes(&e.step, e.direction, None, false),
            Event::StatusChanged(e) => self.milestones.push(Milestone::status(seq, e)),
            Event::CompensationStarted(e) => self.milestones.push(Milestone::undoing(seq, e.step.clone())),
            Event::OrderCompleted(e) => self.milestones.push(Milestone::completed(seq, e)),
            Event::OrderCanceled(_) => self.milestones.push(Milestone::canceled(seq)),
            Event::OrderStuck(e) => self.milestones.push(Milestone::stuck(seq, &e.step)),
            Event::OrderPlaced(_)
            | Event::StepAttemptFailed(_)
            | Event::StepSkipped(_)
            | Event::OrderNoted(_)
            | Event::OperationRequested(_)
            | Event::RequestSettled(_)
            | Event::OrderPaused(_)
            | Event::OrderResumed(_)
            | Event::CompensationCompleted(_)
            | Event::DecisionSplit(_) => {}
        }
    }

    fn begin(&mut self, id: &str, direction: Direction, at: Timestamp, allowed_ms: Option<i64>) {
        if let Some(request) = self.request(id, direction) {
            request.open = true;
            return;
        }
        let Some(step) = self.workflow.step(id) else { return };
        let Some(addressee) = Addressee::of(step, direction) else { return };
        let source = self.source(id, direction, &addressee);
        if let Source::Past(index) = source
            && let Some(taken) = self.taken.get_mut(index)
        {
            *taken = true;
        }
        self.request_events.push(RequestEvent::asked(self.seq, self.requests.len()));
        let step = id.to_owned();
        self.requests.push(RunRequest { step, direction, addressee, at, source, given: 0, open: true, allowed_ms });
    }

    /// The source of the answers: a rule if one holds, otherwise the history.
    fn source(&self, step: &str, direction: Direction, addressee: &Addressee) -> Source {
        if let Some(rules) = &self.options.rules
            && let Some(supposed) = rules.answer(addressee, self.past, &self.state)
        {
            return Source::Rule(supposed);
        }
        let new_request = NewRequest { step, direction, addressee, input: self.input(step) };
        match matching::find(self.past, self.workflow, &self.taken, &new_request, self.options.same_input) {
            Ok(index) => Source::Past(index),
            // A wait always ends, whatever its length.
            Err(_) if *addressee == Addressee::Time => Source::Clock,
            Err(kind) => Source::Unknown(kind),
        }
    }

    fn waits(&mut self, step: &str, direction: Direction, allowed_ms: i64) {
        if let Some(request) = self.request(step, direction) {
            request.allowed_ms = Some(allowed_ms);
        }
    }

    fn concludes(&mut self, step: &str, direction: Direction, outcome: Option<String>, open: bool) {
        let found = self.requests.iter().position(|request| request.step == step && request.direction == direction);
        let Some(index) = found else { return };
        self.requests[index].open = open;
        self.request_events.push(RequestEvent::concluded(self.seq, index, outcome));
    }

    fn request(&mut self, step: &str, direction: Direction) -> Option<&mut RunRequest> {
        self.requests.iter_mut().find(|request| request.step == step && request.direction == direction)
    }

    /// Whether a step answers only in its exchange.
    pub(super) fn answers_at_once(&self, step: &str) -> bool {
        self.workflow.step(step).is_some_and(|step| step.mode == Mode::Call)
    }

    /// The recorded event on which the run decides.
    pub(super) fn seq(&self) -> Seq {
        self.seq
    }
}

/// A time from its milliseconds.
pub(super) fn at_ms(ms: i64) -> Timestamp {
    DateTime::from_timestamp_millis(ms).unwrap_or(Timestamp::MAX_UTC)
}
