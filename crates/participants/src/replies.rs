//! Appends replies to `replies-{participant}`.

use bytes::Bytes;
use domain::wire::participants::Reply;
use event_store::{AppendError, EventStore, Expected, NewEvent};
use uuid::Uuid;

/// Why a reply was not appended.
pub(crate) enum NotAppended {
    /// The log was unreachable; it may have the reply.
    Later(String),
    /// The log will never accept it.
    Never(String),
}

/// Appends a reply to a request. A repeated reply has the same id, so it changes nothing.
pub(crate) async fn append(
    log: &EventStore,
    participant: &str,
    reply: &Reply,
    request: Uuid,
    traceparent: Option<&str>,
) -> Result<(), NotAppended> {
    let message = reply.message(request, traceparent).map_err(|error| NotAppended::Never(error.to_string()))?;
    let event = NewEvent {
        id: message.id,
        event_type: message.event_type.to_owned(),
        data: Bytes::from(message.data),
        metadata: Bytes::from(message.metadata),
    };
    match log.append(&Reply::stream(participant), Expected::Any, vec![event]).await {
        Ok(_) => Ok(()),
        Err(error @ AppendError::Unavailable(_)) => Err(NotAppended::Later(error.to_string())),
        Err(error) => Err(NotAppended::Never(error.to_string())),
    }
}
