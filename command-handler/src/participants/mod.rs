//! Requests to participants, over HTTP or by events. Each attempt was recorded before; its result
//! is an answer.

#[cfg(test)]
mod answer_table_tests;
mod breaker;
mod bulkhead;
mod clients;
mod connections;
mod error_text;
mod events;
#[cfg(test)]
mod expired_key_tests;
#[cfg(test)]
pub(crate) mod failing_exchanges;
#[cfg(test)]
mod hostile_answers_tests;
mod http;
pub(crate) mod meaning;
mod request;
mod said;
mod service_state;
mod settings;
mod signing;
#[cfg(test)]
mod signing_tests;
#[cfg(test)]
mod silent_tests;

use domain::order::Reply;
use domain::workflow::{Participant, Workflow};

pub use bulkhead::{Admitted, CIRCUIT_STATES, Circuit};
pub(crate) use clients::ClientsByPort;
pub(crate) use error_text::shortened;
pub use events::EventParticipants;
pub(crate) use events::event;
pub use http::HttpParticipants;
pub use request::{ActionRequest, NoAddress, NotSent, Participants};
pub(crate) use service_state::CIRCUIT_CAUSES;
pub use service_state::ServiceState;
pub use settings::Settings;
pub use signing::RequestSigning;

use crate::log::Log;

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
    /// What is asked by events waits in its stream, and needs no turn.
    type Turn = Option<Admitted>;

    async fn turn(&self, ask: &ActionRequest, share: Option<usize>) -> Result<Self::Turn, NotSent> {
        match ask.reach {
            Participant::Http { .. } => self.http.turn(ask, share).await,
            Participant::Events => Ok(None),
        }
    }

    async fn ask(&self, ask: ActionRequest, turn: Self::Turn) -> Reply {
        match ask.reach {
            Participant::Http { .. } => self.http.ask(ask, turn).await,
            Participant::Events => self.events.ask(ask, ()).await,
        }
    }

    fn has_room(&self, reach: &Participant, share: usize) -> bool {
        self.http.has_room(reach, share)
    }

    fn has_address(&self, reach: &Participant) -> bool {
        self.http.has_address(reach)
    }

    fn without_address(&self, workflow: &Workflow) -> Vec<NoAddress> {
        self.http.without_address(workflow)
    }
}
