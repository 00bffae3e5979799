//! What an order's history says of its past: whom it asked for what, what they answered and when, and what operators did.
//!
//! It is told from the events alone, without the definition that they were decided by.

use std::sync::Arc;

use serde_json::Value;

use super::ask::{Deed, Milestone, Whom};
use crate::Timestamp;
use crate::ids::StepId;
use crate::order::{
    Basis, Direction, Event, FailureCause, Mode, OrderPlaced, StepCompleted, StepFailed, StepStarted, WaitStarted,
};

/// Index of an event in its history: what came first has the lower one.
pub(super) type Seq = usize;

/// A history, looked at.
#[derive(Debug)]
pub struct Past {
    /// What was ordered.
    pub(super) placed: Arc<OrderPlaced>,
    /// Everything that happened, in its order.
    pub(super) events: Vec<Event>,
    /// Whom it asked, in the order in which it began to.
    pub(super) asks: Vec<PastAsk>,
    /// What operators did to the order as a whole.
    pub(super) operations: Vec<PastOperation>,
    /// Statuses, undoing, and ends.
    pub(super) milestones: Vec<Milestone>,
    /// All that was asked and answered.
    pub(super) deeds: Vec<Deed>,
    /// Where decisions were split.
    splits: Vec<Seq>,
}

/// A history that cannot be looked at: it does not begin with the order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an order's history begins with OrderPlaced, not with {0}")]
pub struct NoBeginning(&'static str);

/// Somebody who was asked for something: one step in one direction, with all attempts.
#[derive(Debug)]
pub(super) struct PastAsk {
    pub step: StepId,
    pub direction: Direction,
    pub whom: Whom,
    /// The event that has what was told.
    pub told: Option<Seq>,
    pub at: Timestamp,
    /// What came of it, in its order.
    pub replies: Vec<PastReply>,
    /// Something was still to come at the end of the history.
    pub open: bool,
    /// Since when the answer that comes next is waited for, and for how long it may be.
    waiting: Waiting,
}

/// A wait for an answer, pauses left out.
#[derive(Debug, Clone, Copy, Default)]
struct Waiting {
    since_ms: i64,
    allowed_ms: Option<i64>,
}

/// Something that came of being asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct PastReply {
    pub seq: Seq,
    pub at: Timestamp,
    pub what: What,
    /// How long it was waited for, pauses left out.
    pub took_ms: i64,
    /// How long it might have been waited for, where that was bounded.
    pub allowed_ms: Option<i64>,
}

/// Which kind of thing; the event has the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Accepted,
    /// An answer in the exchange.
    Done,
    /// An answer that came by itself.
    Later,
    /// An answer that the definition did not know, and whose data was not recorded.
    Unreadable,
    Unclear,
    /// A mistake that a person has to mend.
    Misconfigured,
    /// It could not be done until a person had mended something.
    Held,
    Lost,
    /// The request was never sent.
    NotSent,
    Refused,
    /// The next attempt.
    Again,
    /// An operator's assumption.
    Skipped,
    /// Time had come.
    Overdue,
}

/// What an operator did to an order.
#[derive(Debug, Clone, Copy)]
pub(super) struct PastOperation {
    pub seq: Seq,
    pub at: Timestamp,
    pub kind: OperationKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OperationKind {
    Cancel,
    Pause,
    Resume,
}

impl Past {
    /// Looks at a history: all events of an order, from its first.
    pub fn of(events: Vec<Event>) -> Result<Self, NoBeginning> {
        let placed = match events.first() {
            Some(Event::OrderPlaced(placed)) => Arc::new((**placed).clone()),
            Some(other) => return Err(NoBeginning(other.type_name())),
            None => return Err(NoBeginning("nothing")),
        };
        let mut reading = Reading {
            past: Self {
                placed,
                events: Vec::new(),
                asks: Vec::new(),
                operations: Vec::new(),
                milestones: Vec::new(),
                deeds: Vec::new(),
                splits: Vec::new(),
            },
            paused: None,
            paused_ms: 0,
        };
        for (seq, event) in events.iter().enumerate() {
            reading.note(seq, event);
        }
        Ok(Self { events, ..reading.past })
    }

    /// What was ordered.
    pub fn placed(&self) -> &OrderPlaced {
        &self.placed
    }

    /// What somebody was told.
    pub(super) fn input(&self, ask: &PastAsk) -> &Value {
        let input = match ask.told.and_then(|seq| self.events.get(seq)) {
            Some(Event::StepStarted(e)) => e.input.as_ref(),
            Some(Event::WaitStarted(e)) => e.input.as_ref(),
            _ => None,
        };
        input.unwrap_or(&Value::Null)
    }

