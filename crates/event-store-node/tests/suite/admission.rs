//! Unfinished calls and messages of clients take at most the memory reserved for them, and end
//! after a time.

use std::time::Duration;

use bytes::Bytes;
use event_store::{AppendError, EventStore, Expected};
use event_store_node::{Node, NodeHandle, NodeOptions};
use futures::future::join_all;
use h2::client::ResponseFuture;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tonic::Code;

use super::child::NodeProcess;
use super::grpc::{begin, connection, framed};
use super::support::{LIMIT, event, events, unique};

const APPEND: &str = "/event_store.client.streams.Streams/Append";
const BATCH_APPEND: &str = "/event_store.client.streams.Streams/BatchAppend";
const READ: &str = "/event_store.client.streams.Streams/Read";

/// How a call has ended.
async fn status(answer: ResponseFuture) -> Option<Code> {
    let (head, mut body) = answer.await.ok()?.into_parts();
    while let Some(Ok(piece)) = body.data().await {
        body.flow_control().release_capacity(piece.len()).ok()?;
    }
    let tail = body.trailers().await.ok()?.unwrap_or(head.headers);
    Some(Code::from_bytes(tail.get("grpc-status")?.as_bytes()))
}

/// The fields of the protocol's messages that the tests use.
mod wire {
    use std::collections::HashMap;

