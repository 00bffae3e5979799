//! The fold: a state and the next event give the next state. It is total: an event that does not
//! fit is an [`IllegalTransition`], never a panic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::Value;

use super::clock::Clock;
use super::event::{
    Basis, Direction, Event, Mode, OperationRequested, OrderPlaced, StepAttemptFailed, StepCompleted, StepFailed,
    StepStarted,
};
use super::recorded_answer::{RecordedAnswer, content, refusal_content};
use super::state::{Order, Phase, RequestedAction, Stage, StepState, Stuck};
use crate::Timestamp;

/// An event that cannot follow the present state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot follow here: {because}")]
pub struct IllegalTransition {
    /// The type of the event.
    pub event: &'static str,
    /// The reason.
    pub because: String,
}

/// Folds one event into a state. No state: the order does not exist yet.
pub fn evolve(state: Option<Order>, event: &Event) -> Result<Order, IllegalTransition> {
    match (state, event) {
        (None, Event::OrderPlaced(placed)) => Ok(placed_state(placed)),
        (None, _) => Err(IllegalTransition { event: event.type_name(), because: "the order was never placed".into() }),
        (Some(mut state), _) => fold(&mut state, event).map(|()| state),
    }
}

/// Folds a history from its first event; `None`: it has no events.
pub fn fold_all<'e>(events: impl IntoIterator<Item = &'e Event>) -> Result<Option<Order>, IllegalTransition> {
    events.into_iter().try_fold(None, |state, event| evolve(state, event).map(Some))
}

/// Folds one event into the state of a placed order, without a copy. After an error, do not use the
/// state any more.
pub(super) fn fold(state: &mut Order, event: &Event) -> Result<(), IllegalTransition> {
    let illegal = |because: String| IllegalTransition { event: event.type_name(), because };
    if matches!(event, Event::OrderPlaced(_)) {
        return Err(illegal("the order is placed already".into()));
    }
    if state.ended() {
        return Err(illegal("the order has ended".into()));
    }
    if !state.phase.allows(event) {
        return Err(illegal(format!("the order's phase is {:?}", state.phase)));
    }
    let at = event.at();
    if let Some(id) = event.moved_step() {
        let known = state.steps.remove(id).map(Arc::unwrap_or_clone);
        let begun_at = known.as_ref().filter(|step| !step.was_held_before_it_began()).map(|step| step.begun_at);
        let mut next =
            next_step(known, event, state.phase).map_err(|because| illegal(format!("step {id:?} {because}")))?;
        next.since = at;
        next.begun_at = begun_at.unwrap_or_else(|| state.clock.reading(at));
        if matches!(
            next.stage,
            Stage::Completed | Stage::Failed { maybe_done: true } | Stage::Held { maybe_done: true }
        ) {
            state.settled.retain(|settled| settled != id);
            state.settled.push(id.clone());
        }
        // The step at which the order was stuck has changed.
        if state.stuck.as_ref().is_some_and(|stuck| stuck.step == *id) && next.stage.has_continued() {
            state.stuck = None;
        }
        state.steps.insert(id.clone(), Arc::new(next));
        state.to_retry.remove(id);
    }
    match event {
        Event::StatusChanged(e) => state.status.clone_from(&e.status),
        Event::OrderNoted(_) => state.notes = state.notes.saturating_add(1),
        Event::OperationRequested(e) => requested(state, e).map_err(illegal)?,
        Event::RequestSettled(e) => settled(state, e.request).map_err(illegal)?,
        Event::OrderPaused(_) => {
            if state.paused.is_some() {
                return Err(illegal("the order is paused already".into()));
            }
            state.paused = Some(at);
            state.pauses = state.pauses.saturating_add(1);
        }
        Event::OrderResumed(_) => {
            let Some(since) = state.paused.take() else { return Err(illegal("the order is not paused".into())) };
            // What began during the pause waited for only a part of it.
            for step in state.steps.values_mut().map(Arc::make_mut) {
                step.stage = step.stage.delayed_by(at - since.max(step.since));
                step.unsent_since = step.unsent_since.map(|unsent| unsent + (at - since.max(unsent)));
            }
        }
        Event::CompensationStarted(e) => {
            state.paused = None;
            state.phase = Phase::Undoing;
            state.undone_because = Some(e.because.clone());
            state.canceled = e.step.is_none();
            // Compensation ends every hold: what may have been done is undone.
            state.stuck = None;
            state.to_retry.clear();
            for step in state.steps.values_mut() {
                if let Stage::Held { maybe_done } = step.stage {
                    Arc::make_mut(step).stage = Stage::Failed { maybe_done };
                }
            }
        }
        Event::CompensationCompleted(_) => state.phase = Phase::Compensated,
        Event::OrderCompleted(e) => {
            state.phase = Phase::Completed;
            state.result = e.result.clone();
            state.result_placeholders.clone_from(&e.placeholders);
            state.result_error.clone_from(&e.result_error);
            state.ended_at = Some(at);
            state.requests.clear();
        }
        Event::OrderCanceled(_) => {
            state.phase = Phase::Canceled;
            state.ended_at = Some(at);
            state.requests.clear();
        }
        Event::DecisionSplit(_) if state.split.is_some() || state.paused.is_some() => {
            return Err(illegal("nothing was decided since that could be too much".into()));
        }
        Event::DecisionSplit(e) => state.to_retry = e.retry.iter().cloned().collect(),
        Event::OrderStuck(e) => {
            state.stuck = Some(Stuck { step: e.step.clone(), direction: e.direction, reason: e.reason.clone() });
        }
        Event::OrderPlaced(_)
        | Event::StepStarted(_)
        | Event::WaitStarted(_)
        | Event::StepAccepted(_)
        | Event::StepCompleted(_)
        | Event::StepAttemptFailed(_)
        | Event::StepFailed(_)
        | Event::StepSkipped(_) => {}
    }
    // The next decision does the rest, or is split again.
    state.split = matches!(event, Event::DecisionSplit(_)).then_some(at);
    state.updated_at = at;
    state.clock.set(at, state.paused.is_none() && state.stuck.is_none());
    Ok(())
}

