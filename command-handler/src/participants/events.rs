//! Asking a participant by an event: it is asked once the request is in its stream, which waits for
//! it as long as it takes. What the participant says is read by `replies`.

use std::sync::Arc;

use bytes::Bytes;
use chrono::Utc;
use domain::order::Reply;
use domain::wire::participants::{ActionRequested, Message};
use domain::workflow::Participant;
use event_store::{AppendError, Expected, NewEvent};
use tokio::time::timeout;

use super::{ActionRequest, NotSent, Participants, shortened};
use crate::log::Log;

/// Participants that read their requests from the log.
#[derive(Debug, Clone)]
pub struct EventParticipants<L> {
    log: L,
    /// Where the command endpoint is.
    public_url: String,
}

impl<L: Log> EventParticipants<L> {
    /// Those of this log. They find the command endpoint under that URL.
    pub fn new(log: L, public_url: &str) -> Self {
        Self { log, public_url: public_url.trim_end_matches('/').to_owned() }
    }

    async fn request(&self, ask: ActionRequest) -> Reply {
        // What is written in the log stays there: personal data are asked for where they are.
        let personal_data =
            ask.is_personal().then(|| format!("{}/orders/{}/personal-data", self.public_url, ask.order_id));
        let left = ask.attempt.time_left(Utc::now());
        let ActionRequest { order_id, attempt, participant, action, cause, traceparent, .. } = ask;
        let key_since = attempt.own_key_since();
        let (step, direction, input) = (attempt.step, attempt.direction, Arc::unwrap_or_clone(attempt.input));
        let placeholders = attempt.placeholders.filter(|_| personal_data.is_some());
        let requested =
            ActionRequested { order_id, step, action, direction, input, personal_data, placeholders, key_since };
        let message = match requested.message(attempt.since, cause, traceparent.as_deref()) {
            Ok(message) => message,
            Err(error) => return Reply::Refused { error: format!("the request cannot be written: {error}") },
        };
        let stream = ActionRequested::stream(&participant);
        // If the request was appended before, and the answer of the log was lost, its id is the
        // same, and this changes nothing.
        match timeout(left, self.log.append(&stream, Expected::Any, vec![event(message)])).await {
            Ok(Ok(_)) => Reply::Accepted,
            Ok(Err(error @ AppendError::TooLarge(_))) => {
                Reply::Refused { error: shortened(&format!("it cannot be asked: {error}")) }
            }
            Ok(Err(error)) => {
                Reply::Unclear { error: shortened(&format!("it could not be asked: {error}")), retry_after: None }
            }
            Err(_) => Reply::Unclear {
                error: "it could not be asked: the log did not take the request in time".to_owned(),
                retry_after: None,
            },
        }
    }
}

impl<L: Log> Participants for EventParticipants<L> {
    type Turn = ();

    async fn turn(&self, _: &ActionRequest, _: Option<usize>) -> Result<(), NotSent> {
        Ok(())
    }

    async fn ask(&self, ask: ActionRequest, (): ()) -> Reply {
        self.request(ask).await
    }

    fn has_room(&self, _: &Participant, _: usize) -> bool {
        true
    }
}

/// A message as the log takes it.
pub(crate) fn event(message: Message) -> NewEvent {
    NewEvent {
        id: message.id,
        event_type: message.event_type.to_owned(),
        data: Bytes::from(message.data),
        metadata: Bytes::from(message.metadata),
    }
}