    use bytes::Bytes;

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct AppendReq {
        #[prost(message, optional, tag = "1")]
        pub options: Option<Options>,
        #[prost(message, optional, tag = "2")]
        pub event: Option<Event>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct BatchAppendReq {
        #[prost(message, optional, tag = "1")]
        pub id: Option<Uuid>,
        #[prost(message, optional, tag = "2")]
        pub options: Option<Options>,
        #[prost(message, repeated, tag = "3")]
        pub events: Vec<Event>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Options {
        #[prost(message, optional, tag = "1")]
        pub stream: Option<Stream>,
        #[prost(message, optional, tag = "4")]
        pub any: Option<()>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Stream {
        #[prost(string, tag = "3")]
        pub name: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Event {
        #[prost(message, optional, tag = "1")]
        pub id: Option<Uuid>,
        #[prost(map = "string, string", tag = "2")]
        pub properties: HashMap<String, String>,
        #[prost(bytes = "bytes", tag = "4")]
        pub data: Bytes,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Uuid {
        #[prost(string, tag = "2")]
        pub text: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct BatchAppendResp {
        #[prost(message, optional, tag = "1")]
        pub id: Option<Uuid>,
        #[prost(message, optional, tag = "2")]
        pub error: Option<Error>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Error {
        #[prost(int32, tag = "1")]
        pub code: i32,
    }
}

fn options(stream: &str) -> wire::Options {
    wire::Options { stream: Some(wire::Stream { name: stream.into() }), any: Some(()) }
}

fn wire_event(bytes: usize) -> wire::Event {
    let properties = [("type", "Happened"), ("content-type", "application/octet-stream")];
    wire::Event {
        id: Some(id()),
        properties: properties.map(|(name, value)| (name.into(), value.into())).into(),
        data: vec![0; bytes].into(),
    }
}

fn id() -> wire::Uuid {
    wire::Uuid { text: uuid::Uuid::new_v4().to_string() }
}

async fn node(change: impl FnOnce(NodeOptions) -> NodeOptions) -> (NodeHandle, EventStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(change(NodeOptions::in_folder(folder.path()))).await.unwrap();
    let store = EventStore::connect(&node.connection_string()).unwrap();
    (node, store, folder)
}

/// Waits until there is room for an append.
async fn until_it_appends(store: &EventStore) {
    let appended = async {
        while let Err(error) = store.append(&unique("order"), Expected::NoStream, vec![event("Happened")]).await {
            assert!(matches!(error, AppendError::Unavailable(_)), "{error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, appended).await.expect("nothing can be appended any more");
}

#[tokio::test]
async fn connections_beyond_the_bound_are_closed_and_freed_places_are_used_again() {
    let (node, _, _folder) = node(|options| NodeOptions { max_connections: 4, ..options }).await;
    let address = node.address().to_string();
    let open = join_all((0..4).map(|_| connection(&address))).await;
    assert!(open.iter().all(Result::is_ok));
    let mut refused = TcpStream::connect(&address).await.unwrap();
    assert!(!matches!(timeout(LIMIT, refused.read(&mut [0])).await.unwrap(), Ok(1..)), "one too many is answered");
    drop(open);
    let place = async {
        while connection(&address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LIMIT, place).await.expect("the places stay taken");
}

#[tokio::test]
async fn a_connection_without_its_first_bytes_is_cut() {
    let (node, ..) = node(|options| NodeOptions { patience: Duration::from_millis(300), ..options }).await;
    for words in ["", "PRI * HTTP/2.0\r\n\r\nS"] {
        let mut silent = TcpStream::connect(node.address()).await.unwrap();
        silent.write_all(words.as_bytes()).await.unwrap();
        let answer = timeout(LIMIT, silent.read_to_end(&mut Vec::new())).await;
        assert!(answer.is_ok(), "it stays open after {words:?}");
    }
}

#[tokio::test]
async fn calls_beyond_the_bound_are_refused_and_the_others_continue() {
    let (node, _, _folder) = node(|options| NodeOptions { max_calls: 8, ..options }).await;
    let mut sender = connection(&node.address().to_string()).await.unwrap();
    let under_way: Vec<_> = (0..8).map(|_| begin(&mut sender, APPEND)).collect();
    let (answer, _body) = begin(&mut sender, READ);
    assert_eq!(timeout(LIMIT, status(answer)).await.unwrap(), Some(Code::Unavailable));
    for (number, (answer, mut body)) in under_way.into_iter().enumerate() {
        let stream = format!("order-{number}");
        body.send_data(framed(&wire::AppendReq { options: Some(options(&stream)), event: None }), false).unwrap();
        body.send_data(framed(&wire::AppendReq { options: None, event: Some(wire_event(9)) }), true).unwrap();
        assert_eq!(timeout(LIMIT, status(answer)).await.unwrap(), Some(Code::Ok));
    }
    let (answer, mut body) = begin(&mut sender, READ);
    body.send_data(Bytes::from_static(&[0; 5]), true).unwrap();
    assert_eq!(timeout(LIMIT, status(answer)).await.unwrap(), Some(Code::InvalidArgument));
}

#[tokio::test]
async fn messages_that_never_become_complete_delay_no_small_ones_and_end_in_time() {
    // In the first round the time limit is longer than the test, so the small append passes only if
    // there is room for both.
    for patience in [10 * LIMIT, Duration::from_millis(500)] {
        messages_that_never_become_complete(patience).await;
    }
}

async fn messages_that_never_become_complete(patience: Duration) {
    let (node, store, _folder) = node(|options| NodeOptions { intake_bytes: 1 << 20, patience, ..options }).await;
    let mut sender = connection(&node.address().to_string()).await.unwrap();
    let whole = framed(&wire::AppendReq { options: None, event: Some(wire_event(600 << 10)) });
    let halves: Vec<_> = (0..10)
        .map(|_| {
            let (answer, mut body) = begin(&mut sender, APPEND);
            body.send_data(whole.slice(..30 << 10), false).unwrap();
            (answer, body)
        })
        .collect();
    until_it_appends(&store).await;
    if patience > LIMIT {
        return;
    }
    let mut given_up = 0;
    for (answer, _body) in halves {
        match timeout(LIMIT, status(answer)).await.unwrap() {
            Some(Code::Aborted) => given_up += 1,
            refused => assert_eq!(refused, Some(Code::ResourceExhausted)),
        }
    }
    assert_eq!(given_up, 1, "there was room for one of 600 KiB");
    store.append(&unique("order"), Expected::NoStream, events(2000)).await.unwrap();
}

#[tokio::test]
async fn appends_that_are_never_complete_are_given_up_and_their_room_is_used_again() {
    let patience = Duration::from_millis(500);
    let (node, store, _folder) = node(|options| NodeOptions { intake_bytes: 1 << 20, patience, ..options }).await;
    let mut sender = connection(&node.address().to_string()).await.unwrap();
    let halves: Vec<_> = (0..10)
        .map(|_| {
            let (answer, mut body) = begin(&mut sender, APPEND);
            body.send_data(framed(&wire::AppendReq { options: Some(options("order")), event: None }), false).unwrap();
            let event = Some(wire_event(300 << 10));
            body.send_data(framed(&wire::AppendReq { options: None, event }), false).unwrap();
            (answer, body)
        })
        .collect();
    let mut codes = Vec::new();
    for (answer, _body) in halves {
        codes.push(timeout(LIMIT, status(answer)).await.unwrap().unwrap());
    }
    let refused = codes.iter().filter(|code| **code == Code::ResourceExhausted).count();
    let given_up = codes.iter().filter(|code| **code == Code::Aborted).count();
    assert!((1..=3).contains(&given_up) && refused + given_up == codes.len(), "{codes:?}");
    until_it_appends(&store).await;
}

#[tokio::test]
async fn an_append_of_a_batch_that_is_never_complete_is_given_up_without_the_others() {
    let patience = Duration::from_millis(300);
    let (node, ..) = node(|options| NodeOptions { patience, ..options }).await;
    let mut sender = connection(&node.address().to_string()).await.unwrap();
    let (answer, mut body) = begin(&mut sender, BATCH_APPEND);
    let incomplete =
        wire::BatchAppendReq { id: Some(id()), options: Some(options("order")), events: vec![wire_event(9)] };
    body.send_data(framed(&incomplete), false).unwrap();
    let mut answers = timeout(LIMIT, answer).await.unwrap().unwrap().into_body();
    let message = timeout(LIMIT, answers.data()).await.unwrap().unwrap().unwrap();
    let answer: wire::BatchAppendResp = prost::Message::decode(&message[5..]).unwrap();
    assert_eq!(answer.id, incomplete.id);
    assert_eq!(answer.error.unwrap().code, i32::from(Code::DeadlineExceeded));
    assert!(timeout(2 * patience, answers.data()).await.is_err(), "the batch has ended with it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_calls_take_no_more_memory_than_is_reserved() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = NodeProcess::start(folder.path(), "127.0.0.1:0").unwrap();
    let idle = node.usage().memory;
    let mut held = Vec::new();
    let large = framed(&wire::AppendReq { options: None, event: Some(wire_event(900 << 10)) });
    let batch = wire::BatchAppendReq { id: None, options: Some(options("order")), events: vec![wire_event(900 << 10)] };
    for _ in 0..4 {
        let mut sender = connection(node.address()).await.unwrap();
        for number in 0..150 {
            sender = sender.ready().await.unwrap();
            let (answer, mut body) = begin(&mut sender, if number % 3 == 0 { BATCH_APPEND } else { APPEND });
            match number % 3 {
                0 => body.send_data(framed(&wire::BatchAppendReq { id: Some(id()), ..batch.clone() }), false).unwrap(),
                1 => body.send_data(large.slice(..large.len() - 1), false).unwrap(),
                _ => {
                    let options = wire::AppendReq { options: Some(options("order")), event: None };
                    body.send_data(framed(&options), false).unwrap();
                    body.send_data(large.clone(), false).unwrap();
                }
            }
            held.push((answer, body));
        }
    }
    // While more arrives, more memory may be used.
    let mut highest = 0;
    let calm = Instant::now() + Duration::from_secs(3);
    while Instant::now() < calm {
        highest = highest.max(node.usage().memory);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{} MiB held of some 520 MiB offered", (highest - idle) >> 20);
    assert!(highest - idle < 200 << 20, "{} MiB", (highest - idle) >> 20);
    node.kill();
}