/// Requests have consecutive numbers.
fn requested(state: &mut Order, e: &OperationRequested) -> Result<(), String> {
    if e.request.checked_sub(1) != Some(state.requests_made) {
        return Err(format!("{} requests were made before", state.requests_made));
    }
    state.requests_made = e.request;
    state.requests.insert(e.request, Arc::new(e.clone()));
    Ok(())
}

/// Only a request that waits is settled.
fn settled(state: &mut Order, request: u32) -> Result<(), String> {
    let open = state.requests.remove(&request);
    open.map(drop).ok_or_else(|| format!("request {request} does not wait"))
}

impl Phase {
    /// Whether attempts in this direction start in this phase.
    pub(super) fn starts(self, direction: Direction) -> bool {
        (direction == Direction::Undo) == (self == Phase::Undoing)
    }

    /// Whether an event is legal in this phase. An order completes while it goes forward; or it is
    /// undone, compensated, and canceled.
    fn allows(self, event: &Event) -> bool {
        match event {
            Event::CompensationStarted(_) | Event::OrderCompleted(_) => self == Phase::Forward,
            Event::CompensationCompleted(_) => self == Phase::Undoing,
            Event::OrderCanceled(_) => self == Phase::Compensated,
            Event::StepStarted(e) => self.starts(e.direction),
            Event::OrderPlaced(_)
            | Event::WaitStarted(_)
            | Event::StepAccepted(_)
            | Event::StepCompleted(_)
            | Event::StepAttemptFailed(_)
            | Event::StepFailed(_)
            | Event::StepSkipped(_)
            | Event::StatusChanged(_)
            | Event::OrderNoted(_)
            | Event::OperationRequested(_)
            | Event::RequestSettled(_)
            | Event::OrderPaused(_)
            | Event::OrderResumed(_)
            | Event::OrderStuck(_)
            | Event::DecisionSplit(_) => true,
        }
    }
}

