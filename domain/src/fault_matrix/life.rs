//! One life: a script drives the real decider until the order ends.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use uuid::Uuid;

use super::script::{Fault, Remedy, Script, Turn};
use super::services::{Services, is_answered_later};
use crate::Timestamp;
use crate::ids::{OrderId, StepId};
use crate::order::{
    Answer, Attempt, Command, DecideError, Direction, Effect, Event, LateRefusal, Limits, Mode, NewOrder, NotSent, Now,
    Operate, Operation, Order, Place as PlaceOrder, Signal, Stage, StepState, decide_within, evolve, pending, summary,
};
use crate::wire::{self, CHAIN_START, Context};
use crate::workflow::{Step, Workflow};

/// The limit for rounds. Real orders need fewer, so a life beyond it is in a loop.
const MAX_ROUNDS: usize = 10_000;
/// The length of an operator's pause.
const PAUSE: TimeDelta = TimeDelta::days(1);

/// The result of a life.
#[derive(Debug, Clone, Default)]
pub(super) struct Life {
    /// The final state.
    pub state: Option<Order>,
    /// All events.
    pub history: Vec<Event>,
    /// The number of decisions.
    pub decisions: usize,
    /// The decisions.
    pub decision_records: Vec<LifeDecision>,
    /// The participants, and their actions.
    pub services: Services,
    /// The faults found on the way.
    pub wrong: Vec<String>,
}

/// A decision, as the log shows it.
#[derive(Debug, Clone)]
pub(super) struct LifeDecision {
    /// The number of its events.
    pub events: usize,
    /// The request that it answers, if it is an answer.
    pub answered: Option<(StepId, Direction)>,
    /// Whether an operator commanded it.
    pub operated: bool,
}

impl LifeDecision {
    fn of(command: &Command, events: usize) -> Self {
        let answered = match command {
            Command::Answer(answer) => Some((answer.attempt.step.clone(), answer.attempt.direction)),
            Command::Signal(signal) => Some((signal.step.clone(), signal.direction)),
            Command::Refuse(late) => Some((late.step.clone(), late.direction)),
            Command::NotSent(not_sent) => Some((not_sent.attempt.step.clone(), not_sent.attempt.direction)),
            Command::Place(_)
            | Command::Operate(_)
            | Command::Request(_)
            | Command::Settle(_)
            | Command::Tick(_)
            | Command::HandOver(_) => None,
        };
        Self { events, answered, operated: matches!(command, Command::Operate(_)) }
    }
}

impl Life {
    /// Runs the script.
    pub fn run(workflow: &Workflow, order: &NewOrder, script: &Script, limits: Limits) -> Self {
        let mut player = Player {
            workflow,
            script,
            life: Life::default(),
            attempted: BTreeSet::new(),
            now: DateTime::UNIX_EPOCH,
            turned: 0,
            unsent: false,
            limits,
        };
        player.place(order);
        for _ in 0..MAX_ROUNDS {
            if !player.advances() {
                return player.life;
            }
        }
        player.life.wrong.push(format!("does not end within {MAX_ROUNDS} steps"));
        player.life
    }

    /// The steps that began.
    pub fn begun(&self) -> impl Iterator<Item = &StepId> {
        let steps = self.state.iter().flat_map(|state| &state.steps);
        steps.filter(|(_, known)| known.mode.is_some()).map(|(id, _)| id)
    }

    /// The events, in sentences.
    pub fn sentences(&self) -> Vec<String> {
        self.history.iter().map(summary).collect()
    }
}

/// Plays the driver, the participants, the operators and the clock.
struct Player<'a> {
    workflow: &'a Workflow,
    script: &'a Script,
    life: Life,
    /// The attempts that this driver has made, or will never make.
    attempted: BTreeSet<(StepId, Direction, u32)>,
    now: Timestamp,
    /// How many of the script's turns were taken.
    turned: usize,
    /// The script's unsent request was reached.
    unsent: bool,
    /// The limits of the log.
    limits: Limits,
}

