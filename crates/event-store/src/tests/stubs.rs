//! Stub nodes of a cluster: they report which of them leads, and the leader takes appends. Each can
//! be frozen, as by a stopped process or an unplugged cable: its port still accepts connections,
//! and nothing is answered.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use event_store_protocol::gossip::gossip_server::{Gossip, GossipServer};
use event_store_protocol::gossip::member_info::VNodeState;
use event_store_protocol::gossip::{ClusterInfo, EndPoint, MemberInfo};
use event_store_protocol::shared::Empty;
use event_store_protocol::streams::append_resp::success::CurrentRevisionOption;
use event_store_protocol::streams::append_resp::{self, Success};
use event_store_protocol::streams::streams_server::{Streams, StreamsServer};
use event_store_protocol::streams::{
    AppendReq, AppendResp, BatchAppendReq, BatchAppendResp, DeleteReq, DeleteResp, ReadReq, ReadResp,
};
use futures::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tonic::metadata::MetadataValue;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status, Streaming};

/// The answers of all nodes of a cluster.
#[derive(Default)]
struct Answers {
    ports: Vec<u16>,
    leader: Option<usize>,
    /// The number of appends, by node.
    appends: HashMap<usize, usize>,
    /// A refusal of every call.
    refusal: Option<Code>,
    /// A refusal of appends only.
    append_refusal: Option<Code>,
}

pub(super) struct Cluster {
    answers: Arc<Mutex<Answers>>,
    frozen: Vec<watch::Sender<bool>>,
    ports: Vec<u16>,
}

impl Cluster {
    pub(super) async fn start(nodes: usize) -> Self {
        let answers = Arc::new(Mutex::new(Answers { leader: Some(0), ..Answers::default() }));
        let (mut frozen, mut ports) = (Vec::new(), Vec::new());
        for number in 0..nodes {
            let inner = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let behind = inner.local_addr().unwrap();
            let node = Node { number, answers: answers.clone() };
            let incoming = TcpIncoming::from_listener(inner, true, None).unwrap();
            let server = tonic::transport::Server::builder()
                .add_service(GossipServer::new(node.clone()))
                .add_service(StreamsServer::new(node));
            tokio::spawn(server.serve_with_incoming(incoming));
            let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
            ports.push(front.local_addr().unwrap().port());
            let (freeze, is_frozen) = watch::channel(false);
            frozen.push(freeze);
            tokio::spawn(forward(front, behind, is_frozen));
        }
        answers.lock().unwrap().ports.clone_from(&ports);
        Self { answers, frozen, ports }
    }

    pub(super) fn connection_string(&self, options: &str) -> String {
        let hosts: Vec<_> = self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("esdb://{}?tls=false{options}", hosts.join(","))
    }

    pub(super) fn connection_string_of(&self, node: usize) -> String {
        format!("esdb://127.0.0.1:{}?tls=false", self.ports[node])
    }

    pub(super) fn address(&self, node: usize) -> SocketAddr {
        ([127, 0, 0, 1], self.ports[node]).into()
    }

    pub(super) fn freeze(&self, node: usize) {
        self.frozen[node].send_replace(true);
    }

    pub(super) fn elect(&self, leader: Option<usize>) {
        self.answers.lock().unwrap().leader = leader;
    }

    pub(super) fn refuse(&self, code: Option<Code>) {
        self.answers.lock().unwrap().refusal = code;
    }

    pub(super) fn refuse_appends(&self, code: Code) {
        self.answers.lock().unwrap().append_refusal = Some(code);
    }

    pub(super) fn appends(&self, node: usize) -> usize {
        self.answers.lock().unwrap().appends.get(&node).copied().unwrap_or_default()
    }
}

/// Forwards bytes both ways, and none while it is frozen.
async fn forward(front: TcpListener, behind: SocketAddr, frozen: watch::Receiver<bool>) {
    while let Ok((client, _)) = front.accept().await {
        let frozen = frozen.clone();
        tokio::spawn(async move {
            let server = TcpStream::connect(behind).await.unwrap();
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            tokio::join!(carry(from_client, to_server, frozen.clone()), carry(from_server, to_client, frozen));
        });
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut frozen: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count) = from.read(&mut buffer).await {
        if frozen.wait_for(|frozen| !frozen).await.is_err()
            || count == 0
            || to.write_all(&buffer[..count]).await.is_err()
        {
            return;
        }
    }
}

#[derive(Clone)]
struct Node {
    number: usize,
    answers: Arc<Mutex<Answers>>,
}

#[tonic::async_trait]
impl Gossip for Node {
    async fn read(&self, _: Request<Empty>) -> Result<Response<ClusterInfo>, Status> {
        let answers = self.answers.lock().unwrap();
        let members = answers.ports.iter().enumerate().map(|(number, port)| MemberInfo {
            state: if answers.leader == Some(number) { VNodeState::Leader } else { VNodeState::Follower }.into(),
            is_alive: true,
            http_end_point: Some(EndPoint { address: "127.0.0.1".into(), port: (*port).into() }),
            ..MemberInfo::default()
        });
        Ok(Response::new(ClusterInfo { members: members.collect() }))
    }
}

type Never<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Streams for Node {
    type ReadStream = Never<ReadResp>;
    type BatchAppendStream = Never<BatchAppendResp>;

    async fn append(&self, mut request: Request<Streaming<AppendReq>>) -> Result<Response<AppendResp>, Status> {
        while request.get_mut().message().await?.is_some() {}
        let mut answers = self.answers.lock().unwrap();
        if let Some(code) = answers.refusal.or(answers.append_refusal) {
            return Err(Status::new(code, "refused"));
        }
        if answers.leader != Some(self.number) {
            let mut status = Status::not_found("Leader info available");
            let metadata = status.metadata_mut();
            metadata.insert("exception", MetadataValue::from_static("not-leader"));
            if let Some(leader) = answers.leader {
                metadata.insert("leader-endpoint-host", MetadataValue::from_static("127.0.0.1"));
                metadata.insert("leader-endpoint-port", MetadataValue::from(answers.ports[leader]));
            }
            return Err(status);
        }
        *answers.appends.entry(self.number).or_default() += 1;
        let success =
            Success { current_revision_option: Some(CurrentRevisionOption::CurrentRevision(0)), ..Success::default() };
        Ok(Response::new(AppendResp { result: Some(append_resp::Result::Success(success)) }))
    }

    async fn read(&self, _: Request<ReadReq>) -> Result<Response<Self::ReadStream>, Status> {
        let answers = self.answers.lock().unwrap();
        if let Some(code) = answers.refusal {
            return Err(Status::new(code, "refused"));
        }
        Ok(Response::new(Box::pin(futures::stream::empty())))
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
