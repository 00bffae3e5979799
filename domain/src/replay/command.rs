//! The commands that may have caused a decision, from its events.

use std::time::Duration;

use super::Recorded;
use crate::Timestamp;
use crate::ids::StepId;
use crate::order::{
    Answer, AttemptId, Basis, Command, CompensationStarted, Customer, Direction, Event, FailureCause, HandOver,
    LateRefusal, NewOrder, NotSent, Now, Operate, Operation, OperationRequested, Order, OrderPlaced, Place, Reply,
    Request, RequestSettled, Settle, Settlement, Signal, StepAttemptFailed, StepCompleted, StepFailed, StepSkipped,
    StepStarted, WaitStarted, max_slow_wait, max_wait,
};
use crate::workflow::Workflow;

/// A recorded wait is rounded up to a millisecond; this assumes that half of one was added.
const HALF_A_MILLISECOND: Duration = Duration::from_micros(500);

/// The commands that may have caused these events, the likeliest first. Several that give the same
/// events are equivalent.
pub(super) fn candidates(workflow: Option<&Workflow>, state: Option<&Order>, decision: &[Recorded]) -> Vec<Command> {
    let Some(first) = decision.first() else { return Vec::new() };
    let now = plain(first.event.at());
    match &first.event {
        Event::OrderPlaced(e) => vec![place(e)],
        Event::StepAccepted(e) => vec![answer(state, &e.step, e.direction, Reply::Accepted, now)],
        Event::StepCompleted(e) => vec![completed(state, first, e)],
        Event::StepAttemptFailed(e) if e.unsent => vec![not_sent(state, e)],
        Event::StepAttemptFailed(e) if e.lost => vec![Command::Tick(now), hand_over(state, decision)],
        Event::StepAttemptFailed(e) => vec![unclear(workflow, state, e)],
        Event::StepStarted(StepStarted { step, .. })
        | Event::WaitStarted(WaitStarted { step, .. })
        | Event::StepSkipped(StepSkipped { step, .. })
        | Event::StepFailed(StepFailed { step, .. })
            if first.metadata.actor.is_some() =>
        {
            retried(first, step)
        }
        Event::StepFailed(e) => failed(state, decision, e),
        Event::OrderNoted(_) => vec![operated(first, Operation::Note)],
        Event::OperationRequested(e) => vec![requested(e)],
        Event::RequestSettled(e) => vec![settled(state, first, e)],
        Event::OrderPaused(_) => vec![operated(first, Operation::Pause)],
        Event::OrderResumed(_) => vec![operated(first, Operation::Resume)],
        Event::CompensationStarted(CompensationStarted { step: None, .. }) => vec![operated(first, Operation::Cancel)],
        // These events are consequences of the state, so a tick causes them.
        Event::CompensationStarted(_)
        | Event::StepStarted(_)
        | Event::WaitStarted(_)
        | Event::StepSkipped(_)
        | Event::StatusChanged(_)
        | Event::CompensationCompleted(_)
        | Event::OrderCompleted(_)
        | Event::OrderCanceled(_)
        | Event::OrderStuck(_)
        | Event::DecisionSplit(_) => vec![Command::Tick(now)],
    }
}

fn plain(at: Timestamp) -> Now {
    Now { at, jitter: 0.0 }
}

fn place(e: &OrderPlaced) -> Command {
    let customer =
        Customer { id: e.customer_id.clone(), name: e.personal.name.clone(), email: e.personal.email.clone() };
    let order = NewOrder {
        order_id: Some(e.order_id.clone()),
        workflow: e.workflow.name.clone(),
        customer,
        currency: e.currency.clone(),
        lines: e.lines.clone(),
        ship_to: e.personal.ship_to.clone(),
        attributes: e.attributes.clone(),
    };
    Command::Place(Box::new(Place {
        order_id: e.order_id.clone(),
        order,
        placed_by: e.placed_by.clone(),
        now: plain(e.at),
    }))
}

/// The attempt in flight; if none is, an id that the decider refuses, which then is the difference.
fn attempt(state: Option<&Order>, step: &str, direction: Direction) -> AttemptId {
    let none = || AttemptId { step: step.to_owned(), direction, number: 0, recorded_at: Timestamp::UNIX_EPOCH };
    let known = state.and_then(|state| state.attempt_in_flight(step));
    known.map_or_else(none, |attempt| AttemptId { direction, ..attempt })
}

