//! The wire form of events in the log: names, versions, metadata, and the hash chain. No other
//! module knows it.
//!
//! The data of an event is the JSON of its struct. The metadata name the version of that struct,
//! the order and the cause. They also hold the link of the hash chain: SHA-256 over the previous
//! link and everything in this event.

pub mod erasures;
#[cfg(test)]
pub(crate) mod golden_tests;
pub mod participants;
pub mod webhooks;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use crate::streams::{KEY_STREAM_PREFIX, WORKFLOW_STREAM_PREFIX};

use crate::Timestamp;
use crate::json;
use crate::order::{CustomerKey, Event, json_size};

/// The schema version of events, except for [`SEALED`] and [`PLACEHOLDERS_LISTED`] ones.
pub const SCHEMA: u32 = 1;

/// The version of an `OrderPlaced` with sealed personal data. In the first version they are
/// readable.
pub const SEALED: u32 = 2;

/// The version of an event that lists its real placeholders. A build without this version would
/// also fill in text that only looks like one.
pub const PLACEHOLDERS_LISTED: u32 = 2;

/// The last events of an order's stream.
pub const ENDS: [&str; 2] = ["OrderCompleted", "OrderCanceled"];

/// The event with personal data.
const PLACED: &str = "OrderPlaced";

/// The events that record values of expressions.
const WITH_PLACEHOLDERS: [&str; 3] = ["StepStarted", "WaitStarted", "OrderCompleted"];

/// The link before the first event of every chain.
pub const CHAIN_START: &str = "";

/// The metadata of an event. Names with `$` are `EventStoreDB`'s conventions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The order.
    #[serde(rename = "$correlationId")]
    pub correlation_id: String,
    /// The event that caused this one.
    #[serde(rename = "$causationId", default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// W3C Trace Context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The principal, if a person acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The second person who approved what the principal asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// The reason, if a person gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The schema version of the data.
    pub schema: u32,
    /// The link of the hash chain, in hex.
    pub hash: String,
}

/// An event in the form of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The name.
    pub event_type: &'static str,
    /// JSON.
    pub data: Vec<u8>,
    /// JSON.
    pub metadata: Vec<u8>,
    /// The link of the hash chain, on which the next event's link builds.
    pub hash: String,
}

/// An event from the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The event.
    pub event: Event,
    /// Its metadata.
    pub metadata: Metadata,
}

/// What the writer adds to an event.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The order.
    pub correlation_id: String,
    /// The event that caused this one.
    pub causation_id: Option<Uuid>,
    /// W3C Trace Context.
    pub traceparent: Option<String>,
    /// The principal.
    pub actor: Option<String>,
    /// The second person who approved it.
    pub approved_by: Option<String>,
    /// The reason.
    pub reason: Option<String>,
    /// The key that seals personal data; `None`: they stay readable.
    pub key: Option<CustomerKey>,
}

/// Why bytes are not an event.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// No event has this name.
    #[error("unknown event type {0:?}")]
    UnknownType(String),
    /// A later version of Tenuto wrote it.
    #[error("{event_type} is written in schema version {found}, which this version of Tenuto does not know")]
    UnknownVersion {
        /// The event's name.
        event_type: String,
        /// The version.
        found: u32,
    },
    /// The JSON has another form.
    #[error("the {part} of {event_type} cannot be read: {source}")]
    Malformed {
        /// Data or metadata.
        part: &'static str,
        /// The event's name.
        event_type: String,
        /// The error, with its place.
        source: serde_json::Error,
    },
}

/// Encodes an event, and links it to the event before it, whose hash is `previous` ([`CHAIN_START`]
/// for the first event).
pub fn encode(event: &Event, id: Uuid, previous: &str, context: &Context) -> Result<Encoded, serde_json::Error> {
    let event_type = event.type_name();
    let (schema, data) = if let (Event::OrderPlaced(placed), Some(key)) = (event, &context.key) {
        (SEALED, serde_json::to_vec(&placed.sealed_with(key, id)?)?)
    } else if matches!(event, Event::OrderPlaced(placed) if placed.sealed.is_some()) {
        (SEALED, data_of(event)?)
    } else if event.placeholders().is_some() {
        (PLACEHOLDERS_LISTED, data_of(event)?)
    } else {
        (SCHEMA, data_of(event)?)
    };
    let mut metadata = Metadata {
        correlation_id: context.correlation_id.clone(),
        causation_id: context.causation_id,
        traceparent: context.traceparent.clone(),
        actor: context.actor.clone(),
        approved_by: context.approved_by.clone(),
        reason: context.reason.clone(),
        schema,
        hash: String::new(),
    };
    metadata.hash = digest(previous, id, event_type, &data, &covered(&metadata)?);
    let hash = metadata.hash.clone();
    Ok(Encoded { event_type, data, metadata: serde_json::to_vec(&metadata)?, hash })
}