    /// The events that were decided together with this one, which came from outside, as its consequences.
    pub(super) fn decision(&self, seq: Seq) -> &[Event] {
        let end = (seq + 1..self.events.len()).find(|at| self.came_from_outside(*at)).unwrap_or(self.events.len());
        self.events.get(seq..end).unwrap_or_default()
    }

    /// The event from outside that this one is a consequence of.
    pub(super) fn cause(&self, seq: Seq) -> Seq {
        (1..=seq).rev().find(|at| self.came_from_outside(*at)).unwrap_or(0)
    }

    /// Where the decision that begins with this event was split, and what was recorded before; `None`: it was not.
    pub(super) fn split_of(&self, from: Seq) -> Option<(Seq, &[Event])> {
        let mark = *self.splits.iter().find(|mark| **mark >= from)?;
        let is_another = (from + 1..mark).any(|at| self.came_from_outside(at) && !self.is_made_again_at_once(at));
        if is_another { None } else { Some((mark, self.events.get(from..mark)?)) }
    }

    /// The attempt that was made in place of one before it, in the same decision.
    fn is_made_again_at_once(&self, seq: Seq) -> bool {
        let before = seq.checked_sub(1).and_then(|before| self.events.get(before));
        matches!((before, self.events.get(seq)), (Some(Event::StepAttemptFailed(given_up)), Some(Event::StepStarted(again)))
            if given_up.step == again.step && given_up.direction == again.direction && given_up.at == again.at)
    }

    /// Whether a participant, a person or a deadline brought this event: it does not follow from another one.
    pub(super) fn came_from_outside(&self, seq: Seq) -> bool {
        self.asks.iter().any(|ask| ask.replies.iter().any(|reply| reply.seq == seq))
            || self.operations.iter().any(|operation| operation.seq == seq)
    }
}

/// The history so far.
struct Reading {
    past: Past,
    paused: Option<Timestamp>,
    /// How long pauses have lasted in all, but for the present one.
    paused_ms: i64,
}

impl Reading {
    fn note(&mut self, seq: Seq, event: &Event) {
        let at = event.at();
        match event {
            Event::OrderPlaced(_) | Event::StepSkipped(_) | Event::CompensationCompleted(_) => {}
            Event::DecisionSplit(_) => self.past.splits.push(seq),
            Event::StepStarted(e) => self.started(seq, e),
            Event::WaitStarted(e) => self.waiting(seq, e),
            Event::StepAccepted(e) => {
                self.reply(seq, &e.step, e.direction, at, What::Accepted);
                self.waits(&e.step, e.direction, at, e.deadline);
            }
            Event::StepCompleted(e) => self.completed(seq, e),
            Event::StepAttemptFailed(e) => {
                let what = match e.mistake() {
                    Some(mistake) => misconfigured(&mistake),
                    None if e.unsent => What::NotSent,
                    None if e.lost => What::Lost,
                    None => What::Unclear,
                };
                self.reply(seq, &e.step, e.direction, at, what);
            }
            Event::StepFailed(e) => self.failed(seq, e),
            Event::StatusChanged(e) => self.past.milestones.push(Milestone::status(seq, e)),
            Event::OrderPaused(_) => {
                self.paused = Some(at);
                self.operation(seq, at, OperationKind::Pause);
            }
            Event::OrderResumed(_) => {
                self.ends_pause(at);
                self.operation(seq, at, OperationKind::Resume);
            }
            Event::CompensationStarted(e) => {
                self.ends_pause(at);
                if e.step.is_none() {
                    self.operation(seq, at, OperationKind::Cancel);
                }
                self.past.milestones.push(Milestone::undoing(seq, e.step.clone()));
            }
            Event::OrderCompleted(e) => self.past.milestones.push(Milestone::completed(seq, e)),
            Event::OrderCanceled(_) => self.past.milestones.push(Milestone::canceled(seq)),
            Event::OrderStuck(e) => self.past.milestones.push(Milestone::stuck(seq, &e.step)),
        }
    }

    fn started(&mut self, seq: Seq, e: &StepStarted) {
        if self.ask(&e.step, e.direction).is_some() {
            self.reply(seq, &e.step, e.direction, e.at, What::Again);
            if let Some(ask) = self.ask(&e.step, e.direction) {
                ask.open = true;
            }
            return;
        }
        let told = match e.direction {
            Direction::Do => Some(seq),
            Direction::Undo => self.ask(&e.step, Direction::Do).and_then(|done| done.told),
        };
        let whom = Whom::Participant { name: e.participant.clone(), action: e.action.clone() };
        self.begin(seq, &e.step, e.direction, whom, told, e.at);
    }

