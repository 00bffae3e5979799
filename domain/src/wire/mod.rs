//! How events are written in the log: names, versions, metadata, and the chain of hashes. Nothing else knows.
//!
//! The data of an event is the JSON of its struct. Its metadata tells which version of that struct it is, what it belongs to
//! and what caused it, and carries the link of the hash chain: SHA-256 over the link before it and everything in this event.

pub mod erasures;
#[cfg(test)]
pub(crate) mod golden_tests;
pub mod participants;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Timestamp;
use crate::json;
use crate::order::{CustomerKey, Event, json_size};

/// The version that events are written in, but for [`SEALED`] and [`TOLD_APART`] ones.
pub const SCHEMA: u32 = 1;

/// The version of an `OrderPlaced` whose personal data are sealed. The first version has them in the clear.
pub const SEALED: u32 = 2;

/// The version of an event that says which placeholders stand for personal data. A build that does not know it would fill in
/// what only looks like one.
pub const TOLD_APART: u32 = 2;

/// The events that nothing follows in an order's stream.
pub const ENDS: [&str; 2] = ["OrderCompleted", "OrderCanceled"];

/// The event that personal data stand in.
const PLACED: &str = "OrderPlaced";

/// The events that record what an expression came to.
const WITH_PLACEHOLDERS: [&str; 3] = ["StepStarted", "WaitStarted", "OrderCompleted"];

/// What stands before the first link of every chain.
pub const CHAIN_START: &str = "";

/// What is known of an event besides its data. `$…` names are `EventStoreDB`'s conventions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The order.
    #[serde(rename = "$correlationId")]
    pub correlation_id: String,
    /// The event that led to this one.
    #[serde(rename = "$causationId", default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// W3C Trace Context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Who acted, where a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why, where a person said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The version that the data is written in.
    pub schema: u32,
    /// The link of the hash chain, in hex.
    pub hash: String,
}

/// An event as the log takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Its name.
    pub event_type: &'static str,
    /// JSON.
    pub data: Vec<u8>,
    /// JSON.
    pub metadata: Vec<u8>,
    /// The link of the hash chain: what the next event's hash builds on.
    pub hash: String,
}

/// An event read from the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// What happened.
    pub event: Event,
    /// What is known besides.
    pub metadata: Metadata,
}

/// What the writer knows of an event besides its data.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The order.
    pub correlation_id: String,
    /// The event that led to this one.
    pub causation_id: Option<Uuid>,
    /// W3C Trace Context.
    pub traceparent: Option<String>,
    /// Who acted.
    pub actor: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// What personal data are sealed with; none: they are written as they are.
    pub key: Option<CustomerKey>,
}

/// Why bytes are no event.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// No event is called that.
    #[error("unknown event type {0:?}")]
    UnknownType(String),
    /// Written by a later version of Tenuto.
    #[error("{event_type} is written in schema version {found}, which this version of Tenuto does not know")]
    UnknownVersion {
        /// The event's name.
        event_type: String,
        /// Its version.
        found: u32,
    },
    /// Not the JSON that it should be.
    #[error("the {part} of {event_type} cannot be read: {source}")]
    Malformed {
        /// Data or metadata.
        part: &'static str,
        /// The event's name.
        event_type: String,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
}

/// Writes an event, with its link to the one before, which had the hash `previous` ([`CHAIN_START`] for the first).
pub fn encode(event: &Event, id: Uuid, previous: &str, context: &Context) -> Result<Encoded, serde_json::Error> {
    let event_type = event.type_name();
    let (schema, data) = match (event, &context.key) {
        (Event::OrderPlaced(placed), Some(key)) => (SEALED, serde_json::to_vec(&placed.sealed_with(key, id)?)?),
        (Event::OrderPlaced(placed), None) if placed.sealed.is_some() => (SEALED, data_of(event)?),
        _ if event.placeholders().is_some() => (TOLD_APART, data_of(event)?),
        _ => (SCHEMA, data_of(event)?),
    };
    let mut metadata = Metadata {
        correlation_id: context.correlation_id.clone(),
        causation_id: context.causation_id,
        traceparent: context.traceparent.clone(),
        actor: context.actor.clone(),
        reason: context.reason.clone(),
        schema,
        hash: String::new(),
    };
    metadata.hash = digest(previous, id, event_type, &data, &covered(&metadata)?);
    let hash = metadata.hash.clone();
    Ok(Encoded { event_type, data, metadata: serde_json::to_vec(&metadata)?, hash })
}

/// Whether an event was written by Tenuto, of this version or another: its metadata have what ours always have.
pub fn is_ours(metadata: &[u8]) -> bool {
    serde_json::from_slice::<Metadata>(metadata).is_ok_and(|metadata| !metadata.hash.is_empty())
}

/// Reads an event of an order's stream.
pub fn decode(event_type: &str, data: &[u8], metadata: &[u8]) -> Result<Decoded, WireError> {
    let metadata: Metadata = read(event_type, "metadata", metadata)?;
    Ok(Decoded { event: event_in(metadata.schema, event_type, data)?, metadata })
}

/// Reads an event of an order's stream, and of its metadata only the version.
pub fn decode_event(event_type: &str, data: &[u8], metadata: &[u8]) -> Result<Event, WireError> {
    #[derive(Deserialize)]
    struct Written {
        schema: u32,
    }
    let Written { schema } = read(event_type, "metadata", metadata)?;
    event_in(schema, event_type, data)
}