/// Whether any version of Tenuto wrote this event: its metadata have our fields.
pub fn is_ours(metadata: &[u8]) -> bool {
    serde_json::from_slice::<Metadata>(metadata).is_ok_and(|metadata| !metadata.hash.is_empty())
}

/// Decodes an event of an order's stream.
pub fn decode(event_type: &str, data: &[u8], metadata: &[u8]) -> Result<Decoded, WireError> {
    let metadata: Metadata = read(event_type, "metadata", metadata)?;
    Ok(Decoded { event: event_in(metadata.schema, event_type, data)?, metadata })
}

/// Decodes an event of an order's stream, and only the version of its metadata.
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
        PLACEHOLDERS_LISTED if WITH_PLACEHOLDERS.contains(&event_type) => event_of(event_type, data)?,
        found => return Err(WireError::UnknownVersion { event_type: event_type.to_owned(), found }),
    };
    let malformed = |what: &str| {
        let source = serde::de::Error::custom(what);
        Err(WireError::Malformed { part: "data", event_type: event_type.to_owned(), source })
    };
    if matches!(&event, Event::OrderPlaced(placed) if placed.sealed.is_some() != (schema == SEALED)) {
        return malformed("`sealed` does not go with the version");
    }
    // A reader of that earlier version would ignore the list, and fill in other text.
    if event.placeholders().is_some() != (schema == PLACEHOLDERS_LISTED && event_type != PLACED) {
        return malformed("`placeholders` does not go with the version");
    }
    Ok(event)
}

/// The data of an event as JSON, as [`encode`] writes it.
pub fn data_json(event: &Event) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(&data_of(event)?)
}

/// The link of the chain: SHA-256 (hex) over the previous link, the event's id, its type, its
/// stored data, and its metadata without the link (as [`json::canonical`]), one in each line.
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

/// The part of the metadata that the hash covers: the same text as in [`link`], written directly.
/// The names are sorted.
fn covered(metadata: &Metadata) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    struct Covered<'a> {
        #[serde(rename = "$causationId", skip_serializing_if = "Option::is_none")]
        causation_id: Option<Uuid>,
        #[serde(rename = "$correlationId")]
        correlation_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        actor: Option<&'a str>,
        #[serde(rename = "approvedBy", skip_serializing_if = "Option::is_none")]
        approved_by: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
        schema: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        traceparent: Option<&'a str>,
    }
    let Metadata { correlation_id, causation_id, traceparent, actor, approved_by, reason, schema, hash: _ } = metadata;
    serde_json::to_vec(&Covered {
        causation_id: *causation_id,
        correlation_id,
        actor: actor.as_deref(),
        approved_by: approved_by.as_deref(),
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

/// One line for each event. Its name in the log is the name of its variant.
macro_rules! events {
    ($($name:ident),* $(,)?) => {
        fn data_of(event: &Event) -> Result<Vec<u8>, serde_json::Error> {
            match event { $(Event::$name(data) => serde_json::to_vec(data),)* }
        }

        /// The bytes of an event's data, with readable personal data.
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
    OrderNoted,
    OperationRequested,
    RequestSettled,
    OrderPaused,
    OrderResumed,
    CompensationStarted,
    CompensationCompleted,
    OrderCompleted,
    OrderCanceled,
    OrderStuck,
    DecisionSplit,
);

/// An author registered a definition. This is the only event of `workflow-{name}` streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowRegistered {
    /// The name.
    pub name: String,
    /// The version.
    pub version: u32,
    /// The YAML text of the author.
    pub source: String,
    /// When it was registered.
    pub at: Timestamp,
}

impl WorkflowRegistered {
    /// The name in the log.
    pub const TYPE: &'static str = "WorkflowRegistered";
}

/// Decodes an event of a workflow's stream.
pub fn decode_workflow(event_type: &str, data: &[u8]) -> Result<WorkflowRegistered, WireError> {
    if event_type != WorkflowRegistered::TYPE {
        return Err(WireError::UnknownType(event_type.to_owned()));
    }
    read(event_type, "data", data)
}
