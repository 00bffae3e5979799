//! A request to a participant: the attempt that it makes, and why it may not be sent.

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use domain::ids::OrderId;
use domain::order::{Attempt, Direction, PersonalData, Reply, idempotency_key};
use domain::workflow::address::AddressFault;
use domain::workflow::{Final, Participant, Workflow};
use serde_json::Value;
use uuid::Uuid;

/// The participants that can receive requests.
pub trait Participants: Clone + Send + Sync + 'static {
    /// What an attempt holds while it is made.
    type Turn: Send + 'static;

    /// Waits for the attempt's turn at its participant, until its deadline at most. Where `share`
    /// is given, the instance is short of drivers, and a participant that holds as many of them
    /// already has no place to wait in.
    fn turn(
        &self,
        ask: &ActionRequest,
        share: Option<usize>,
    ) -> impl Future<Output = Result<Self::Turn, NotSent>> + Send;

    /// Makes one attempt. Whatever happens is an answer: what went wrong is for the decider to
    /// judge.
    fn ask(&self, ask: ActionRequest, turn: Self::Turn) -> impl Future<Output = Reply> + Send;

    /// Whether a participant would have a turn for an attempt, or a place to wait in.
    fn has_room(&self, reach: &Participant, share: usize) -> bool;

    /// Whether a participant can be asked here at all.
    fn has_address(&self, _reach: &Participant) -> bool {
        true
    }

    /// The participants of a definition that cannot be asked here.
    fn without_address(&self, _workflow: &Workflow) -> Vec<NoAddress> {
        Vec::new()
    }
}

/// A participant that cannot be asked here: its address hangs on a setting without a usable value,
/// or is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("participant {participant} cannot be asked: {fault}")]
pub struct NoAddress {
    /// What the workflow calls it.
    pub participant: String,
    /// What is wrong.
    pub fault: AddressFault,
}

/// Why a request was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSent {
    /// Its turn did not come, its participant does not answer, or has no address here. No attempt
    /// is used, and it is tried again.
    NoTurn(String),
    /// Other requests have just failed by a mistake that a person has to mend, and this one would
    /// fail too. It counts as a failed attempt, so that its step comes to be held for an operator.
    Mistake {
        /// The mistake, for people.
        error: String,
        /// How long until the next attempt is let through.
        tried_again_in: Duration,
    },
}

/// One attempt, with all that the participant receives.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionRequest {
    /// The order.
    pub order_id: OrderId,
    /// The attempt.
    pub attempt: Attempt,
    /// What the placeholders in its input stand for.
    pub personal: PersonalData,
    /// Who is asked.
    pub participant: String,
    /// How it is reached, as the workflow has it.
    pub reach: Participant,
    /// What it is asked to do.
    pub action: String,
    /// The answers that are final, whatever their status says.
    pub give_up_on: Vec<Final>,
    /// How long a later answer may take.
    pub time_to_answer: Duration,
    /// The event that started the attempt.
    pub cause: Option<Uuid>,
    /// W3C Trace Context: the span of this attempt.
    pub traceparent: Option<String>,
}

impl ActionRequest {
    /// The same for every attempt and every instance: derived from order, step and direction, and
    /// from the attempt that it began with, where that is not the first.
    pub fn idempotency_key(&self) -> String {
        let Attempt { step, direction, .. } = &self.attempt;
        idempotency_key(&self.order_id, step, *direction, self.attempt.own_key_since())
    }

    /// Of an undo: the key under which was asked for what it undoes.
    pub fn undone_key(&self) -> Option<String> {
        let Attempt { step, direction, key_since, .. } = &self.attempt;
        (*direction == Direction::Undo).then(|| idempotency_key(&self.order_id, step, Direction::Do, *key_since))
    }

    /// The input with personal data filled in. Only a transport that keeps no copy may send it.
    pub fn input(&self) -> Cow<'_, Value> {
        self.personal.fill_in(&self.attempt.input, self.attempt.placeholders.as_ref())
    }

    /// Whether its input has personal data.
    pub fn is_personal(&self) -> bool {
        *self.input() != *self.attempt.input
    }
}
