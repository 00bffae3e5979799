//! The due work of a state. It is recomputed at any time: after an append, or after a restart.

use std::cmp::min;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;

use super::attempt_id::AttemptId;
use super::event::Direction;
use super::personal::Placeholders;
use super::state::{Order, Stage};
use crate::Timestamp;
use crate::ids::StepId;

/// How long after its deadline an attempt counts as lost. Its instance has this long to record a
/// time-out.
pub const GRACE: TimeDelta = TimeDelta::seconds(2);

/// Due work of an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Send the request. Only the instance that appended the attempt may do it; otherwise the
    /// attempt is lost.
    Perform(Attempt),
    /// Something is due: decide `Command::Tick`.
    Tick,
    /// Nothing is due before this time.
    WakeAt(Timestamp),
}

/// One recorded attempt at an action.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The step.
    pub step: StepId,
    /// Do or undo.
    pub direction: Direction,
    /// From 1, in that direction.
    pub number: u32,
    /// The first attempt under the present request id.
    pub since: u32,
    /// The first forward attempt under the present idempotency key.
    pub key_since: u32,
    /// The first undo attempt under the present idempotency key.
    pub undo_key_since: u32,
    /// Whether an earlier attempt without a clear answer may have acted, at the same action or, for
    /// an undo, at the action that it undoes. That attempt may still be running.
    pub unsure: bool,
    /// The recorded input, with placeholders for personal data.
    pub input: Arc<Value>,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Which placeholders stand for personal data; `None`: all of them.
    pub placeholders: Option<Placeholders>,
    /// The deadline of the exchange.
    pub deadline: Timestamp,
}

impl Attempt {
    /// The id of the attempt.
    pub fn id(&self) -> AttemptId {
        let Self { step, direction, number, recorded_at, .. } = self;
        AttemptId { step: step.clone(), direction: *direction, number: *number, recorded_at: *recorded_at }
    }

    /// The first attempt under the idempotency key of this one.
    pub fn own_key_since(&self) -> u32 {
        match self.direction {
            Direction::Do => self.key_since,
            Direction::Undo => self.undo_key_since,
        }
    }

    /// The time-out of the exchange, from when the request is sent.
    fn exchange_timeout(&self) -> Duration {
        (self.deadline - self.recorded_at).to_std().unwrap_or(Duration::ZERO)
    }

    /// Whether an exchange that has this much time can show that the participant is silent: it has
    /// at least half of what the step allows.
    pub fn shows_silence(&self, time: Duration) -> bool {
        time >= self.exchange_timeout() / 2
    }

    /// The time for the exchange if the request is sent now: all of its time-out, unless other
    /// instances would count the attempt as lost before.
    pub fn time_left(&self, now: Timestamp) -> Duration {
        let until_lost = (self.deadline + GRACE / 2 - now).to_std().unwrap_or(Duration::ZERO);
        until_lost.min(self.exchange_timeout())
    }
}

/// The due work of an order in this state, at this time.
pub fn pending(state: &Order, now: Timestamp) -> Vec<Effect> {
    let mut effects: Vec<Effect> = state
        .steps
        .iter()
        .filter_map(|(id, step)| match step.stage {
            Stage::InFlight { direction, attempt, deadline } if now < deadline + GRACE => {
                Some(Effect::Perform(Attempt {
                    step: id.clone(),
                    direction,
                    number: attempt,
                    since: step.request_since,
                    key_since: step.key_since,
                    undo_key_since: step.undo_key_since,
                    unsure: step.unsure || (direction == Direction::Undo && !step.has_answered()),
                    input: step.input.clone(),
                    recorded_at: step.since,
                    placeholders: step.placeholders.clone(),
                    deadline,
                }))
            }
            _ => None,
        })
        .collect();
    match state.due_at() {
        Some(due) if due <= now => effects.push(Effect::Tick),
        Some(due) => effects.push(Effect::WakeAt(due)),
        None => {}
    }
    effects
}

impl Order {
    /// When an instance has to drive the order again at the latest: the due time of the to-do list.
    /// `None` once it has ended; and, unless a request for an operation expires, while it is
    /// paused, or while it is stuck with no step open.
    pub fn due_at(&self) -> Option<Timestamp> {
        let expiry = self.requests.values().map(|request| request.expires_at).min();
        if self.paused.is_some() {
            return expiry;
        }
        let next = self.steps.values().filter_map(|step| step.stage.due_at()).chain(self.split).reduce(min);
        let idle = next.is_none() && !self.ended() && self.stuck.is_none();
        // An order that is neither ended nor stuck always has an open step. If that were ever
        // untrue, the order is due at once, so that operators notice.
        if idle { Some(self.updated_at) } else { next.into_iter().chain(expiry).min() }
    }
}

