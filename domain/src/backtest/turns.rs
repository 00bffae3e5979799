//! Chooses the next turn of a run: the earliest recorded answer that the order waits for, or what
//! the clock brings before that.

use super::past::{OperationKind, RecordedReply, RecordedRequest, ReplyKind};
use super::requests::{Addressee, Seq};
use super::run::{Run, RunRequest, Source, at_ms};
use super::unknown::UnknownKind;
use crate::Timestamp;
use crate::order::{Command, DecideError, Event, FailureCause, Mode, Stage};

/// The next turn of a run.
enum Turn {
    /// A rule answers.
    Suppose { request: usize },
    /// The history answers.
    Reply { request: usize, reply: RecordedReply },
    /// An operator acts.
    Operate { seq: Seq, at: Timestamp, kind: OperationKind },
    /// A deadline passes.
    Due { at: Timestamp },
    /// The rest of a split decision is due.
    Rest,
}

/// What a recorded request brings next.
enum Next {
    Reply(RecordedReply),
    /// The clock brings something first.
    Due(Timestamp),
    /// Nothing: the history still waited, too.
    Waits,
    Unknown(UnknownKind),
}

impl Run<'_> {
    /// Takes the next turn. `false`: none is left.
    pub(super) fn turn(&mut self) -> Result<bool, DecideError> {
        if self.state.ended() {
            return Ok(false);
        }
        let Some(turn) = self.next_turn() else { return Ok(false) };
        match turn {
            Turn::Suppose { request } => self.suppose(request)?,
            Turn::Reply { request, reply } => self.reply(request, reply)?,
            Turn::Operate { seq, at, kind } => self.operation(seq, at, kind)?,
            Turn::Rest => self.decide_rest()?,
            Turn::Due { at } => {
                self.advance_to(at);
                self.decide(self.seq(), &Command::Tick(self.clock()), None)?;
            }
        }
        Ok(true)
    }

    /// Why a request has no answer; `None`: it has one, or the history still waited for it.
    pub(super) fn unknown_of(&self, request: &RunRequest) -> Option<UnknownKind> {
        if !request.open {
            return None;
        }
        match &request.source {
            Source::Unknown(kind) => Some(*kind),
            Source::Past(index) => match self.next_of(request, self.past.requests.get(*index)?) {
                Next::Unknown(kind) => Some(kind),
                Next::Reply(_) | Next::Due(_) | Next::Waits => None,
            },
            // No other answer follows a rule's interim answer.
            Source::Rule(_) | Source::Clock => None,
        }
    }

    fn next_turn(&self) -> Option<Turn> {
        if self.state.split.is_some() {
            // The rest is due at once. What came before it in the history still comes first.
            return Some(match self.first_and_due() {
                (Some((seq, turn)), _) if self.takes_up_the_rest(seq) => turn,
                _ => Turn::Rest,
            });
        }
        let supposed = self
            .requests
            .iter()
            .position(|request| request.open && request.given == 0 && matches!(request.source, Source::Rule(_)));
        if let Some(request) = supposed {
            return Some(Turn::Suppose { request });
        }
        match self.first_and_due() {
            (Some((_, turn)), Some(due)) if self.moment_of(&turn) <= due => Some(turn),
            (_, Some(at)) => Some(Turn::Due { at }),
            (first, None) => first.map(|(_, turn)| turn),
        }
    }

    /// The earliest recorded turn that the order waits for, and the time at which the clock brings
    /// one.
    fn first_and_due(&self) -> (Option<(Seq, Turn)>, Option<Timestamp>) {
        let operation = self.past.operations.get(self.operations);
        let operation = operation.map(|o| (o.seq, Turn::Operate { seq: o.seq, at: o.at, kind: o.kind }));
        let mut turns: Vec<(Seq, Turn)> = operation.into_iter().collect();
        let mut due: Option<Timestamp> = None;
        for (index, request) in self.requests.iter().enumerate() {
            let brings = match &request.source {
                Source::Past(past) => self.past.requests.get(*past).map(|past| self.next_of(request, past)),
                Source::Clock => self.deadline(request).map(Next::Due),
                Source::Rule(_) | Source::Unknown(_) => None,
            };
            match brings {
                Some(Next::Reply(reply)) => turns.push((reply.seq, Turn::Reply { request: index, reply })),
                Some(Next::Due(at)) if self.state.paused.is_none() => due = Some(due.map_or(at, |due| due.min(at))),
                _ => {}
            }
        }
        (turns.into_iter().min_by_key(|(seq, _)| *seq), due)
    }

    /// When a turn comes: as long after its request as recorded.
    fn moment_of(&self, turn: &Turn) -> Timestamp {
        match turn {
            Turn::Reply { request, reply } => self.moment(*request, reply),
            Turn::Operate { at, .. } | Turn::Due { at } => (*at).max(self.now),
            Turn::Suppose { .. } | Turn::Rest => self.now,
        }
    }

    pub(super) fn moment(&self, request: usize, reply: &RecordedReply) -> Timestamp {
        let Some(request) = self.requests.get(request) else { return self.now };
        let asked = match request.source {
            Source::Past(past) => self.past.requests.get(past).map(|past| past.at),
            Source::Rule(_) | Source::Clock | Source::Unknown(_) => None,
        };
        let took = asked.map_or(0, |asked| (reply.at - asked).num_milliseconds());
        at_ms(request.at.timestamp_millis().saturating_add(took)).max(self.now)
    }

    fn stage(&self, request: &RunRequest) -> Option<Stage> {
        self.state.steps.get(&request.step).map(|known| known.stage)
    }

    pub(super) fn deadline(&self, request: &RunRequest) -> Option<Timestamp> {
        match self.stage(request)? {
            Stage::Awaiting { deadline, .. } => Some(deadline),
            _ => None,
        }
    }

    fn next_of(&self, request: &RunRequest, past: &RecordedRequest) -> Next {
        let reply = past.replies.get(request.given).copied();
        let Some(stage) = self.stage(request) else { return Next::Unknown(UnknownKind::OutOfStep) };
        if !request.open {
            return match reply {
                Some(reply) if self.opens_again(request, stage, reply.kind) => Next::Reply(reply),
                _ => Next::Waits,
            };
        }
        let Some(reply) = reply else {
            return match stage {
                Stage::BackingOff { .. } if !past.open => Next::Unknown(UnknownKind::NoFurtherAttempt),
                _ if past.open => Next::Waits,
                _ => Next::Unknown(UnknownKind::NotWaitedFor),
            };
        };
        match (stage, reply.kind) {
            (_, ReplyKind::Unreadable) if self.knows_it(request, &reply) => Next::Unknown(UnknownKind::NotRecorded),
            (Stage::Awaiting { deadline, .. }, _) => in_time(request, &reply, deadline),
            (
                Stage::BackingOff { .. },
                ReplyKind::Unclear
                | ReplyKind::Misconfigured
                | ReplyKind::Accepted
                | ReplyKind::Lost
                | ReplyKind::NotSent
                | ReplyKind::Overdue,
            )
            | (Stage::InFlight { .. }, ReplyKind::Overdue) => Next::Unknown(UnknownKind::OutOfStep),
            _ => Next::Reply(reply),
        }
    }

    /// Whether a concluded request opens again: an operator retries or skips it, or its participant
    /// answers after all.
    fn opens_again(&self, request: &RunRequest, stage: Stage, kind: ReplyKind) -> bool {
        let is_request = || self.state.steps.get(&request.step).is_some_and(|known| known.mode == Some(Mode::Request));
        let opens = match (stage, kind) {
            (Stage::UndoFailed | Stage::Failed { .. } | Stage::Held { .. }, ReplyKind::Again | ReplyKind::Skipped)
            | (Stage::UndoFailed, ReplyKind::Later) => true,
            (Stage::Held { .. }, ReplyKind::Later) => is_request(),
            _ => false,
        };
        opens && self.state.stuck.is_some()
    }

    /// Whether this definition knows an answer that the recorded definition did not know.
    fn knows_it(&self, request: &RunRequest, reply: &RecordedReply) -> bool {
        match (self.unreadable(reply), self.workflow.step(&request.step)) {
            (Some(FailureCause::UnknownOutcome(Some(outcome))), Some(step)) => step.knows(outcome),
            (Some(FailureCause::NoOutcome), Some(step)) => !step.outcome_required,
            _ => true,
        }
    }

    /// Why the recorded definition did not know an answer.
    pub(super) fn unreadable(&self, reply: &RecordedReply) -> Option<FailureCause<'_>> {
        let event = self.past.events.get(reply.seq)?;
        if let Event::StepFailed(e) = event {
            return Some(e.cause());
        }
        let Event::StepAttemptFailed(e) = event else { return None };
        e.mistake()
    }
}

/// Whether a recorded reply comes in time in the run. An answer that came late, but before an
/// instance noticed, counts as in time again.
fn in_time(request: &RunRequest, reply: &RecordedReply, deadline: Timestamp) -> Next {
    let (now, then) = (request.allowed_ms.unwrap_or(i64::MAX), reply.allowed_ms.unwrap_or(i64::MAX));
    match reply.kind {
        ReplyKind::Overdue if now > then && request.addressee != Addressee::Time => {
            Next::Unknown(UnknownKind::NotWaitedFor)
        }
        ReplyKind::Overdue if now == then => Next::Reply(*reply),
        ReplyKind::Overdue => Next::Due(deadline),
        _ if now < then && reply.took_ms > now => Next::Due(deadline),
        ReplyKind::Accepted
        | ReplyKind::Unclear
        | ReplyKind::Misconfigured
        | ReplyKind::Lost
        | ReplyKind::NotSent
        | ReplyKind::Again => Next::Unknown(UnknownKind::OutOfStep),
        ReplyKind::Done
        | ReplyKind::Later
        | ReplyKind::Unreadable
        | ReplyKind::Held
        | ReplyKind::Refused
        | ReplyKind::Skipped => Next::Reply(*reply),
    }
}