impl Player<'_> {
    fn place(&mut self, order: &NewOrder) {
        let Ok(order_id) = order.order_id.clone().map_or_else(|| OrderId::new("1"), Ok) else { return };
        let place = PlaceOrder { order_id, order: order.clone(), placed_by: None, now: self.now() };
        self.decide(&Command::Place(Box::new(place)), false);
    }

    /// Takes the next action. `false`: none is left.
    fn advances(&mut self) -> bool {
        let Some(state) = self.life.state.clone().filter(|state| !state.ended()) else { return false };
        self.answers_an_attempt(&state)
            || self.answers_later(&state)
            || self.operates(&state)
            || self.lets_time_pass(&state)
    }

    fn answers_an_attempt(&mut self, state: &Order) -> bool {
        let key = |attempt: &Attempt| (attempt.step.clone(), attempt.direction, attempt.number);
        let unstarted = pending(state, self.now).into_iter().find_map(|effect| match effect {
            Effect::Perform(attempt) if !self.attempted.contains(&key(&attempt)) => Some(attempt),
            Effect::Perform(_) | Effect::Tick | Effect::WakeAt(_) => None,
        });
        let Some(attempt) = unstarted else { return false };
        match self.fault_at(&attempt.step, attempt.direction) {
            Some(Fault::NotSent) if !self.unsent => {
                self.unsent = true;
                self.not_sent(&attempt, Duration::from_secs(5));
                return true;
            }
            Some(Fault::NeverSent) if !self.life.services.corrected => {
                self.not_sent(&attempt, Duration::from_hours(13));
                return true;
            }
            _ => {}
        }
        self.attempted.insert(key(&attempt));
        let Some(reply) = self.life.services.perform(self.workflow, self.script, &attempt) else { return true };
        let attempt = attempt.id();
        let overtaken = self.fault_at(&attempt.step, attempt.direction) == Some(Fault::AnsweredFirst);
        if overtaken && let Some(known) = state.steps.get(&attempt.step) {
            self.signal(&attempt.step, known, attempt.direction);
        }
        let answer = Answer { attempt, reply, now: self.now() };
        self.decide(&Command::Answer(answer), overtaken);
        true
    }

    fn not_sent(&mut self, attempt: &Attempt, wait: Duration) {
        let attempt = attempt.id();
        let error = "no turn came in time".to_owned();
        self.decide(&Command::NotSent(NotSent { attempt, error, wait, now: self.now() }), false);
    }

    fn answers_later(&mut self, state: &Order) -> bool {
        state.steps.iter().any(|(id, known)| match known.stage {
            Stage::Awaiting { direction, .. } => self.signal(id, known, direction),
            _ => false,
        })
    }

    /// Sends the script's later answer of a participant or a person.
    fn signal(&mut self, id: &str, known: &StepState, direction: Direction) -> bool {
        let Some(step) = self.workflow.step(id) else { return false };
        let fault = self.fault_at(id, direction);
        if !self.is_answered(step, direction) || fault == Some(Fault::NeverAnswered) {
            return false;
        }
        if fault == Some(Fault::RefusedLater) {
            let error = "sold out".to_owned();
            let (step, now) = (id.to_owned(), self.now());
            let refusal = LateRefusal { step, direction, error, request: None, key: None, misconfigured: false, now };
            self.decide(&Command::Refuse(refusal), false);
            return true;
        }
        let given = known.answers.iter().filter(|taken| taken.outcome.is_some()).count();
        let is_unnamed = fault == Some(Fault::NoOutcome) && !self.life.services.corrected;
        let outcome = match direction {
            Direction::Do => self.script.answer_of(step, given),
            Direction::Undo => Some("done".to_owned()),
        };
        let Some(outcome) = outcome else { return false };
        let outcome = (!is_unnamed).then_some(outcome);
        let (data, key) = (self.script.data_of(step), Some(format!("{id}-{}", known.answers.len())));
        let step = id.to_owned();
        let signal = Command::Signal(Signal { step, direction, outcome, data, key, now: self.now() });
        self.decide(&signal, false);
        if fault == Some(Fault::AnsweredTwice) {
            let before = self.life.history.len();
            self.decide(&signal, true);
            if self.life.history.len() > before {
                self.life.wrong.push(format!("the repeated answer to {id} counts as another one"));
            }
        }
        true
    }

    fn is_answered(&self, step: &Step, direction: Direction) -> bool {
        let by_a_person = direction == Direction::Do && step.mode == Mode::Await;
        by_a_person || is_answered_later(self.workflow, step, direction)
    }

    fn operates(&mut self, state: &Order) -> bool {
        if state.paused.is_some() {
            self.now += PAUSE;
            self.operate(Operation::Resume, false);
            return true;
        }
        let Some(stuck) = state.stuck.as_ref().filter(|_| state.due_at().is_none()) else { return false };
        if self.life.services.corrected {
            self.life.wrong.push(format!("stays stuck: {}", stuck.reason));
            return false;
        }
        self.life.services.corrected = true;
        let operation = match self.script.remedy {
            Remedy::Retry => Operation::Retry { step: None },
            Remedy::Skip => {
                // An undo has no outcomes, so an operator skips it without one.
                let step = self.workflow.step(&stuck.step).filter(|_| stuck.direction == Direction::Do);
                let outcome = step.and_then(|step| self.script.answer_of(step, 0));
                let data = step.map(|step| self.script.data_of(step)).unwrap_or_default();
                Operation::Skip { step: stuck.step.clone(), outcome, data }
            }
            Remedy::Cancel => Operation::Cancel,
        };
        self.operate(operation, false);
        true
    }

    fn operate(&mut self, operation: Operation, may_be_refused: bool) {
        let (actor, reason) = ("operator".to_owned(), "the fault matrix".to_owned());
        let operate = Operate { operation, actor, reason, now: self.now() };
        self.decide(&Command::Operate(operate), may_be_refused);
    }

    fn lets_time_pass(&mut self, state: &Order) -> bool {
        let Some(due) = state.due_at() else {
            self.life.wrong.push("is neither ended nor stuck, and nothing is due".to_owned());
            return false;
        };
        self.now = self.now.max(due);
        self.decide(&Command::Tick(self.now()), false);
        true
    }

    fn decide(&mut self, command: &Command, may_be_refused: bool) {
        let events = match decide_within(self.workflow, self.life.state.as_ref(), command, self.limits) {
            Ok((events, _)) => events,
            Err(DecideError::Refused(_)) if may_be_refused => return,
            Err(error) => return self.life.wrong.push(error.to_string()),
        };
        if events.is_empty() {
            return;
        }
        for event in &events {
            match evolve(self.life.state.take(), event) {
                Ok(state) => self.life.state = Some(state),
                Err(illegal) => return self.life.wrong.push(illegal.to_string()),
            }
        }
        self.life.decision_records.push(LifeDecision::of(command, events.len()));
        self.life.history.extend(events);
        self.life.decisions += 1;
        self.turn();
    }

    /// Takes the script's turn after this decision.
    fn turn(&mut self) {
        let due = self.script.turns.get(self.turned).filter(|(after, _)| *after <= self.life.decisions);
        let Some((_, turn)) = due else { return };
        self.turned += 1;
        match turn {
            Turn::Cancel => self.operate(Operation::Cancel, true),
            Turn::Pause => self.operate(Operation::Pause, true),
            Turn::Crash => self.crash(false),
            Turn::CrashAfterPerforming => self.crash(true),
        }
    }

    /// Another driver takes over. It knows only the log.
    fn crash(&mut self, after_performing: bool) {
        let Some(state) = &self.life.state else { return };
        for effect in pending(state, self.now) {
            let Effect::Perform(attempt) = effect else { continue };
            if self.attempted.insert((attempt.step.clone(), attempt.direction, attempt.number)) && after_performing {
                self.life.services.perform(self.workflow, self.script, &attempt);
            }
        }
        match read_back(&self.life.history) {
            Ok(state) => self.life.state = state,
            Err(error) => self.life.wrong.push(error),
        }
    }

    fn fault_at(&self, step: &str, direction: Direction) -> Option<Fault> {
        self.script.fault_at(step, direction).filter(|_| !self.life.services.corrected)
    }

    fn now(&self) -> Now {
        Now { at: self.now, jitter: 0.5 }
    }
}

/// The order from its history, encoded and decoded as in the log.
pub(super) fn read_back(history: &[Event]) -> Result<Option<Order>, String> {
    let mut state = None;
    let mut hash = CHAIN_START.to_owned();
    for event in history {
        let written =
            wire::encode(event, Uuid::nil(), &hash, &Context::default()).map_err(|error| error.to_string())?;
        let read = wire::decode(written.event_type, &written.data, &written.metadata).map_err(|e| e.to_string())?;
        state = Some(evolve(state, &read.event).map_err(|illegal| illegal.to_string())?);
        hash = written.hash;
    }
    Ok(state)
}
