//! The wire form of requests and replies, for participants that are reached by events.
//!
//! Requests are in `requests-{participant}`, replies in `replies-{participant}`. Tenuto and
//! participants in Rust share this file; participants in other languages follow the golden files.
//! Replies come from outside, so they are read as strictly as HTTP requests.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use crate::streams::{PARKED_REPLIES, REPLY_STREAM_PREFIX, REQUEST_STREAM_PREFIX};

use super::{SCHEMA, WireError, read};
use crate::ids::{OrderId, StepId};
use crate::json;
use crate::order::{Direction, Placeholders, idempotency_key, reply_id, request_id};

/// Distinguishes the id of a refusal from those of answers.
const REFUSED: &str = "refused";

/// The metadata of a request or a reply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExchangeMetadata {
    /// The order.
    #[serde(rename = "$correlationId", default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// For a request: the event that started the attempt. For a reply: the request.
    #[serde(rename = "$causationId", default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// W3C Trace Context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The schema version of the data; `None`: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<u32>,
}

/// A request to a participant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionRequested {
    /// The order.
    pub order_id: OrderId,
    /// The step.
    pub step: StepId,
    /// The action.
    pub action: String,
    /// Do or undo.
    pub direction: Direction,
    /// The input. With `personal_data`, it has placeholders such as `⟦customer.email⟧` for personal
    /// data.
    #[serde(default)]
    pub input: Value,
    /// A URL that returns the personal data until they are erased. The log keeps everything for
    /// ever, so it must not hold them. See `PersonalData::fill_in`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal_data: Option<String>,
    /// Which placeholders stand for personal data, if other text in the input looks like one;
    /// `None`: all of them. A JSON pointer to each text that has some, and the characters at which
    /// they begin, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placeholders: Option<Placeholders>,
    /// The first attempt under its idempotency key: 1, unless an operator retried an action that
    /// was certainly not done.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub key_since: u32,
}

fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_first(since: &u32) -> bool {
    *since == 1
}

/// The version of a request with placeholders. A participant that does not know them must not act
/// on it.
const MASKED: u32 = 2;
/// The version of a request that lists its real placeholders. A participant that fills in all of
/// them must not act on it.
const MASKED_IN_PART: u32 = 3;

/// A participant has acted, or reports its progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionAnswered {
    /// The order.
    pub order_id: OrderId,
    /// The step.
    pub step: StepId,
    /// Do or undo.
    pub direction: Direction,
    /// The outcome; `None`: done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The data of the answer.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

/// A participant has not acted, and will not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionRefused {
    /// The order.
    pub order_id: OrderId,
    /// The step.
    pub step: StepId,
    /// Do or undo.
    pub direction: Direction,
    /// The reason, for people.
    pub error: String,
    /// This is not a refusal: the participant cannot act until a person corrects something. The
    /// order is held for an operator, and nothing is undone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub misconfigured: bool,
}

/// A participant's reply.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each struct says it")]
pub enum Reply {
    Answered(ActionAnswered),
    Refused(ActionRefused),
}

/// A reply cannot be accepted, and was parked. It stays in its stream; this event has the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplyParked {
    /// The stream of the reply.
    pub stream: String,
    /// Its revision in that stream.
    pub revision: u64,
    /// Its type.
    pub event_type: String,
    /// The reason.
    pub reason: String,
}

/// A request, a reply, or a parked reply, in the form of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Derived, so that a repeated append changes nothing.
    pub id: Uuid,
    /// The name.
    pub event_type: &'static str,
    /// JSON.
    pub data: Vec<u8>,
    /// JSON.
    pub metadata: Vec<u8>,
}

impl ActionRequested {
    /// The name in the log.
    pub const TYPE: &'static str = "ActionRequested";

    /// The stream.
    pub fn stream(participant: &str) -> String {
        format!("{REQUEST_STREAM_PREFIX}{participant}")
    }

    /// The idempotency key, under which the participant acts once.
    pub fn idempotency_key(&self) -> String {
        idempotency_key(&self.order_id, &self.step, self.direction, self.key_since)
    }

    /// Encodes the request. `since` is the first attempt under its request id; `cause` is the event
    /// that started this attempt.
    pub fn message(
        &self,
        since: u32,
        cause: Option<Uuid>,
        traceparent: Option<&str>,
    ) -> Result<Message, serde_json::Error> {
        let id = request_id(&self.order_id, &self.step, self.direction, since);
        let schema = match (&self.personal_data, &self.placeholders) {
            (None, _) => SCHEMA,
            (Some(_), None) => MASKED,
            (Some(_), Some(_)) => MASKED_IN_PART,
        };
        message(id, Self::TYPE, self, schema, Some(&self.order_id), cause, traceparent)
    }
}

