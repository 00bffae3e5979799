//! How requests to participants, and their replies, are written in the log, for participants that are reached by events.
//!
//! Requests are in `requests-{participant}`, replies in `replies-{participant}`. Both sides share this file; participants in
//! other languages follow the golden files. Replies come from outside: what they say is read as strictly as a request over HTTP.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{SCHEMA, WireError, read};
use crate::ids::{OrderId, StepId};
use crate::json;
use crate::order::{Direction, Placeholders, idempotency_key, reply_id, request_id};

/// What the streams of requests start with; the participant's name follows.
pub const REQUEST_STREAM_PREFIX: &str = "requests-";
/// What the streams of replies start with; the participant's name follows.
pub const REPLY_STREAM_PREFIX: &str = "replies-";
/// Where replies are set aside that cannot be taken.
pub const PARKED_REPLIES: &str = "parked-replies";

/// What tells the id of a refusal from those of answers.
const REFUSED: &str = "refused";

/// What is known of a request or a reply besides its data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExchangeMetadata {
    /// The order.
    #[serde(rename = "$correlationId", default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Of a request: the event that started the attempt. Of a reply: the request.
    #[serde(rename = "$causationId", default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// W3C Trace Context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The version that the data is written in; none: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<u32>,
}

/// A participant is asked to act.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionRequested {
    /// For which order.
    pub order_id: OrderId,
    /// For which of its steps.
    pub step: StepId,
    /// What it is asked to do.
    pub action: String,
    /// Doing, or undoing what was done.
    pub direction: Direction,
    /// What it is told. With `personal_data`: with placeholders, `⟦customer.email⟧`, wherever there would be some.
    #[serde(default)]
    pub input: Value,
    /// A URL that gives the personal data, as long as they are not erased; what is in the log stays there for ever. See
    /// [`PersonalData::fill_in`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal_data: Option<String>,
    /// Which placeholders stand for personal data, where something else in the input looks like one; none: all do. A JSON
    /// pointer to each text that has some, and the characters at which they begin, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placeholders: Option<Placeholders>,
    /// The attempt that its idempotency key began with: 1, unless an operator retried an action that was surely not done.
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

/// The version of a request whose input has placeholders: whoever does not know what they are must not act on it.
const MASKED: u32 = 2;
/// The version of a request that tells placeholders from what only looks like one: whoever fills in all of them must not act on it.
const MASKED_IN_PART: u32 = 3;

/// A participant has acted, or says how far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionAnswered {
    /// For which order.
    pub order_id: OrderId,
    /// For which of its steps.
    pub step: StepId,
    /// Doing or undoing.
    pub direction: Direction,
    /// The named answer; none: it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// What comes with it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

/// A participant has not acted and will not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionRefused {
    /// For which order.
    pub order_id: OrderId,
    /// For which of its steps.
    pub step: StepId,
    /// Doing or undoing.
    pub direction: Direction,
    /// Why, for people.
    pub error: String,
    /// It is no "no": the participant cannot act until a person has mended something. The order is held for an operator, and
    /// nothing is undone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub misconfigured: bool,
}

/// What a participant says.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each struct says it")]
pub enum Reply {
    Answered(ActionAnswered),
    Refused(ActionRefused),
}

/// A reply that cannot be taken was set aside. It stays where it is; this says so, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplyParked {
    /// The stream that the reply is in.
    pub stream: String,
    /// Its place there.
    pub revision: u64,
    /// Its type.
    pub event_type: String,
    /// Why it cannot be taken.
    pub reason: String,
}

/// A request, a reply, or what became of one, as the log takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Derived, so that saying it again changes nothing.
    pub id: Uuid,
    /// Its name.
    pub event_type: &'static str,
    /// JSON.
    pub data: Vec<u8>,
    /// JSON.
    pub metadata: Vec<u8>,
}

impl ActionRequested {
    /// Its name in the log.
    pub const TYPE: &'static str = "ActionRequested";

    /// Where it goes.
    pub fn stream(participant: &str) -> String {
        format!("{REQUEST_STREAM_PREFIX}{participant}")
    }

    /// The key under which the participant acts once.
    pub fn idempotency_key(&self) -> String {
        idempotency_key(&self.order_id, &self.step, self.direction, self.key_since)
    }

    /// Writes it. `since` is the attempt that the request began with, `cause` the event that started this one.
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
    /// Where it goes.
    pub fn stream(participant: &str) -> String {
        format!("{REPLY_STREAM_PREFIX}{participant}")
    }

    /// Writes it, as one to this request. A request has one reply of each outcome, and one refusal.
    pub fn message(&self, request: Uuid, traceparent: Option<&str>) -> Result<Message, serde_json::Error> {
        let cause = Some(request);
        match self {
            Reply::Answered(answer) => {
                let what = answer.outcome.as_deref().unwrap_or_default();
                // Outcomes are one to a name; the stroke keeps them apart from the refusal.
                let id = reply_id(request, &format!("answered/{what}"));
                message(id, ActionAnswered::TYPE, answer, SCHEMA, Some(&answer.order_id), cause, traceparent)
            }
            Reply::Refused(refusal) => {
                let id = reply_id(request, REFUSED);
                message(id, ActionRefused::TYPE, refusal, SCHEMA, Some(&refusal.order_id), cause, traceparent)
            }
        }
    }

    /// The order that it is about.
    pub fn order_id(&self) -> &OrderId {
        match self {
            Reply::Answered(answer) => &answer.order_id,
            Reply::Refused(refusal) => &refusal.order_id,
        }
    }
}

impl ActionAnswered {
    /// Its name in the log.
    pub const TYPE: &'static str = "ActionAnswered";
}

impl ActionRefused {
    /// Its name in the log.
    pub const TYPE: &'static str = "ActionRefused";
}

impl ReplyParked {
    /// Its name in the log.
    pub const TYPE: &'static str = "ReplyParked";

    /// Writes it. It derives from the reply that was set aside.
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

/// Reads an event of a stream of requests.
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

/// Reads an event of a stream of replies, which anybody may have written there. Fields besides those known are the
/// participant's own affair.
pub fn decode_reply(event_type: &str, data: &[u8], metadata: &[u8]) -> Result<(Reply, ExchangeMetadata), WireError> {
    let metadata = metadata_of(event_type, metadata, SCHEMA)?;
    let reply = match event_type {
        ActionAnswered::TYPE => Reply::Answered(read_strictly(event_type, data)?),
        ActionRefused::TYPE => Reply::Refused(read_strictly(event_type, data)?),
        unknown => return Err(WireError::UnknownType(unknown.to_owned())),
    };
    Ok((reply, metadata))
}

/// Metadata may be missing altogether: whoever writes a first participant by hand has none.
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
    // A list of the fields' values, without their names, would be read as well.
    if !value.is_object() {
        return Err(malformed(serde::de::Error::custom("it is not an object")));
    }
    T::deserialize(value).map_err(malformed)
}
