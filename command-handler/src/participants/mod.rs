//! Asking participants to act: over HTTP, or by events. Each attempt was recorded before; what comes of it is an answer.

mod breaker;
mod events;
mod http;
mod settings;
mod turns;

use std::future::Future;

use domain::ids::OrderId;
use domain::order::{Attempt, PersonalData, Reply, idempotency_key};
use domain::workflow::{Final, Participant};
use serde_json::Value;
use uuid::Uuid;

pub use events::EventParticipants;
pub(crate) use events::event;
pub use http::HttpParticipants;
pub use settings::{Settings, UnknownSetting};
pub use turns::ServiceState;

use crate::log::Log;

/// How much of an error text is kept, in characters.
const LONGEST_ERROR: usize = 500;

/// Whoever can be asked to act.
pub trait Participants: Clone + Send + Sync + 'static {
    /// Makes one attempt. Whatever happens is an answer: what went wrong is for the decider to judge.
    fn ask(&self, ask: Ask) -> impl Future<Output = Reply> + Send;
}

/// One attempt, with all that a participant is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
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
    /// The event that started the attempt.
    pub cause: Option<Uuid>,
    /// W3C Trace Context, if the order came with one.
    pub traceparent: Option<String>,
}

impl Ask {
    /// The same for every attempt and every instance: derived from order, step and direction.
    pub fn idempotency_key(&self) -> String {
        idempotency_key(&self.order_id, &self.attempt.step, self.attempt.direction)
    }

    /// What is told where nothing is kept for ever: personal data filled in.
    pub fn input(&self) -> Value {
        self.personal.fill_in(&self.attempt.input)
    }

    /// Whether its input has personal data.
    pub fn is_personal(&self) -> bool {
        self.input() != *self.attempt.input
    }
}

/// All participants: each is reached as the workflow says.
#[derive(Debug, Clone)]
pub struct AllParticipants<L> {
    http: HttpParticipants,
    events: EventParticipants<L>,
}

impl<L: Log> AllParticipants<L> {
    /// Those over HTTP, and those whose requests go to the log.
    pub fn new(http: HttpParticipants, log: L, public_url: &str) -> Self {
        Self { http, events: EventParticipants::new(log, public_url) }
    }

    /// Those over HTTP.
    pub fn http(&self) -> &HttpParticipants {
        &self.http
    }
}

impl<L: Log> Participants for AllParticipants<L> {
    async fn ask(&self, ask: Ask) -> Reply {
        match ask.reach {
            Participant::Http { .. } => self.http.ask(ask).await,
            Participant::Events => self.events.ask(ask).await,
        }
    }
}

/// Errors end up in the order's history: short, and without what a database cannot keep.
pub(crate) fn shortened(error: &str) -> String {
    error.chars().filter(|c| !c.is_control()).take(LONGEST_ERROR).collect()
}
