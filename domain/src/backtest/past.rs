//! Reads a history: which requests the order sent, which replies came and when, and what operators
//! did.
//!
//! It reads the events alone, without the definition that decided them.

use std::sync::Arc;

use serde_json::Value;

use super::requests::{Addressee, Milestone, RequestEvent, Seq};
use crate::Timestamp;
use crate::ids::StepId;
use crate::order::{
    Basis, Direction, Event, FailureCause, Mode, OrderPlaced, StepCompleted, StepFailed, StepStarted, WaitStarted,
};

/// A history that was read.
#[derive(Debug)]
pub struct Past {
    /// The order as it was placed.
    pub(super) placed: Arc<OrderPlaced>,
    /// All events, in their order.
    pub(super) events: Vec<Event>,
    /// All requests, in the order in which they were first sent.
    pub(super) requests: Vec<RecordedRequest>,
    /// What operators did to the order as a whole.
    pub(super) operations: Vec<RecordedOperation>,
    /// Statuses, the start of compensation, and ends.
    pub(super) milestones: Vec<Milestone>,
    /// All requests and conclusions, in their order.
    pub(super) request_events: Vec<RequestEvent>,
    /// Where decisions were split.
    splits: Vec<Seq>,
}

/// A history that cannot be read: its first event is not `OrderPlaced`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an order's history begins with OrderPlaced, not with {0}")]
pub struct NoBeginning(&'static str);

/// A recorded request: one step in one direction, with all attempts.
#[derive(Debug)]
pub(super) struct RecordedRequest {
    pub step: StepId,
    pub direction: Direction,
    pub addressee: Addressee,
    /// The event that recorded the input.
    pub input_at: Option<Seq>,
    pub at: Timestamp,
    /// The replies, in their order.
    pub replies: Vec<RecordedReply>,
    /// At the end of the history, the request had no conclusion yet.
    pub open: bool,
    /// The current wait: since when, and how long it may last.
    waiting: Waiting,
}

/// A wait for an answer, without pauses.
#[derive(Debug, Clone, Copy, Default)]
struct Waiting {
    since_ms: i64,
    allowed_ms: Option<i64>,
}

/// A recorded reply to a request: an answer, a failed attempt, or an operator's action on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordedReply {
    pub seq: Seq,
    pub at: Timestamp,
    pub kind: ReplyKind,
    /// How long the order waited for it, without pauses.
    pub took_ms: i64,
    /// How long the order would have waited; `None`: without limit.
    pub allowed_ms: Option<i64>,
}

/// The kind of a reply; its event holds the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplyKind {
    Accepted,
    /// An answer in the exchange.
    Done,
    /// A later answer, outside of an exchange.
    Later,
    /// An answer that the definition did not know. The event did not record its data.
    Unreadable,
    Unclear,
    /// A mistake of the deployment, which a person has to correct.
    Misconfigured,
    /// The participant cannot act until a person has corrected something.
    Held,
    Lost,
    /// The request was never sent.
    NotSent,
    Refused,
    /// The next attempt.
    Again,
    /// An operator's assumption.
    Skipped,
    /// The deadline passed.
    Overdue,
}