fn event_in(schema: u32, event_type: &str, data: &[u8]) -> Result<Event, WireError> {
    let event = match schema {
        SCHEMA => event_of(event_type, data)?,
        SEALED if event_type == PLACED => event_of(event_type, data)?,
        TOLD_APART if WITH_PLACEHOLDERS.contains(&event_type) => event_of(event_type, data)?,
        found => return Err(WireError::UnknownVersion { event_type: event_type.to_owned(), found }),
    };
    match &event {
        Event::OrderPlaced(placed) if placed.sealed.is_some() != (schema == SEALED) => {
            let source = serde::de::Error::custom("`sealed` does not go with the version");
            Err(WireError::Malformed { part: "data", event_type: event_type.to_owned(), source })
        }
        // An earlier version that says it all the same would be filled in otherwise by a reader of that version alone.
        _ if event.placeholders().is_some() != (schema == TOLD_APART && event_type != PLACED) => {
            let source = serde::de::Error::custom("`placeholders` does not go with the version");
            Err(WireError::Malformed { part: "data", event_type: event_type.to_owned(), source })
        }
        _ => Ok(event),
    }
}

/// The data of an event as JSON, as [`encode`] writes it.
pub fn data_json(event: &Event) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(&data_of(event)?)
}

/// The link of the chain: SHA-256 (hex) over the link before, the event's id, its type, its data as stored and its metadata
/// without the link itself (as [`json::canonical`]), one to a line.
pub fn link(previous: &str, id: Uuid, event_type: &str, data: &[u8], metadata: &Value) -> String {
    let mut covered = metadata.clone();
    if let Some(fields) = covered.as_object_mut() {
        fields.remove("hash");
    }
    digest(previous, id, event_type, data, json::canonical(&covered).as_bytes())
}

fn digest(previous: &str, id: Uuid, event_type: &str, data: &[u8], metadata: &[u8]) -> String {
    let mut digest = Sha256::new();
    for part in [previous.as_bytes(), id.to_string().as_bytes(), event_type.as_bytes(), data] {
        digest.update(part);
        digest.update(b"\n");
    }
    digest.update(metadata);
    format!("{:x}", digest.finalize())
}

/// What the hash covers of the metadata: the same text as [`link`] makes of it, written at once. The names are in their order.
fn covered(metadata: &Metadata) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    struct Covered<'a> {
        #[serde(rename = "$causationId", skip_serializing_if = "Option::is_none")]
        causation_id: Option<Uuid>,
        #[serde(rename = "$correlationId")]
        correlation_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        actor: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
        schema: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        traceparent: Option<&'a str>,
    }
    let Metadata { correlation_id, causation_id, traceparent, actor, reason, schema, hash: _ } = metadata;
    serde_json::to_vec(&Covered {
        causation_id: *causation_id,
        correlation_id,
        actor: actor.as_deref(),
        reason: reason.as_deref(),
        schema: *schema,
        traceparent: traceparent.as_deref(),
    })
}

fn read<T: DeserializeOwned>(event_type: &str, part: &'static str, bytes: &[u8]) -> Result<T, WireError> {
    serde_json::from_slice(bytes).map_err(|source| WireError::Malformed {
        part,
        event_type: event_type.to_owned(),
        source,
    })
}

/// One line an event: its name in the log is its variant's.
macro_rules! events {
    ($($name:ident),* $(,)?) => {
        fn data_of(event: &Event) -> Result<Vec<u8>, serde_json::Error> {
            match event { $(Event::$name(data) => serde_json::to_vec(data),)* }
        }

        /// How many bytes the data of an event has, personal data in the clear.
        pub(crate) fn data_size(event: &Event) -> usize {
            match event { $(Event::$name(data) => json_size(data),)* }
        }

        fn event_of(event_type: &str, data: &[u8]) -> Result<Event, WireError> {
            match event_type {
                $(stringify!($name) => Ok(Event::$name(read(event_type, "data", data)?)),)*
                unknown => Err(WireError::UnknownType(unknown.to_owned())),
            }
        }
    };
}

events!(
    OrderPlaced,
    StepStarted,
    WaitStarted,
    StepAccepted,
    StepCompleted,
    StepAttemptFailed,
    StepFailed,
    StepSkipped,
    StatusChanged,
    OrderPaused,
    OrderResumed,
    CompensationStarted,
    CompensationCompleted,
    OrderCompleted,
    OrderCanceled,
    OrderStuck,
    DecisionSplit,
);

/// What the streams of workflow definitions start with; the workflow's name follows.
pub const WORKFLOW_STREAM_PREFIX: &str = "workflow-";
/// What the streams of idempotency keys start with; the key's hash follows.
pub const KEY_STREAM_PREFIX: &str = "key-";

/// A definition was registered. The only event of a `workflow-{name}` stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowRegistered {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// The YAML text, as it was given.
    pub source: String,
    /// When.
    pub at: Timestamp,
}

impl WorkflowRegistered {
    /// Its name in the log.
    pub const TYPE: &'static str = "WorkflowRegistered";
}

/// Reads an event of a workflow's stream.
pub fn decode_workflow(event_type: &str, data: &[u8]) -> Result<WorkflowRegistered, WireError> {
    if event_type != WorkflowRegistered::TYPE {
        return Err(WireError::UnknownType(event_type.to_owned()));
    }
    read(event_type, "data", data)
}
