//! Chooses the next turn of a run: the earliest recorded answer that the order waits for, or what
//! the clock brings before that.

use super::ask::Whom;
use super::past::{OperationKind, PastAsk, PastReply, Seq, What};
use super::run::{NewAsk, Run, Source, at_ms};
use super::unknown::UnknownKind;
use crate::Timestamp;
use crate::order::{Command, DecideError, Event, FailureCause, Mode, Stage};

/// The next turn of a run.
enum Turn {
    /// A rule answers.
    Suppose { ask: usize },
    /// The history answers.
    Reply { ask: usize, reply: PastReply },
    /// An operator acts.
    Operate { seq: Seq, at: Timestamp, kind: OperationKind },
    /// A deadline passes.
    Due { at: Timestamp },
    /// The rest of a split decision is due.
    Rest,
}

/// What a recorded request brings next.
enum Next {
    Reply(PastReply),
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
            Turn::Suppose { ask } => self.suppose(ask)?,
            Turn::Reply { ask, reply } => self.reply(ask, reply)?,
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
    pub(super) fn unknown_of(&self, ask: &NewAsk) -> Option<UnknownKind> {
        if !ask.open {
            return None;
        }
        match &ask.source {
            Source::Nobody(kind) => Some(*kind),
            Source::Past(index) => match self.next_of(ask, self.past.asks.get(*index)?) {
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
        let supposed =
            self.asks.iter().position(|ask| ask.open && ask.given == 0 && matches!(ask.source, Source::Rule(_)));
        if let Some(ask) = supposed {
            return Some(Turn::Suppose { ask });
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
        for (index, ask) in self.asks.iter().enumerate() {
            let brings = match &ask.source {
                Source::Past(past) => self.past.asks.get(*past).map(|past| self.next_of(ask, past)),
                Source::Clock => self.deadline(ask).map(Next::Due),
                Source::Rule(_) | Source::Nobody(_) => None,
            };
            match brings {
                Some(Next::Reply(reply)) => turns.push((reply.seq, Turn::Reply { ask: index, reply })),
                Some(Next::Due(at)) if self.state.paused.is_none() => due = Some(due.map_or(at, |due| due.min(at))),
                _ => {}
            }
        }
        (turns.into_iter().min_by_key(|(seq, _)| *seq), due)
    }

    /// When a turn comes: as long after its request as recorded.
    fn moment_of(&self, turn: &Turn) -> Timestamp {
        match turn {
            Turn::Reply { ask, reply } => self.moment(*ask, reply),
            Turn::Operate { at, .. } | Turn::Due { at } => (*at).max(self.now),
            Turn::Suppose { .. } | Turn::Rest => self.now,
        }
    }

    pub(super) fn moment(&self, ask: usize, reply: &PastReply) -> Timestamp {
        let Some(ask) = self.asks.get(ask) else { return self.now };
        let asked = match ask.source {
            Source::Past(past) => self.past.asks.get(past).map(|past| past.at),
            Source::Rule(_) | Source::Clock | Source::Nobody(_) => None,
        };
        let took = asked.map_or(0, |asked| (reply.at - asked).num_milliseconds());
        at_ms(ask.at.timestamp_millis().saturating_add(took)).max(self.now)
    }

    fn stage(&self, ask: &NewAsk) -> Option<Stage> {
        self.state.steps.get(&ask.step).map(|known| known.stage)
    }

    pub(super) fn deadline(&self, ask: &NewAsk) -> Option<Timestamp> {
        match self.stage(ask)? {
            Stage::Awaiting { deadline, .. } => Some(deadline),
            _ => None,
        }
    }

    fn next_of(&self, ask: &NewAsk, past: &PastAsk) -> Next {
        let reply = past.replies.get(ask.given).copied();
        let Some(stage) = self.stage(ask) else { return Next::Unknown(UnknownKind::OutOfStep) };
        if !ask.open {
            return match reply {
                Some(reply) if self.opens_again(ask, stage, reply.what) => Next::Reply(reply),
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
        match (stage, reply.what) {
            (_, What::Unreadable) if self.knows_it(ask, &reply) => Next::Unknown(UnknownKind::NotRecorded),
            (Stage::Awaiting { deadline, .. }, _) => in_time(ask, &reply, deadline),
            (
                Stage::BackingOff { .. },
                What::Unclear | What::Misconfigured | What::Accepted | What::Lost | What::NotSent | What::Overdue,
            )
            | (Stage::InFlight { .. }, What::Overdue) => Next::Unknown(UnknownKind::OutOfStep),
            _ => Next::Reply(reply),
        }
    }

    /// Whether a concluded request opens again: an operator retries or skips it, or its participant
    /// answers after all.
    fn opens_again(&self, ask: &NewAsk, stage: Stage, what: What) -> bool {
        let is_request = || self.state.steps.get(&ask.step).is_some_and(|known| known.mode == Some(Mode::Request));
        let opens = match (stage, what) {
            (Stage::UndoFailed | Stage::Failed { .. } | Stage::Held { .. }, What::Again | What::Skipped)
            | (Stage::UndoFailed, What::Later) => true,
            (Stage::Held { .. }, What::Later) => is_request(),
            _ => false,
        };
        opens && self.state.stuck.is_some()
    }

    /// Whether this definition knows an answer that the recorded definition did not know.
    fn knows_it(&self, ask: &NewAsk, reply: &PastReply) -> bool {
        match (self.unreadable(reply), self.workflow.step(&ask.step)) {
            (Some(FailureCause::UnknownOutcome(Some(outcome))), Some(step)) => step.knows(outcome),
            (Some(FailureCause::NoOutcome), Some(step)) => !step.outcome_required,
            _ => true,
        }
    }

    /// Why the recorded definition did not know an answer.
    pub(super) fn unreadable(&self, reply: &PastReply) -> Option<FailureCause<'_>> {
        match self.past.events.get(reply.seq) {
            Some(Event::StepFailed(e)) => Some(e.cause()),
            Some(Event::StepAttemptFailed(e)) => e.mistake(),
            _ => None,
        }
    }
}

/// Whether a recorded reply comes in time in the run. An answer that came late, but before an
/// instance noticed, counts as in time again.
fn in_time(ask: &NewAsk, reply: &PastReply, deadline: Timestamp) -> Next {
    let (now, then) = (ask.allowed_ms.unwrap_or(i64::MAX), reply.allowed_ms.unwrap_or(i64::MAX));
    match reply.what {
        What::Overdue if now > then && ask.whom != Whom::Time => Next::Unknown(UnknownKind::NotWaitedFor),
        What::Overdue if now == then => Next::Reply(*reply),
        What::Overdue => Next::Due(deadline),
        _ if now < then && reply.took_ms > now => Next::Due(deadline),
        What::Accepted | What::Unclear | What::Misconfigured | What::Lost | What::NotSent | What::Again => {
            Next::Unknown(UnknownKind::OutOfStep)
        }
        What::Done | What::Later | What::Unreadable | What::Held | What::Refused | What::Skipped => Next::Reply(*reply),
    }
}