/// What an operator did to an order.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordedOperation {
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
    /// Reads a history: all events of an order, from the first.
    pub fn of(events: Vec<Event>) -> Result<Self, NoBeginning> {
        let first = events.first().ok_or(NoBeginning("nothing"))?;
        let Event::OrderPlaced(placed) = first else { return Err(NoBeginning(first.type_name())) };
        let placed = Arc::new((**placed).clone());
        let mut reader = HistoryReader {
            past: Self {
                placed,
                events: Vec::new(),
                requests: Vec::new(),
                operations: Vec::new(),
                milestones: Vec::new(),
                request_events: Vec::new(),
                splits: Vec::new(),
            },
            paused: None,
            paused_ms: 0,
        };
        for (seq, event) in events.iter().enumerate() {
            reader.note(seq, event);
        }
        Ok(Self { events, ..reader.past })
    }

    /// The order as it was placed.
    pub fn placed(&self) -> &OrderPlaced {
        &self.placed
    }

    /// The recorded input of a request.
    pub(super) fn input(&self, request: &RecordedRequest) -> &Value {
        let start = request.input_at.and_then(|seq| self.events.get(seq)).and_then(Event::start);
        start.and_then(|start| start.input).unwrap_or(&Value::Null)
    }

    /// The events of one decision: an event from outside, and its consequences.
    pub(super) fn decision(&self, seq: Seq) -> &[Event] {
        let end = (seq + 1..self.events.len()).find(|at| self.came_from_outside(*at)).unwrap_or(self.events.len());
        self.events.get(seq..end).unwrap_or_default()
    }

    /// The event from outside that caused this one.
    pub(super) fn cause(&self, seq: Seq) -> Seq {
        (1..=seq).rev().find(|at| self.came_from_outside(*at)).unwrap_or(0)
    }

    /// Where the decision that begins with this event was split, and the events recorded before the
    /// split; `None`: it was not split.
    pub(super) fn split_of(&self, from: Seq) -> Option<(Seq, &[Event])> {
        let mark = *self.splits.iter().find(|mark| **mark >= from)?;
        let is_another = (from + 1..mark).any(|at| self.came_from_outside(at) && !self.is_made_again_at_once(at));
        if is_another { None } else { Some((mark, self.events.get(from..mark)?)) }
    }

    /// An attempt that replaces the one before it, in the same decision.
    fn is_made_again_at_once(&self, seq: Seq) -> bool {
        let before = seq.checked_sub(1).and_then(|before| self.events.get(before));
        matches!((before, self.events.get(seq)), (Some(Event::StepAttemptFailed(given_up)), Some(Event::StepStarted(again)))
            if given_up.step == again.step && given_up.direction == again.direction && given_up.at == again.at)
    }

    /// Whether a participant, a person or a deadline caused this event directly. If not, another
    /// event did.
    pub(super) fn came_from_outside(&self, seq: Seq) -> bool {
        self.requests.iter().any(|request| request.replies.iter().any(|reply| reply.seq == seq))
            || self.operations.iter().any(|operation| operation.seq == seq)
    }
}

/// Reads a history event by event.
struct HistoryReader {
    past: Past,
    paused: Option<Timestamp>,
    /// The length of all ended pauses.
    paused_ms: i64,
}