impl Stage {
    /// When another instance takes this stage over.
    pub fn due_at(self) -> Option<Timestamp> {
        let is_in_flight = matches!(self, Stage::InFlight { .. });
        self.ends_at().map(|at| if is_in_flight { at + GRACE } else { at })
    }

    /// When this stage ends at the latest: the deadline of its attempt or of its answer, the end of
    /// its wait, or its next attempt.
    pub(super) fn ends_at(self) -> Option<Timestamp> {
        match self {
            Stage::InFlight { deadline, .. } | Stage::Awaiting { deadline, .. } => Some(deadline),
            Stage::BackingOff { until, .. } => Some(until),
            Stage::Completed
            | Stage::Skipped
            | Stage::Failed { .. }
            | Stage::Held { .. }
            | Stage::Undone
            | Stage::UndoFailed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::order::Operation;
    use crate::testing::{Story, done, order, unclear};
    use crate::workflow::Workflow;

    const WORKFLOW: &str = "workflow: w\nversion: 1\nparticipants: { p: { url: 'http://p' } }
steps:
  go: { call: p.go, undo: p.come_back, retry: { attempts: 1 } }
  on: { call: p.on }";

    /// Whether a due undo may overlap an attempt that is still running.
    fn unsure_of_the_undo(story: &Story<'_>) -> Vec<bool> {
        let undo = |effect: &Effect| match effect {
            Effect::Perform(attempt) if attempt.direction == Direction::Undo => Some(attempt.unsure),
            Effect::Perform(_) | Effect::Tick | Effect::WakeAt(_) => None,
        };
        story.pending().iter().filter_map(undo).collect()
    }

    #[test]
    fn an_undo_may_overlap_its_running_action_unless_that_was_answered() {
        let workflow = Workflow::parse(WORKFLOW).unwrap();
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        let (mut unanswered, mut assumed) = (story.clone(), story.clone());
        story.answer("go", done()).whatever();
        story.operate(Operation::Cancel).whatever();
        story.answer("on", unclear("503")).whatever();
        assert_eq!(unsure_of_the_undo(&story), [false]);
        unanswered.answer("go", unclear("no answer in time")).whatever();
        unanswered.answer("on", unclear("503")).whatever();
        assert_eq!(unsure_of_the_undo(&unanswered), [true]);
        assumed.operate(Operation::Skip { step: "go".to_owned(), outcome: None, data: Value::Null }).whatever();
        assumed.operate(Operation::Cancel).whatever();
        assumed.answer("on", unclear("503")).whatever();
        assert_eq!(unsure_of_the_undo(&assumed), [true]);
    }

    #[test]
    fn an_attempt_is_due_until_its_grace_ends_and_lost_after_that() {
        let workflow = Workflow::parse(WORKFLOW).unwrap();
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        let state = story.state();
        let Stage::InFlight { deadline, .. } = state.steps["go"].stage else { panic!("it is under way") };
        let lost = deadline + GRACE;
        let effects = pending(state, lost - TimeDelta::milliseconds(1));
        assert!(matches!(effects[..], [Effect::Perform(_), Effect::Perform(_), Effect::WakeAt(at)] if at == lost));
        assert_eq!(pending(state, lost), [Effect::Tick]);
    }

    #[test]
    fn an_exchange_has_its_whole_time_unless_other_instances_would_count_it_as_lost() {
        let workflow = Workflow::parse(WORKFLOW).unwrap();
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        let effects = story.pending();
        let [Effect::Perform(attempt), ..] = &effects[..] else { panic!("{effects:?}") };
        let all = (attempt.deadline - attempt.recorded_at).to_std().unwrap();
        assert!(all > Duration::from_secs(1));
        assert_eq!(attempt.time_left(attempt.recorded_at), all);
        assert_eq!(attempt.time_left(attempt.deadline), Duration::from_secs(1));
        assert_eq!(attempt.time_left(attempt.deadline + GRACE), Duration::ZERO);
        assert!(attempt.shows_silence(all) && attempt.shows_silence(all / 2));
        assert!(!attempt.shows_silence(all / 3));
    }
}
