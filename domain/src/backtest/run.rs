//! An order's life under another definition: the real decider, answered as the order's participants answered then.
//!
//! Answers are given in the order in which they came, as far as the definition asks for them; each as long after the question as
//! then. Timing decides nothing but deadlines: an answer that took longer than it now may is too late. What operators did is
//! done again, at the same point. Jitter is in the middle; an attempt in flight is waited for as long as it took.

use chrono::DateTime;
use serde_json::Value;

use super::Options;
use super::ask::{Deed, Milestone, Whom};
use super::matching::{self, Asking};
use super::past::{Past, Seq};
use super::rules::Supposed;
use super::unknown::{Unknown, UnknownKind};
use crate::Timestamp;
use crate::ids::StepId;
use crate::order::{
    Command, DecideError, Direction, Event, Mode, Now, OrderState, UNDIVIDED, decide_split_like, place_again,
};
use crate::workflow::Workflow;

/// No order takes that many turns: more of them go round in a circle.
const MAX_TURNS: usize = 10_000;

/// The life.
pub(super) struct Run<'a> {
    pub workflow: &'a Workflow,
    pub past: &'a Past,
    pub state: OrderState,
    pub asks: Vec<NewAsk>,
    pub milestones: Vec<Milestone>,
    pub deeds: Vec<Deed>,
    /// What was decided, each under the event of the past that it was decided on.
    pub decided: Vec<(Seq, Decided)>,
    /// Answers of the past that the order refuses now, each with its step.
    pub refused: Vec<(Seq, StepId)>,
    /// How many of the past's operations have been done.
    pub operations: usize,
    options: &'a Options,
    taken: Vec<bool>,
    pub now: Timestamp,
    seq: Seq,
    /// Where the past decision was split, while the run has still to decide the rest of it.
    split_at: Option<Seq>,
}

/// What came of a command.
#[derive(Debug)]
pub(super) enum Decided {
    Events(Vec<Event>),
    Refused(String),
}

/// Somebody who is asked for something now.
#[derive(Debug)]
pub(super) struct NewAsk {
    pub step: StepId,
    pub direction: Direction,
    pub whom: Whom,
    pub at: Timestamp,
    pub source: Source,
    /// How many of the source's replies have been given.
    pub given: usize,
    pub open: bool,
    /// How long the answer that is waited for may take.
    pub allowed_ms: Option<i64>,
}

/// Where the answers are from.
#[derive(Debug)]
pub(super) enum Source {
    /// The past, by the index of its ask.
    Past(usize),
    /// A rule.
    Rule(Supposed),
    /// Time has to pass.
    Clock,
    /// Nobody knows them.
    Nobody(UnknownKind),
}

impl<'a> Run<'a> {
    /// Lives it, as far as its past tells.
    pub fn live(workflow: &'a Workflow, past: &'a Past, options: &'a Options) -> Result<Self, DecideError> {
        let split = past.split_of(0);
        let (events, state) = place_again(workflow, &past.placed, UNDIVIDED, split.map(|(_, at_once)| at_once))?;
        let split_at = split.map(|(mark, _)| mark).filter(|_| state.split.is_some());
        let mut run = Self {
            workflow,
            past,
            state,
            asks: Vec::new(),
            milestones: Vec::new(),
            deeds: Vec::new(),
            decided: Vec::new(),
            refused: Vec::new(),
            operations: 0,
            options,
            taken: vec![false; past.asks.len()],
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

    /// Whether the order still waits for somebody, or for something.
    pub fn unknown(&self) -> Vec<Unknown> {
        let open = self.asks.iter().filter(|_| !self.state.ended());
        open.filter_map(|ask| {
            let kind = self.unknown_of(ask)?;
            Some(Unknown { step: ask.step.clone(), direction: ask.direction, whom: ask.whom.name(), kind })
        })
        .collect()
    }

    /// Decides a command on an event of the past. `answered`: the step whose answer it is.
    pub(super) fn decide(&mut self, seq: Seq, command: &Command, answered: Option<&StepId>) -> Result<(), DecideError> {
        self.seq = seq;
        self.decide_like(self.past.split_of(seq), command, answered)
    }

    /// Decides the rest of a split decision. It is split where the past split the rest again, and it is not where another
    /// command took up the rest.
    pub(super) fn decide_rest(&mut self) -> Result<(), DecideError> {
        let rest = self.split_at.map(|mark| mark + 1).filter(|rest| !self.past.came_from_outside(*rest));
        self.decide_like(rest.and_then(|rest| self.past.split_of(rest)), &Command::Tick(self.clock()), None)
    }

    /// Whether this event of the past took up the rest that is still to come.
    pub(super) fn takes_up_the_rest(&self, seq: Seq) -> bool {
        self.split_at.is_some_and(|mark| seq <= mark + 1)
    }

    /// `then`: where the decision was split then, and what was recorded before.
    fn decide_like(
        &mut self,
        then: Option<(Seq, &[Event])>,
        command: &Command,
        answered: Option<&StepId>,
    ) -> Result<(), DecideError> {
        let seq = self.seq;
        match decide_split_like(self.workflow, &self.state, command, then.map(|(_, at_once)| at_once)) {
            Ok((events, state)) => {
                // A command that changed nothing leaves the rest where it was.
                if !events.is_empty() {
                    self.split_at = then.map(|(mark, _)| mark).filter(|_| state.split.is_some());
                }
                self.state = state;
                self.take(events);
            }
            Err(DecideError::Refused(refusal)) => {
                // An operator's wish that makes no sense any more is none.
                if let Some(step) = answered {
                    self.refused.push((seq, step.clone()));
                    self.decided.push((seq, Decided::Refused(refusal.to_string())));
                }
            }
            Err(error @ DecideError::Inconsistent(_)) => return Err(error),
        }
        Ok(())
    }

    /// The time and the dice.
    pub(super) fn clock(&self) -> Now {
        Now { at: self.now, jitter: 0.5 }
    }

    /// Lets time pass: it never goes back.
    pub(super) fn advance_to(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
    }

    /// What is told of a step.
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
            | Event::OrderPaused(_)
            | Event::OrderResumed(_)
            | Event::CompensationCompleted(_)
            | Event::DecisionSplit(_) => {}
        }
    }