fn placed_state(placed: &OrderPlaced) -> Order {
    Order {
        status: placed.status.clone(),
        phase: Phase::Forward,
        paused: None,
        pauses: 0,
        notes: 0,
        requests: BTreeMap::new(),
        requests_made: 0,
        undone_because: None,
        canceled: false,
        split: None,
        to_retry: BTreeSet::new(),
        stuck: None,
        steps: BTreeMap::new(),
        settled: Vec::new(),
        result: Value::Null,
        result_placeholders: None,
        result_error: None,
        updated_at: placed.at,
        ended_at: None,
        clock: Clock::starting(placed.at),
        placed: Arc::new(placed.clone()),
    }
}

impl StepState {
    fn at_rest(stage: Stage, at: Timestamp) -> Self {
        Self {
            stage,
            since: at,
            mode: None,
            requested: None,
            input: Arc::default(),
            placeholders: None,
            attempts: 0,
            undo_attempts: 0,
            request_since: 1,
            failures: 0,
            unsent_since: None,
            unsure: false,
            key_since: 1,
            undo_key_since: 1,
            outcome: None,
            data: Value::Null,
            basis: Basis::default(),
            answers: Vec::new(),
            undo_answer: None,
            last_error: None,
            started_at: at,
            ended_at: None,
            begun_at: TimeDelta::zero(),
        }
    }
}

/// The transition table of a step. The error names its present stage.
fn next_step(known: Option<StepState>, event: &Event, phase: Phase) -> Result<StepState, String> {
    let at = event.at();
    let Some(step) = known else { return first_stage(event, phase).ok_or_else(|| "has not started".to_owned()) };
    if step.was_held_before_it_began() && !matches!(event, Event::StepCompleted(_)) {
        return first_stage(event, phase).ok_or_else(|| "was held before it began".to_owned());
    }
    match event {
        Event::StepStarted(e) if step.may_start(e.direction, e.attempt) => Ok(start(step, e)),
        Event::StepAccepted(e) if step.is_in_flight(e.direction) => {
            let stage = Stage::Awaiting { direction: e.direction, deadline: e.deadline };
            Ok(StepState { stage, unsent_since: None, ..step })
        }
        Event::StepCompleted(e) if step.may_complete(e.direction, e.basis) => Ok(complete(step, e)),
        Event::StepAttemptFailed(e) if e.unsent && step.makes_attempt(e.direction, e.attempt) => Ok(not_sent(step, e)),
        Event::StepAttemptFailed(e) if step.makes_attempt(e.direction, e.attempt) => Ok(StepState {
            failures: step.failures + u32::from(!e.lost),
            unsent_since: None,
            unsure: step.unsure || !e.misconfigured || e.maybe_done,
            last_error: Some(e.error.clone()),
            stage: Stage::BackingOff { direction: e.direction, attempt: e.attempt, until: e.retry_at },
            ..step
        }),
        Event::StepFailed(e) if step.may_fail(e) => {
            let mut step = if e.unsent { without_attempt(step, e.direction) } else { step };
            if let Some(key) = &e.answer_key {
                step.answers.push(RecordedAnswer::new(e.direction, key.clone(), None, refusal_content(&e.error)));
            }
            let stage = match e.direction {
                Direction::Do
                    if e.misconfigured && (phase == Phase::Forward || (e.unsent && phase.starts(e.direction))) =>
                {
                    Stage::Held { maybe_done: e.maybe_done }
                }
                Direction::Do => Stage::Failed { maybe_done: e.maybe_done },
                Direction::Undo => Stage::UndoFailed,
            };
            let unsure = e.maybe_done;
            let last_error = Some(e.error.clone());
            Ok(StepState { stage, unsure, unsent_since: None, last_error, ended_at: Some(at), ..step })
        }
        Event::OrderPlaced(_)
        | Event::StepStarted(_)
        | Event::WaitStarted(_)
        | Event::StepAccepted(_)
        | Event::StepCompleted(_)
        | Event::StepAttemptFailed(_)
        | Event::StepFailed(_)
        | Event::StepSkipped(_)
        | Event::StatusChanged(_)
        | Event::OrderNoted(_)
        | Event::OperationRequested(_)
        | Event::RequestSettled(_)
        | Event::OrderPaused(_)
        | Event::OrderResumed(_)
        | Event::CompensationStarted(_)
        | Event::CompensationCompleted(_)
        | Event::OrderCompleted(_)
        | Event::OrderCanceled(_)
        | Event::OrderStuck(_)
        | Event::DecisionSplit(_) => Err(format!("stands at {:?}", step.stage)),
    }
}