    fn waiting(&mut self, seq: Seq, e: &WaitStarted) {
        let whom = match e.mode {
            Mode::Wait => Whom::Time,
            Mode::Call | Mode::Request | Mode::Await => Whom::Person(e.awaits.clone().unwrap_or_default()),
        };
        self.begin(seq, &e.step, Direction::Do, whom, Some(seq), e.at);
        self.waits(&e.step, Direction::Do, e.at, e.deadline);
    }

    fn begin(&mut self, seq: Seq, step: &str, direction: Direction, whom: Whom, told: Option<Seq>, at: Timestamp) {
        self.past.deeds.push(Deed::asked(seq, self.past.asks.len()));
        self.past.asks.push(PastAsk {
            step: step.to_owned(),
            direction,
            whom,
            told,
            at,
            replies: Vec::new(),
            open: true,
            waiting: Waiting::default(),
        });
    }

    fn completed(&mut self, seq: Seq, e: &StepCompleted) {
        let what = match e.basis {
            Basis::Answer if e.answer_key.is_some() => What::Later,
            Basis::Answer => What::Done,
            Basis::Assumption => What::Skipped,
            Basis::Deadline => What::Overdue,
        };
        self.reply(seq, &e.step, e.direction, e.at, what);
        self.concludes(seq, &e.step, e.direction, Some(e.outcome.clone()));
        match e.open_until {
            Some(until) => self.waits(&e.step, e.direction, e.at, until),
            None => self.ends(&e.step, e.direction),
        }
    }

    fn failed(&mut self, seq: Seq, e: &StepFailed) {
        let what = match e.cause() {
            FailureCause::Refused => Some(What::Refused),
            FailureCause::LastAttempt(_) => Some(What::Unclear),
            cause @ (FailureCause::Misconfigured(_)
            | FailureCause::AcceptedInVain
            | FailureCause::NoOutcome
            | FailureCause::UnknownOutcome(_)) => Some(misconfigured(&cause)),
            FailureCause::Held(_) => Some(What::Held),
            FailureCause::NeverSent(_) => Some(What::NotSent),
            FailureCause::Overdue => Some(What::Overdue),
            FailureCause::Lost => Some(What::Lost),
            // Nobody said this: it follows from the order's being undone, or from the definition.
            FailureCause::GivenUp | FailureCause::NoValue => None,
        };
        if let Some(what) = what {
            self.reply(seq, &e.step, e.direction, e.at, what);
        }
        self.concludes(seq, &e.step, e.direction, None);
        self.ends(&e.step, e.direction);
    }

    fn reply(&mut self, seq: Seq, step: &str, direction: Direction, at: Timestamp, what: What) {
        let net = self.net_ms(at);
        let Some(ask) = self.ask(step, direction) else { return };
        let Waiting { since_ms, allowed_ms } = ask.waiting;
        ask.replies.push(PastReply { seq, at, what, took_ms: net - since_ms, allowed_ms });
    }

    fn concludes(&mut self, seq: Seq, step: &str, direction: Direction, outcome: Option<String>) {
        let asked = self.past.asks.iter().position(|ask| ask.step == step && ask.direction == direction);
        if let Some(ask) = asked {
            self.past.deeds.push(Deed::concluded(seq, ask, outcome));
        }
    }

    fn waits(&mut self, step: &str, direction: Direction, at: Timestamp, until: Timestamp) {
        let since_ms = self.net_ms(at);
        if let Some(ask) = self.ask(step, direction) {
            ask.waiting = Waiting { since_ms, allowed_ms: Some((until - at).num_milliseconds()) };
        }
    }

    fn ends(&mut self, step: &str, direction: Direction) {
        if let Some(ask) = self.ask(step, direction) {
            ask.open = false;
        }
    }

    fn ask(&mut self, step: &str, direction: Direction) -> Option<&mut PastAsk> {
        self.past.asks.iter_mut().find(|ask| ask.step == step && ask.direction == direction)
    }

    fn operation(&mut self, seq: Seq, at: Timestamp, kind: OperationKind) {
        self.past.operations.push(PastOperation { seq, at, kind });
    }

    fn ends_pause(&mut self, at: Timestamp) {
        if let Some(since) = self.paused.take() {
            self.paused_ms += (at - since).num_milliseconds();
        }
    }

    /// The time, with the clock stopped while the order was held.
    fn net_ms(&self, at: Timestamp) -> i64 {
        self.paused.unwrap_or(at).timestamp_millis() - self.paused_ms
    }
}

/// What came, where it was a mistake: two of them are answers that the definition did not expect.
fn misconfigured(mistake: &FailureCause<'_>) -> What {
    match mistake {
        FailureCause::AcceptedInVain => What::Accepted,
        FailureCause::UnknownOutcome(_) | FailureCause::NoOutcome => What::Unreadable,
        _ => What::Misconfigured,
    }
}