fn answer(state: Option<&Order>, step: &str, direction: Direction, reply: Reply, now: Now) -> Command {
    Command::Answer(Answer { attempt: attempt(state, step, direction), reply, now })
}

fn completed(state: Option<&Order>, recorded: &Recorded, e: &StepCompleted) -> Command {
    let (now, outcome, data) = (plain(e.at), e.outcome.clone(), e.data.clone());
    match (e.basis, &e.answer_key) {
        (Basis::Answer, None) => answer(state, &e.step, e.direction, Reply::Done { outcome: Some(outcome), data }, now),
        (Basis::Answer, Some(key)) => Command::Signal(Signal {
            step: e.step.clone(),
            direction: e.direction,
            outcome: Some(outcome),
            data,
            key: Some(key.clone()),
            now,
        }),
        (Basis::Assumption, _) => {
            // An undo has no outcomes, so an operator skips it without one.
            let outcome = (e.direction == Direction::Do).then_some(outcome);
            operated(recorded, Operation::Skip { step: e.step.clone(), outcome, data })
        }
        (Basis::Deadline, _) => Command::Tick(now),
    }
}

/// The recorded wait, as jitter or as the participant's `Retry-After`.
fn unclear(workflow: Option<&Workflow>, state: Option<&Order>, e: &StepAttemptFailed) -> Command {
    let given = (e.retry_at - e.at).to_std().unwrap_or_default();
    let failures = state.and_then(|state| state.steps.get(&e.step)).map_or(0, |known| known.failures) + 1;
    let waited = given.saturating_sub(HALF_A_MILLISECOND).as_secs_f64();
    let longest_of = if e.misconfigured { max_slow_wait } else { max_wait };
    let longest = workflow.and_then(|w| w.step(&e.step)).map_or(waited, |step| longest_of(&step.retry, failures));
    let jitter = 2.0 * waited / longest.max(f64::MIN_POSITIVE) - 1.0;
    let retry_after = (jitter > 1.0).then_some(given);
    let now = Now { at: e.at, jitter: jitter.clamp(0.0, 1.0) };
    let reply = match e.mistake() {
        None => Reply::Unclear { error: e.error.clone(), retry_after },
        Some(FailureCause::AcceptedInVain) => Reply::Accepted,
        Some(FailureCause::NoOutcome) => unnamed(),
        Some(FailureCause::UnknownOutcome(Some(outcome))) => answered(outcome),
        Some(_) => Reply::Misconfigured { error: e.error.clone(), retry_after, maybe_done: e.maybe_done },
    };
    answer(state, &e.step, e.direction, reply, now)
}

/// An answer without an outcome.
fn unnamed() -> Reply {
    Reply::Done { outcome: None, data: serde_json::Value::Null }
}

/// An answer whose data were not recorded.
fn answered(outcome: &str) -> Reply {
    Reply::Done { outcome: Some(outcome.to_owned()), data: serde_json::Value::Null }
}

fn not_sent(state: Option<&Order>, e: &StepAttemptFailed) -> Command {
    let attempt = AttemptId { number: e.attempt, ..attempt(state, &e.step, e.direction) };
    let wait = (e.retry_at - e.at).to_std().unwrap_or_default();
    Command::NotSent(NotSent { attempt, error: e.error.clone(), wait, now: plain(e.at) })
}

/// A later answer without an outcome. Its data were not recorded.
fn unnamed_later(e: &StepFailed, key: &str) -> Command {
    let (step, key, data) = (e.step.clone(), Some(key.to_owned()), serde_json::Value::Null);
    Command::Signal(Signal { step, direction: e.direction, outcome: None, data, key, now: plain(e.at) })
}

/// No attempt followed, so the wait is not recorded. Any wait gives the same decision.
fn never_sent(state: Option<&Order>, e: &StepFailed, error: &str) -> Command {
    let attempt = attempt(state, &e.step, e.direction);
    Command::NotSent(NotSent { attempt, error: error.to_owned(), wait: Duration::from_secs(1), now: plain(e.at) })
}

