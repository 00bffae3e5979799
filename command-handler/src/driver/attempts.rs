//! Makes the attempts of an order. Each attempt is a task: it waits for its turn, sends the request
//! to the participant, and returns the answer.

use std::sync::Arc;

use chrono::TimeDelta;
use domain::Timestamp;
use domain::order::{
    Answer, Attempt, Direction, Effect, Event, GRACE, MAX_UNSENT, PersonalData, Phase, Reply, Stage, pending,
};
use domain::workflow::{ActionRef, Participant};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error};

use super::attempt::{Made, Making};
use super::{ActiveOrder, traced};
use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::shared::Shared;
use crate::participants::{ActionRequest, NotSent, Participants};

/// How long a due request may have no place in its participant's queue before the history records
/// it.
const MAX_UNRECORDED: TimeDelta = TimeDelta::minutes(10);

impl<L: Log, P: Participants, C: Clock> ActiveOrder<L, P, C> {
    /// Makes the attempts that these events have started. This instance appended them. An instance
    /// that is leaving makes no attempt.
    pub(super) fn perform(&mut self, events: &[Event]) {
        let leaving = self.shared.shutdown.is_leaving();
        for effect in pending(&self.order.state, self.shared.clock.now().at) {
            let Effect::Perform(attempt) = effect else { continue };
            if !events.iter().any(|event| starts(event, &attempt)) {
                continue;
            }
            if leaving {
                self.unstarted.push(attempt.id());
            } else {
                self.ask(attempt);
            }
        }
    }

    fn ask(&mut self, attempt: Attempt) {
        let Some(ask) = self.ask_for(attempt.clone()) else {
            error!(step = attempt.step, "an attempt at an action that its workflow does not have");
            return;
        };
        let (shared, withdrawn) = (self.shared.clone(), CancellationToken::new());
        let making = Making { attempt: attempt.id(), withdrawn: withdrawn.clone() };
        if let Some(error) = self.cannot_be_told(&attempt) {
            let answer = Answer { attempt: attempt.id(), reply: Reply::Held { error }, now: shared.clock.now() };
            let asking = self.attempts.spawn(async move { Made::Answered(answer) });
            self.attempt_by_task.insert(asking.id(), making);
            return;
        }
        let held = self.turns.remove(&(attempt.step.clone(), attempt.direction));
        let span = traced::of_attempt(&self.id, &self.trace, &ask);
        // Boxed, since a runtime moves a task several times until it is done, and this one has 8
        // KiB.
        let making_it = Box::pin(async move {
            let turn = if let Some(turn) = held {
                turn
            } else {
                let began = shared.clock.now().at;
                match turn_for(&shared, &ask, &withdrawn).await {
                    Err(not_sent) => return Made::NotSent(attempt.id(), not_sent),
                    Ok(turn) if shared.clock.now().at - began > GRACE / 2 => {
                        return Made::Late(attempt.id(), turn);
                    }
                    Ok(turn) => turn,
                }
            };
            let reply = shared.participants.ask(ask, turn).await;
            Made::Answered(Answer { attempt: attempt.id(), reply, now: shared.clock.now() })
        });
        let asking = self.attempts.spawn(making_it.instrument(span));
        self.attempt_by_task.insert(asking.id(), making);
    }

    /// Ends the waits for a turn of an order that is paused or being undone, and of attempts that
    /// are over: an operator skipped the step, or an answer came after all. Requests that were not
    /// sent stay unsent, and an undo begins without waiting for a turn.
    pub(super) fn withdraw(&self) {
        let state = &self.order.state;
        let none_forward = state.paused.is_some() || state.phase == Phase::Undoing;
        for Making { attempt, withdrawn } in self.attempt_by_task.values() {
            if (none_forward && attempt.direction == Direction::Do) || !self.order.state.is_in_flight(attempt) {
                withdrawn.cancel();
            }
        }
    }

    /// Why the request cannot be sent: it needs personal data, and they cannot be read. An undo is
    /// sent without them, because order and step identify the action that it undoes.
    fn cannot_be_told(&self, attempt: &Attempt) -> Option<String> {
        let unreadable = self.order.unreadable.as_ref().filter(|_| attempt.direction == Direction::Do)?;
        PersonalData::are_in(&attempt.input, attempt.placeholders.as_ref())
            .then(|| format!("its personal data cannot be read: {unreadable}"))
    }