    fn begin(&mut self, id: &str, direction: Direction, at: Timestamp, allowed_ms: Option<i64>) {
        if let Some(ask) = self.ask(id, direction) {
            ask.open = true;
            return;
        }
        let Some(step) = self.workflow.step(id) else { return };
        let Some(whom) = Whom::of(step, direction) else { return };
        let source = self.source(id, direction, &whom);
        if let Source::Past(index) = source
            && let Some(taken) = self.taken.get_mut(index)
        {
            *taken = true;
        }
        self.deeds.push(Deed::asked(self.seq, self.asks.len()));
        let step = id.to_owned();
        self.asks.push(NewAsk { step, direction, whom, at, source, given: 0, open: true, allowed_ms });
    }

    /// Where the answers are from: a rule, where one holds; else the past.
    fn source(&self, step: &str, direction: Direction, whom: &Whom) -> Source {
        if let Some(rules) = &self.options.rules
            && let Some(supposed) = rules.answer(whom, self.past, &self.state)
        {
            return Source::Rule(supposed);
        }
        let asking = Asking { step, direction, whom, input: self.input(step) };
        match matching::find(self.past, self.workflow, &self.taken, &asking, self.options.same_input) {
            Ok(index) => Source::Past(index),
            // However long it lasts, it comes to its end.
            Err(_) if *whom == Whom::Time => Source::Clock,
            Err(kind) => Source::Nobody(kind),
        }
    }

    fn waits(&mut self, step: &str, direction: Direction, allowed_ms: i64) {
        if let Some(ask) = self.ask(step, direction) {
            ask.allowed_ms = Some(allowed_ms);
        }
    }

    fn concludes(&mut self, step: &str, direction: Direction, outcome: Option<String>, open: bool) {
        let found = self.asks.iter().position(|ask| ask.step == step && ask.direction == direction);
        let Some(index) = found else { return };
        self.asks[index].open = open;
        self.deeds.push(Deed::concluded(self.seq, index, outcome));
    }

    fn ask(&mut self, step: &str, direction: Direction) -> Option<&mut NewAsk> {
        self.asks.iter_mut().find(|ask| ask.step == step && ask.direction == direction)
    }

    /// Whether a step answers in the exchange only.
    pub(super) fn answers_at_once(&self, step: &str) -> bool {
        self.workflow.step(step).is_some_and(|step| step.mode == Mode::Call)
    }

    /// The event that everything since is decided on.
    pub(super) fn seq(&self) -> Seq {
        self.seq
    }
}

/// A moment by its milliseconds.
pub(super) fn at_ms(ms: i64) -> Timestamp {
    DateTime::from_timestamp_millis(ms).unwrap_or(Timestamp::MAX_UTC)
}