impl HistoryReader {
    fn note(&mut self, seq: Seq, event: &Event) {
        let at = event.at();
        match event {
            // A run leaves notes and requests out: they change nothing about an order. What a
            // second person approved is an operation.
            Event::OrderPlaced(_)
            | Event::StepSkipped(_)
            | Event::OrderNoted(_)
            | Event::OperationRequested(_)
            | Event::RequestSettled(_)
            | Event::CompensationCompleted(_) => {}
            Event::DecisionSplit(_) => self.past.splits.push(seq),
            Event::StepStarted(e) => self.started(seq, e),
            Event::WaitStarted(e) => self.waiting(seq, e),
            Event::StepAccepted(e) => {
                self.reply(seq, &e.step, e.direction, at, ReplyKind::Accepted);
                self.waits(&e.step, e.direction, at, e.deadline);
            }
            Event::StepCompleted(e) => self.completed(seq, e),
            Event::StepAttemptFailed(e) => {
                let kind = match e.mistake() {
                    Some(mistake) => misconfigured(&mistake),
                    None if e.unsent => ReplyKind::NotSent,
                    None if e.lost => ReplyKind::Lost,
                    None => ReplyKind::Unclear,
                };
                self.reply(seq, &e.step, e.direction, at, kind);
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
        if self.request(&e.step, e.direction).is_some() {
            self.reply(seq, &e.step, e.direction, e.at, ReplyKind::Again);
            if let Some(request) = self.request(&e.step, e.direction) {
                request.open = true;
            }
            return;
        }
        let input_at = match e.direction {
            Direction::Do => Some(seq),
            Direction::Undo => self.request(&e.step, Direction::Do).and_then(|done| done.input_at),
        };
        let addressee = Addressee::Participant { name: e.participant.clone(), action: e.action.clone() };
        self.begin(seq, &e.step, e.direction, addressee, input_at, e.at);
    }

    fn waiting(&mut self, seq: Seq, e: &WaitStarted) {
        let addressee = match e.mode {
            Mode::Wait => Addressee::Time,
            Mode::Call | Mode::Request | Mode::Await => Addressee::Person(e.awaits.clone().unwrap_or_default()),
        };
        self.begin(seq, &e.step, Direction::Do, addressee, Some(seq), e.at);
        self.waits(&e.step, Direction::Do, e.at, e.deadline);
    }

    fn begin(
        &mut self,
        seq: Seq,
        step: &str,
        direction: Direction,
        addressee: Addressee,
        input_at: Option<Seq>,
        at: Timestamp,
    ) {
        self.past.request_events.push(RequestEvent::asked(seq, self.past.requests.len()));
        self.past.requests.push(RecordedRequest {
            step: step.to_owned(),
            direction,
            addressee,
            input_at,
            at,
            replies: Vec::new(),
            open: true,
            waiting: Waiting::default(),
        });
    }

    fn completed(&mut self, seq: Seq, e: &StepCompleted) {
        let kind = match e.basis {
            Basis::Answer if e.answer_key.is_some() => ReplyKind::Later,
            Basis::Answer => ReplyKind::Done,
            Basis::Assumption => ReplyKind::Skipped,
            Basis::Deadline => ReplyKind::Overdue,
        };
        self.reply(seq, &e.step, e.direction, e.at, kind);
        self.concludes(seq, &e.step, e.direction, Some(e.outcome.clone()));
        match e.open_until {
            Some(until) => self.waits(&e.step, e.direction, e.at, until),
            None => self.ends(&e.step, e.direction),
        }
    }

    fn failed(&mut self, seq: Seq, e: &StepFailed) {
        let kind = match e.cause() {
            FailureCause::Refused => Some(ReplyKind::Refused),
            FailureCause::LastAttempt(_) => Some(ReplyKind::Unclear),
            cause @ (FailureCause::Misconfigured(_)
            | FailureCause::AcceptedInVain
            | FailureCause::NoOutcome
            | FailureCause::UnknownOutcome(_)) => Some(misconfigured(&cause)),
            FailureCause::Held(_) => Some(ReplyKind::Held),
            FailureCause::NeverSent(_) => Some(ReplyKind::NotSent),
            FailureCause::Overdue => Some(ReplyKind::Overdue),
            FailureCause::Lost => Some(ReplyKind::Lost),
            // No reply caused these: they follow from the compensation, or from the definition.
            FailureCause::GivenUp | FailureCause::NoValue => None,
        };
        if let Some(kind) = kind {
            self.reply(seq, &e.step, e.direction, e.at, kind);
        }
        self.concludes(seq, &e.step, e.direction, None);
        self.ends(&e.step, e.direction);
    }

    fn reply(&mut self, seq: Seq, step: &str, direction: Direction, at: Timestamp, kind: ReplyKind) {
        let net = self.net_ms(at);
        let Some(request) = self.request(step, direction) else { return };
        let Waiting { since_ms, allowed_ms } = request.waiting;
        request.replies.push(RecordedReply { seq, at, kind, took_ms: net - since_ms, allowed_ms });
    }

    fn concludes(&mut self, seq: Seq, step: &str, direction: Direction, outcome: Option<String>) {
        let asked =
            self.past.requests.iter().position(|request| request.step == step && request.direction == direction);
        if let Some(request) = asked {
            self.past.request_events.push(RequestEvent::concluded(seq, request, outcome));
        }
    }

    fn waits(&mut self, step: &str, direction: Direction, at: Timestamp, until: Timestamp) {
        let since_ms = self.net_ms(at);
        if let Some(request) = self.request(step, direction) {
            request.waiting = Waiting { since_ms, allowed_ms: Some((until - at).num_milliseconds()) };
        }
    }

    fn ends(&mut self, step: &str, direction: Direction) {
        if let Some(request) = self.request(step, direction) {
            request.open = false;
        }
    }

    fn request(&mut self, step: &str, direction: Direction) -> Option<&mut RecordedRequest> {
        self.past.requests.iter_mut().find(|request| request.step == step && request.direction == direction)
    }

    fn operation(&mut self, seq: Seq, at: Timestamp, kind: OperationKind) {
        self.past.operations.push(RecordedOperation { seq, at, kind });
    }

    fn ends_pause(&mut self, at: Timestamp) {
        if let Some(since) = self.paused.take() {
            self.paused_ms += (at - since).num_milliseconds();
        }
    }

    /// The time, with the clock stopped during pauses.
    fn net_ms(&self, at: Timestamp) -> i64 {
        self.paused.unwrap_or(at).timestamp_millis() - self.paused_ms
    }
}

/// The kind of reply behind a mistake. Two kinds are answers that the definition did not expect.
fn misconfigured(mistake: &FailureCause<'_>) -> ReplyKind {
    match mistake {
        FailureCause::AcceptedInVain => ReplyKind::Accepted,
        FailureCause::UnknownOutcome(_) | FailureCause::NoOutcome => ReplyKind::Unreadable,
        _ => ReplyKind::Misconfigured,
    }
}