    fn ask_for(&self, mut attempt: Attempt) -> Option<ActionRequest> {
        let step = self.workflow.step(&attempt.step)?;
        let action = self.action(&attempt.step, attempt.direction)?;
        let cause = self.order.start_of(&attempt.step, attempt.direction);
        let time_to_answer = step.time_to_answer(attempt.direction);
        if self.order.unreadable.is_some() {
            let (input, placeholders) =
                PersonalData::without_personal_data(&attempt.input, attempt.placeholders.as_ref());
            (attempt.input, attempt.placeholders) = (Arc::new(input), Some(placeholders));
        }
        Some(ActionRequest {
            order_id: self.id.clone(),
            attempt,
            personal: self.order.state.placed.personal.clone(),
            participant: action.participant.clone(),
            reach: self.workflow.participants.get(&action.participant)?.clone(),
            action: action.action.clone(),
            give_up_on: step.retry.give_up_on.clone(),
            time_to_answer,
            cause,
            traceparent: cause.map(|started_by| traced::traceparent(&self.id, &self.trace, started_by)),
        })
    }

    /// Whether every due attempt is at a participant that has no address here, or no place in its
    /// queue. To record an attempt that cannot be sent would only fill the order's history. An
    /// attempt that waits for long is recorded nevertheless, so that its step is held for an
    /// operator in the end.
    pub(super) fn finds_no_turn(&self, now: Timestamp) -> bool {
        let Some(share) = self.shared.drivers.share() else { return self.finds_no_address(now) };
        let participants = &self.shared.participants;
        self.all_due_are(now, |reach| !participants.has_address(reach) || !participants.has_room(reach, share))
    }

    /// Whether every due attempt is at a participant that has no address here.
    pub(super) fn finds_no_address(&self, now: Timestamp) -> bool {
        self.all_due_are(now, |reach| !self.shared.participants.has_address(reach))
    }

    /// Whether something is due, and only attempts at participants for which `like` holds.
    fn all_due_are(&self, now: Timestamp, like: impl Fn(&Participant) -> bool) -> bool {
        let steps = self.order.state.steps.iter();
        let mut due = steps.filter(|(_, step)| step.stage.due_at().is_some_and(|due| due <= now)).peekable();
        due.peek().is_some()
            && due.all(|(id, step)| match step.stage {
                Stage::BackingOff { until, .. } if waits_for_long(step.unsent_since, until, now) => false,
                Stage::BackingOff { direction, .. } => {
                    let action = self.action(id, direction);
                    let reach = action.and_then(|action| self.workflow.participants.get(&action.participant));
                    reach.is_some_and(&like)
                }
                _ => false,
            })
    }

    pub(super) fn action(&self, step: &str, direction: Direction) -> Option<&ActionRef> {
        let step = self.workflow.step(step)?;
        match direction {
            Direction::Do => step.action.as_ref(),
            Direction::Undo => step.undo.as_ref(),
        }
    }
}

/// Whether the history has to record a waiting request: its first wait is long, or all its waits
/// together have reached their limit.
fn waits_for_long(unsent_since: Option<Timestamp>, due: Timestamp, now: Timestamp) -> bool {
    match unsent_since {
        Some(since) => now - since >= MAX_UNSENT,
        None => now - due >= MAX_UNRECORDED,
    }
}

/// Waits for a turn. An instance that is leaving does not wait.
async fn turn_for<L: Log, P: Participants, C: Clock>(
    shared: &Shared<L, P, C>,
    ask: &ActionRequest,
    withdrawn: &CancellationToken,
) -> Result<P::Turn, NotSent> {
    tokio::select! {
        biased;
        () = withdrawn.cancelled() => {
            Err(NotSent::NoTurn("the order was paused, or moved on, before the request's turn came".to_owned()))
        }
        turn = shared.participants.turn(ask, shared.drivers.share()) => turn,
        () = shared.shutdown.leaving() => Err(NotSent::NoTurn("the instance that had this attempt is leaving".to_owned())),
    }
}

fn starts(event: &Event, attempt: &Attempt) -> bool {
    matches!(event, Event::StepStarted(e)
        if e.step == attempt.step && e.direction == attempt.direction && e.attempt == attempt.number)
}
