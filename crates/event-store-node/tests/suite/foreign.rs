//! A backup of a server that is no embedded node.

use std::pin::Pin;

use event_store::EventStore;
use event_store_node::backup::{BackupError, backup};
use event_store_protocol::shared::{StreamIdentifier, Uuid, uuid};
use event_store_protocol::streams::read_resp::read_event::{Property, RecordedEvent};
use event_store_protocol::streams::read_resp::{Content, ReadEvent};
use event_store_protocol::streams::streams_server::{Streams, StreamsServer};
use event_store_protocol::streams::{
    AppendReq, AppendResp, BatchAppendReq, BatchAppendResp, DeleteReq, DeleteResp, ReadReq, ReadResp,
};
use futures::Stream;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

/// A server whose log has one event, at this position.
struct OneEvent {
    position: u64,
}

impl OneEvent {
    fn event(&self) -> ReadEvent {
        let property = |name: &'static str, value: &'static str| Property { name: name.into(), value: value.into() };
        let event = RecordedEvent {
            id: Some(Uuid { value: Some(uuid::Value::String("00000000-0000-0000-0000-000000000001".into())) }),
            stream_identifier: Some(StreamIdentifier { stream_name: "a".into() }),
            commit_position: self.position,
            prepare_position: self.position,
            metadata: vec![property("type", "Happened"), property("created", "17000000000000000")],
            ..RecordedEvent::default()
        };
        ReadEvent { event: Some(event), ..ReadEvent::default() }
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Streams for OneEvent {
    type ReadStream = Answers<ReadResp>;
    type BatchAppendStream = Answers<BatchAppendResp>;

    async fn read(&self, _: Request<ReadReq>) -> Result<Response<Self::ReadStream>, Status> {
        let event = ReadResp { content: Some(Content::Event(self.event())) };
        Ok(Response::new(Box::pin(futures::stream::iter([Ok(event)]))))
    }

    async fn append(&self, _: Request<Streaming<AppendReq>>) -> Result<Response<AppendResp>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn delete(&self, _: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn tombstone(&self, _: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn batch_append(
        &self,
        _: Request<Streaming<BatchAppendReq>>,
    ) -> Result<Response<Self::BatchAppendStream>, Status> {
        Err(Status::unimplemented(""))
    }
}

#[tokio::test]
async fn a_server_that_is_no_embedded_node_is_not_backed_up_and_no_folder_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = TcpIncoming::from_listener(listener, true, None).unwrap();
    let server = tonic::transport::Server::builder().add_service(StreamsServer::new(OneEvent { position: 548 }));
    tokio::spawn(server.serve_with_incoming(incoming));
    let store = EventStore::connect(&format!("esdb://{address}?tls=false")).unwrap();
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("backup");
    let error = backup(&store, &folder).await.unwrap_err();
    assert!(matches!(error, BackupError::NotANode { .. }), "{error}");
    assert!(!folder.exists());
}
