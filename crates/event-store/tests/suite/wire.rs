//! Messages of the protocol, written by the tests: only the fields that they use.

use std::collections::HashMap;

use bytes::Bytes;
use prost::Message;

pub const BATCH_APPEND: &str = "/event_store.client.streams.Streams/BatchAppend";
pub const READ: &str = "/event_store.client.streams.Streams/Read";
pub const TOMBSTONE: &str = "/event_store.client.streams.Streams/Tombstone";
pub const CREATE_GROUP: &str = "/event_store.client.persistent_subscriptions.PersistentSubscriptions/Create";

#[derive(Clone, PartialEq, Message)]
pub struct Stream {
    #[prost(string, tag = "3")]
    pub name: String,
}

pub fn stream(name: &str) -> Stream {
    Stream { name: name.into() }
}

#[derive(Clone, PartialEq, Message)]
pub struct Uuid {
    #[prost(string, tag = "2")]
    pub text: String,
}

pub fn new_id() -> Uuid {
    Uuid { text: uuid::Uuid::new_v4().to_string() }
}

#[derive(Clone, PartialEq, Message)]
pub struct Event {
    #[prost(message, optional, tag = "1")]
    pub id: Option<Uuid>,
    #[prost(map = "string, string", tag = "2")]
    pub properties: HashMap<String, String>,
    #[prost(bytes = "bytes", tag = "4")]
    pub data: Bytes,
}

pub fn event(size: usize) -> Event {
    let property = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let properties = [property("type", "Happened"), property("content-type", "application/octet-stream")];
    Event { id: Some(new_id()), properties: properties.into(), data: vec![b'x'; size].into() }
}

#[derive(Clone, PartialEq, Message)]
pub struct BatchAppendReq {
    #[prost(message, optional, tag = "1")]
    pub id: Option<Uuid>,
    #[prost(message, optional, tag = "2")]
    pub options: Option<BatchOptions>,
    #[prost(message, repeated, tag = "3")]
    pub events: Vec<Event>,
    #[prost(bool, tag = "4")]
    pub is_final: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct BatchOptions {
    #[prost(message, optional, tag = "1")]
    pub stream: Option<Stream>,
    #[prost(message, optional, tag = "4")]
    pub any: Option<()>,
    #[prost(message, optional, tag = "6")]
    pub until: Option<Moment>,
    #[prost(message, optional, tag = "7")]
    pub within: Option<Moment>,
}

/// A point in time or a duration: both are seconds and nanoseconds.
#[derive(Clone, PartialEq, Message)]
pub struct Moment {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct BatchAppendResp {
    #[prost(message, optional, tag = "1")]
    pub id: Option<Uuid>,
    #[prost(message, optional, tag = "2")]
    pub error: Option<Error>,
    #[prost(message, optional, tag = "4")]
    pub stream: Option<Stream>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Error {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
}

/// A call about one stream, in any version of the protocol.
#[derive(Clone, PartialEq, Message)]
pub struct AboutStream {
    #[prost(message, optional, tag = "1")]
    pub options: Option<AboutStreamOptions>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AboutStreamOptions {
    #[prost(message, optional, tag = "1")]
    pub stream: Option<Stream>,
    #[prost(message, optional, tag = "4")]
    pub any: Option<()>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ReadReq {
    #[prost(message, optional, tag = "1")]
    pub options: Option<ReadOptions>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ReadOptions {
    #[prost(message, optional, tag = "1")]
    pub stream: Option<ReadStream>,
    #[prost(uint64, optional, tag = "5")]
    pub count: Option<u64>,
    #[prost(message, optional, tag = "8")]
    pub no_filter: Option<()>,
    #[prost(message, optional, tag = "9")]
    pub ids: Option<IdOption>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ReadStream {
    #[prost(message, optional, tag = "1")]
    pub stream: Option<Stream>,
    #[prost(message, optional, tag = "3")]
    pub start: Option<()>,
}

#[derive(Clone, PartialEq, Message)]
pub struct IdOption {
    #[prost(message, optional, tag = "2")]
    pub text: Option<()>,
}

/// Reads a stream from its start.
pub fn read(name: &str) -> ReadReq {
    ReadReq {
        options: Some(ReadOptions {
            stream: Some(ReadStream { stream: Some(stream(name)), start: Some(()) }),
            count: Some(10),
            no_filter: Some(()),
            ids: Some(IdOption { text: Some(()) }),
        }),
    }
}

#[derive(Clone, PartialEq, Message)]
pub struct CreateReq {
    #[prost(message, optional, tag = "1")]
    pub options: Option<CreateOptions>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CreateOptions {
    #[prost(string, tag = "2")]
    pub group: String,
    #[prost(message, optional, tag = "3")]
    pub settings: Option<Settings>,
    #[prost(message, optional, tag = "5")]
    pub all: Option<AllOptions>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AllOptions {
    #[prost(message, optional, tag = "1")]
    pub position: Option<Position>,
    #[prost(message, optional, tag = "5")]
    pub no_filter: Option<()>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Position {
    #[prost(uint64, tag = "1")]
    pub commit: u64,
    #[prost(uint64, tag = "2")]
    pub prepare: u64,
}

#[derive(Clone, PartialEq, Message)]
pub struct Settings {
    #[prost(int32, tag = "5")]
    pub max_retry_count: i32,
    #[prost(int32, tag = "7")]
    pub min_checkpoint_count: i32,
    #[prost(int32, tag = "8")]
    pub max_checkpoint_count: i32,
    #[prost(int32, tag = "10")]
    pub live_buffer_size: i32,
    #[prost(int32, tag = "11")]
    pub read_batch_size: i32,
    #[prost(int32, tag = "12")]
    pub history_buffer_size: i32,
    #[prost(int32, tag = "14")]
    pub message_timeout_ms: i32,
    #[prost(int32, tag = "15")]
    pub checkpoint_after_ms: i32,
    #[prost(string, tag = "16")]
    pub strategy: String,
}

/// Settings that any server accepts.
pub fn settings() -> Settings {
    Settings {
        max_retry_count: 10,
        min_checkpoint_count: 10,
        max_checkpoint_count: 1000,
        live_buffer_size: 500,
        read_batch_size: 20,
        history_buffer_size: 500,
        message_timeout_ms: 30_000,
        checkpoint_after_ms: 2000,
        strategy: "RoundRobin".into(),
    }
}

/// A group on `$all`, from a position.
pub fn create_group(group: &str, settings: Settings, position: Position) -> CreateReq {
    let all = AllOptions { position: Some(position), no_filter: Some(()) };
    CreateReq { options: Some(CreateOptions { group: group.into(), settings: Some(settings), all: Some(all) }) }
}