/// The first stage of a step.
fn first_stage(event: &Event, phase: Phase) -> Option<StepState> {
    let at = event.at();
    match event {
        Event::StepStarted(e) if e.direction == Direction::Do && e.attempt == 1 => {
            Some(start(StepState::at_rest(Stage::Skipped, at), e))
        }
        Event::WaitStarted(e) => Some(StepState {
            mode: Some(e.mode),
            input: Arc::new(e.input.clone().unwrap_or_default()),
            placeholders: e.placeholders.clone(),
            ..StepState::at_rest(Stage::Awaiting { direction: Direction::Do, deadline: e.deadline }, at)
        }),
        Event::StepSkipped(_) => Some(StepState { ended_at: Some(at), ..StepState::at_rest(Stage::Skipped, at) }),
        Event::StepFailed(e) if e.direction == Direction::Do && !e.unsent => Some(StepState {
            last_error: Some(e.error.clone()),
            ended_at: Some(at),
            ..StepState::at_rest(first_failure(e.misconfigured, phase), at)
        }),
        Event::OrderPlaced(_)
        | Event::StepStarted(_)
        | Event::StepAccepted(_)
        | Event::StepCompleted(_)
        | Event::StepAttemptFailed(_)
        | Event::StepFailed(_)
        | Event::StatusChanged(_)
        | Event::OrderNoted(_)
        | Event::OperationRequested(_)
        | Event::RequestSettled(_)
        | Event::OrderPaused(_)
        | Event::OrderResumed(_)
        | Event::CompensationStarted(_)
        | Event::CompensationCompleted(_)
        | Event::OrderCompleted(_)
        | Event::OrderCanceled(_)
        | Event::OrderStuck(_)
        | Event::DecisionSplit(_) => None,
    }
}

/// The first stage of a step that failed before a request. A mistake holds it wherever steps begin.
fn first_failure(misconfigured: bool, phase: Phase) -> Stage {
    match phase {
        Phase::Forward | Phase::Compensated if misconfigured => Stage::Held { maybe_done: false },
        _ => Stage::Failed { maybe_done: false },
    }
}

impl StepState {
    /// Whether the step is held although no request was sent: it begins once a person has corrected
    /// the cause.
    pub(super) fn was_held_before_it_began(&self) -> bool {
        matches!(self.stage, Stage::Held { .. }) && self.mode.is_none()
    }

    fn is_in_flight(&self, direction: Direction) -> bool {
        matches!(self.stage, Stage::InFlight { direction: way, .. } if way == direction)
    }

    fn makes_attempt(&self, direction: Direction, number: u32) -> bool {
        matches!(self.stage, Stage::InFlight { direction: way, attempt, .. } if way == direction && attempt == number)
    }

    /// A step may fail while it is open. A failure to send ends only an attempt.
    fn may_fail(&self, e: &StepFailed) -> bool {
        self.stage.is_open_in(e.direction) && (!e.unsent || self.is_in_flight(e.direction))
    }

    /// An attempt may start after a back-off, to undo a settled step, or when an operator retries a
    /// failed step.
    fn may_start(&self, direction: Direction, number: u32) -> bool {
        let next = match direction {
            Direction::Do => self.attempts + 1,
            Direction::Undo => self.undo_attempts + 1,
        };
        let stands_so = match (self.stage, direction) {
            (Stage::BackingOff { direction: way, .. }, _) => way == direction,
            (Stage::Completed | Stage::UndoFailed, Direction::Undo)
            | (Stage::Held { .. }, Direction::Do)
            | (Stage::Failed { .. }, _) => true,
            _ => false,
        };
        stands_so && number == next
    }

    /// A step may complete while it is open. An operator may also assume that a failed step is
    /// done.
    pub(super) fn may_complete(&self, direction: Direction, basis: Basis) -> bool {
        match (self.stage, basis) {
            (Stage::Failed { .. } | Stage::Held { .. }, Basis::Assumption) => direction == Direction::Do,
            // A late answer is better than an assumption.
            (Stage::UndoFailed, Basis::Assumption | Basis::Answer) => direction == Direction::Undo,
            (Stage::Held { .. }, Basis::Answer) => direction == Direction::Do && self.mode == Some(Mode::Request),
            (stage, _) => stage.is_open_in(direction),
        }
    }
}