impl Reply {
    /// The stream.
    pub fn stream(participant: &str) -> String {
        format!("{REPLY_STREAM_PREFIX}{participant}")
    }

    /// Encodes a reply to this request. A request has one reply for each outcome, and one refusal.
    pub fn message(&self, request: Uuid, traceparent: Option<&str>) -> Result<Message, serde_json::Error> {
        let cause = Some(request);
        match self {
            Reply::Answered(answer) => {
                let what = answer.outcome.as_deref().unwrap_or_default();
                // Each outcome has its own id; the stroke distinguishes it from the refusal.
                let id = reply_id(request, &format!("answered/{what}"));
                message(id, ActionAnswered::TYPE, answer, SCHEMA, Some(&answer.order_id), cause, traceparent)
            }
            Reply::Refused(refusal) => {
                let id = reply_id(request, REFUSED);
                message(id, ActionRefused::TYPE, refusal, SCHEMA, Some(&refusal.order_id), cause, traceparent)
            }
        }
    }

    /// The order of the reply.
    pub fn order_id(&self) -> &OrderId {
        match self {
            Reply::Answered(answer) => &answer.order_id,
            Reply::Refused(refusal) => &refusal.order_id,
        }
    }
}

impl ActionAnswered {
    /// The name in the log.
    pub const TYPE: &'static str = "ActionAnswered";
}

impl ActionRefused {
    /// The name in the log.
    pub const TYPE: &'static str = "ActionRefused";
}

impl ReplyParked {
    /// The name in the log.
    pub const TYPE: &'static str = "ReplyParked";

    /// Encodes the event. Its id derives from the parked reply.
    pub fn message(&self, reply: Uuid) -> Result<Message, serde_json::Error> {
        message(reply_id(reply, "parked"), Self::TYPE, self, SCHEMA, None, Some(reply), None)
    }
}

fn message<T: Serialize>(
    id: Uuid,
    event_type: &'static str,
    data: &T,
    schema: u32,
    order: Option<&OrderId>,
    cause: Option<Uuid>,
    traceparent: Option<&str>,
) -> Result<Message, serde_json::Error> {
    let metadata = ExchangeMetadata {
        correlation_id: order.map(OrderId::to_string),
        causation_id: cause,
        traceparent: traceparent.map(str::to_owned),
        schema: Some(schema),
    };
    Ok(Message { id, event_type, data: serde_json::to_vec(data)?, metadata: serde_json::to_vec(&metadata)? })
}

/// Decodes an event of a request stream.
pub fn decode_request(
    event_type: &str,
    data: &[u8],
    metadata: &[u8],
) -> Result<(ActionRequested, ExchangeMetadata), WireError> {
    let metadata = metadata_of(event_type, metadata, MASKED_IN_PART)?;
    match event_type {
        ActionRequested::TYPE => Ok((read(event_type, "data", data)?, metadata)),
        unknown => Err(WireError::UnknownType(unknown.to_owned())),
    }
}

/// Decodes an event of a reply stream. Any client may have written it. Unknown fields are the
/// participant's own.
pub fn decode_reply(event_type: &str, data: &[u8], metadata: &[u8]) -> Result<(Reply, ExchangeMetadata), WireError> {
    let metadata = metadata_of(event_type, metadata, SCHEMA)?;
    let reply = match event_type {
        ActionAnswered::TYPE => Reply::Answered(read_strictly(event_type, data)?),
        ActionRefused::TYPE => Reply::Refused(read_strictly(event_type, data)?),
        unknown => return Err(WireError::UnknownType(unknown.to_owned())),
    };
    Ok((reply, metadata))
}

/// Metadata may be missing: a first participant, written by hand, has none.
fn metadata_of(event_type: &str, metadata: &[u8], newest: u32) -> Result<ExchangeMetadata, WireError> {
    if metadata.is_empty() {
        return Ok(ExchangeMetadata::default());
    }
    let metadata: ExchangeMetadata = read(event_type, "metadata", metadata)?;
    match metadata.schema {
        None => Ok(metadata),
        Some(known) if (SCHEMA..=newest).contains(&known) => Ok(metadata),
        Some(found) => Err(WireError::UnknownVersion { event_type: event_type.to_owned(), found }),
    }
}

fn read_strictly<T: for<'de> Deserialize<'de>>(event_type: &str, data: &[u8]) -> Result<T, WireError> {
    let malformed = |source| WireError::Malformed { part: "data", event_type: event_type.to_owned(), source };
    let value = json::parse(data).map_err(|error| malformed(serde::de::Error::custom(error)))?;
    // Without this check, serde would also read a list of the values without names.
    if !value.is_object() {
        return Err(malformed(serde::de::Error::custom("it is not an object")));
    }
    T::deserialize(value).map_err(malformed)
}
