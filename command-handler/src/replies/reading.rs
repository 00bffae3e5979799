//! What a reply says, if it can be read, and if an order's history can keep it.

use domain::order::{LateRefusal, Now, Signal};
use domain::wire::participants::{REPLY_STREAM_PREFIX, Reply, decode_reply};
use event_store::RecordedEvent;
use uuid::Uuid;

use crate::answer::{data_fault, outcome_fault};
use crate::participants::shortened;

/// A reply, and what an order needs to know of where it is from.
#[derive(Debug, Clone)]
pub(super) struct Received {
    reply: Reply,
    /// The participant whose stream has it.
    participant: String,
    /// Its own id.
    id: Uuid,
    /// The request that it answers, if it says so.
    request: Option<Uuid>,
}

/// The command that a reply becomes.
#[derive(Debug, Clone)]
pub(super) enum Told {
    Answer(Signal),
    Refusal(LateRefusal),
}

/// Reads a reply; the error says why it is none.
pub(super) fn read(event: &RecordedEvent) -> Result<Reply, String> {
    received(event).map(|received| received.reply)
}

/// Reads a reply; the error says why it is none.
pub(super) fn received(event: &RecordedEvent) -> Result<Received, String> {
    let (reply, metadata) =
        decode_reply(&event.event_type, &event.data, &event.metadata).map_err(|error| error.to_string())?;
    if let Reply::Answered(answer) = &reply {
        if let Some(fault) = answer.outcome.as_deref().and_then(outcome_fault) {
            return Err(format!("its outcome {fault}"));
        }
        if let Some(fault) = data_fault(&answer.data) {
            return Err(format!("its data {fault}"));
        }
    }
    let participant = event.stream.strip_prefix(REPLY_STREAM_PREFIX).unwrap_or_default().to_owned();
    Ok(Received { reply, participant, id: event.id, request: metadata.causation_id })
}

impl Received {
    /// The command for the order, with the current time.
    pub fn told(&self, now: Now) -> Told {
        match self.reply.clone() {
            Reply::Answered(answer) => Told::Answer(Signal {
                step: answer.step,
                direction: answer.direction,
                outcome: answer.outcome,
                data: answer.data,
                key: Some(self.id.to_string()),
                now,
            }),
            Reply::Refused(refusal) => Told::Refusal(LateRefusal {
                step: refusal.step,
                direction: refusal.direction,
                error: shortened(&refusal.error),
                request: self.request,
                key: Some(self.id.to_string()),
                misconfigured: refusal.misconfigured,
                now,
            }),
        }
    }

    /// The participant whose stream has the reply.
    pub fn participant(&self) -> &str {
        &self.participant
    }

    /// The reply itself.
    pub fn reply(&self) -> &Reply {
        &self.reply
    }
}