fn start(mut step: StepState, e: &StepStarted) -> StepState {
    // This is another request, so earlier failures no longer count, and the old request id is
    // answered.
    if !matches!(step.stage, Stage::BackingOff { .. }) {
        step.failures = 0;
        step.request_since = e.attempt;
    }
    if e.attempt == 1 {
        step.unsure = false;
    }
    // The attempt begins before it is due, so an operator has retried it. That restarts the time
    // limit for sending.
    if matches!(step.stage, Stage::BackingOff { until, .. } if e.at < until) {
        step.unsent_since = None;
    }
    step.stage = Stage::InFlight { direction: e.direction, attempt: e.attempt, deadline: e.deadline };
    if let Some(input) = &e.input {
        step.input = Arc::new(input.clone());
        step.placeholders.clone_from(&e.placeholders);
    }
    if e.new_key {
        match e.direction {
            Direction::Do => step.key_since = e.attempt,
            Direction::Undo => step.undo_key_since = e.attempt,
        }
    }
    match e.direction {
        Direction::Do => {
            step.attempts = e.attempt;
            step.mode = Some(e.mode);
            step.requested = Some(RequestedAction { participant: e.participant.clone(), action: e.action.clone() });
        }
        Direction::Undo => step.undo_attempts = e.attempt,
    }
    step
}

/// An attempt that was never sent does not count: the next one gets its number.
fn without_attempt(mut step: StepState, direction: Direction) -> StepState {
    let attempts = match direction {
        Direction::Do => &mut step.attempts,
        Direction::Undo => &mut step.undo_attempts,
    };
    *attempts = attempts.saturating_sub(1);
    step
}

fn not_sent(step: StepState, e: &StepAttemptFailed) -> StepState {
    let unsent_since = Some(step.unsent_since.unwrap_or(step.since));
    let stage = Stage::BackingOff { direction: e.direction, attempt: e.attempt.saturating_sub(1), until: e.retry_at };
    let step = without_attempt(step, e.direction);
    StepState { stage, unsent_since, last_error: Some(e.error.clone()), ..step }
}

fn complete(mut step: StepState, e: &StepCompleted) -> StepState {
    step.ended_at = Some(e.at);
    step.unsent_since = None;
    if let Some(key) = &e.answer_key {
        let content = content(&e.outcome, &e.data);
        step.answers.push(RecordedAnswer::new(e.direction, key.clone(), Some(e.outcome.clone()), content));
    }
    if e.direction == Direction::Undo {
        step.undo_answer = (e.basis == Basis::Answer).then(|| content(&e.outcome, &e.data));
        step.stage = Stage::Undone;
        return step;
    }
    step.outcome = Some(e.outcome.clone());
    step.basis = e.basis;
    step.data = e.data.clone();
    let open = |deadline| Stage::Awaiting { direction: Direction::Do, deadline };
    step.stage = e.open_until.map_or(Stage::Completed, open);
    step
}

impl Stage {
    /// Whether the step has continued.
    fn has_continued(self) -> bool {
        self.is_open() || matches!(self, Stage::Completed | Stage::Skipped | Stage::Undone)
    }

    /// Moves the deadlines. An attempt in flight keeps its deadline: its exchange continues.
    fn delayed_by(self, by: TimeDelta) -> Self {
        let later = |moment: Timestamp| moment.checked_add_signed(by).unwrap_or(moment);
        match self {
            Stage::BackingOff { direction, attempt, until } => {
                Stage::BackingOff { direction, attempt, until: later(until) }
            }
            Stage::Awaiting { direction, deadline } => Stage::Awaiting { direction, deadline: later(deadline) },
            Stage::InFlight { .. }
            | Stage::Completed
            | Stage::Skipped
            | Stage::Failed { .. }
            | Stage::Held { .. }
            | Stage::Undone
            | Stage::UndoFailed => self,
        }
    }
}