fn failed(state: Option<&Order>, decision: &[Recorded], e: &StepFailed) -> Vec<Command> {
    let now = plain(e.at);
    let reply = |reply| answer(state, &e.step, e.direction, reply, now);
    let late = || {
        let (step, error, key) = (e.step.clone(), e.error.clone(), e.answer_key.clone());
        let (direction, misconfigured) = (e.direction, e.misconfigured);
        Command::Refuse(LateRefusal { step, direction, error, request: None, key, misconfigured, now })
    };
    match (&e.answer_key, e.cause()) {
        (Some(key), FailureCause::NoOutcome) => return vec![unnamed_later(e, key), late()],
        (Some(_), _) => return vec![late()],
        (None, _) => {}
    }
    let mut candidates = match e.cause() {
        FailureCause::Refused => Vec::new(),
        FailureCause::LastAttempt(error) => vec![reply(Reply::Unclear { error: error.to_owned(), retry_after: None })],
        FailureCause::Misconfigured(error) => {
            let (error, maybe_done) = (error.to_owned(), e.maybe_done);
            vec![reply(Reply::Misconfigured { error, retry_after: None, maybe_done })]
        }
        // A tick, if a decision was split before the step whose guard holds it.
        FailureCause::Held(error) => vec![reply(Reply::Held { error: error.to_owned() }), Command::Tick(now)],
        FailureCause::NeverSent(error) => vec![never_sent(state, e, error)],
        FailureCause::AcceptedInVain => vec![reply(Reply::Accepted)],
        FailureCause::NoOutcome => vec![reply(unnamed())],
        FailureCause::UnknownOutcome(outcome) => outcome.map(|outcome| reply(answered(outcome))).into_iter().collect(),
        FailureCause::Lost => vec![Command::Tick(now), hand_over(state, decision)],
        FailureCause::Overdue | FailureCause::GivenUp | FailureCause::NoValue => vec![Command::Tick(now)],
    };
    candidates.extend([reply(Reply::Refused { error: e.error.clone() }), late()]);
    candidates
}

/// The release of all attempts that this decision ended. The decider ignores attempts that are not
/// in flight.
fn hand_over(state: Option<&Order>, decision: &[Recorded]) -> Command {
    let given_back = |recorded: &Recorded| {
        if let Event::StepAttemptFailed(e) = &recorded.event {
            return Some(AttemptId { number: e.attempt, ..attempt(state, &e.step, e.direction) });
        }
        let Event::StepFailed(e) = &recorded.event else { return None };
        Some(attempt(state, &e.step, e.direction))
    };
    let at = decision.first().map_or(Timestamp::UNIX_EPOCH, |first| first.event.at());
    Command::HandOver(HandOver { attempts: decision.iter().filter_map(given_back).collect(), now: plain(at) })
}

/// An operator's retry of this step, or of all steps.
fn retried(first: &Recorded, step: &StepId) -> Vec<Command> {
    let retry = |step| operated(first, Operation::Retry { step });
    vec![retry(Some(step.clone())), retry(None)]
}

fn requested(e: &OperationRequested) -> Command {
    let (operation, actor, reason) = (e.operation.clone(), e.requested_by.clone(), e.reason.clone());
    let operate = Operate { operation, actor, reason, now: plain(e.at) };
    let (principal, approver) = (e.principal.clone(), e.approver.clone());
    Command::Request(Request { operate, principal, approver, previewed_at: e.previewed_at, expires_at: e.expires_at })
}

/// The roles of the principal are not recorded: it had the one that the request names.
fn settled(state: Option<&Order>, recorded: &Recorded, e: &RequestSettled) -> Command {
    if e.how == Settlement::Expired {
        return Command::Tick(plain(e.at));
    }
    let by = recorded.metadata.actor.clone().unwrap_or_default();
    let open = state.and_then(|state| state.requests.get(&e.request));
    let roles = open.map(|open| open.approver.clone()).into_iter().collect();
    Command::Settle(Settle { request: e.request, how: e.how, by, roles, now: plain(e.at) })
}

fn operated(recorded: &Recorded, operation: Operation) -> Command {
    let metadata = &recorded.metadata;
    let actor = Operate::approved(metadata.actor.as_deref().unwrap_or_default(), metadata.approved_by.as_deref());
    let reason = metadata.reason.clone().unwrap_or_default();
    Command::Operate(Operate { operation, actor, reason, now: plain(recorded.event.at()) })
}
