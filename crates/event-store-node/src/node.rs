//! Starting the node, and what a running one offers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use event_store::InProcess;
use futures::Stream;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::transport::Server;
use tracing::{error, info};
use uuid::Uuid;

use super::admission::Admission;
use super::connection::{self, Connection};
use super::gate::Through;
use super::in_process::{Core, Inside};
use super::intake::Intake;
use super::log::Log;
use super::member::{Advertised, Member};
use super::persistent::{Books, Groups};
use super::projections::Projections;
use super::reader::Reader;
use super::recent::Recent;
use super::scavenge::Scavenges;
use super::service::{
    self, FeaturesService, GossipServer, GossipService, MonitoringServer, MonitoringService, OperationsServer,
    OperationsService, PersistentService, PersistentSubscriptionsServer, ProjectionsServer, ProjectionsService,
    ServerFeaturesServer, StreamsServer, StreamsService,
};
use super::stats;
use super::storage::StorageError;
use super::web::Pages;
use super::writer::Writer;

/// A message may be so much larger than the largest append that one that is too large is refused with its name and not
/// cut off. No more, because a message that is full of empty ones takes many times its size in memory.
const BEYOND_LARGEST: usize = 3 << 20;
const MAX_CALLS_PER_CONNECTION: u32 = 8192;
/// What a client may send ahead, in one call and in all, before any of it is looked at.
const CALL_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// What calls under way may take to end once the node is closing.
const GRACE: Duration = Duration::from_secs(2);
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// How a node is to run.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// Where it keeps the log. Made if it is not there.
    pub folder: PathBuf,
    /// Where it listens. Port 0: any free one.
    pub address: SocketAddr,
    /// The largest append, in bytes.
    pub max_append_size: usize,
    /// How many bytes of appends may wait for the disk. Past that an append is refused at once.
    pub queue_bytes: u32,
    /// How many bytes of messages that are not yet whole may be held, of all clients together, and how many of appends
    /// that are not. Past that clients are made to wait, or refused.
    pub intake_bytes: u32,
    /// What a client may take over one message, over one append, and over its first words.
    pub patience: Duration,
    /// The most connections at a time. Further ones are closed.
    pub max_connections: usize,
    /// The most calls at a time, subscriptions among them. Further ones are refused.
    pub max_calls: usize,
    /// Where clients are told to connect, if not where they have reached the node.
    pub advertised: Advertised,
    /// Whether the system's projections run: links by category, by type and by correlation, and to each stream.
    pub system_projections: bool,
    /// Whether the node resumes a scavenge that the folder's last node did not finish. `false` is for a log that is only
    /// read.
    pub resumes_scavenges: bool,
    /// How many bytes are to be left free on the disk. When fewer are, appends are refused until there is room again.
    pub kept_free: u64,
}

impl NodeOptions {
    /// A node in a folder, on a free port of loopback, with `EventStoreDB`'s own limits.
    pub fn in_folder(folder: impl AsRef<Path>) -> Self {
        Self {
            folder: folder.as_ref().into(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            max_append_size: 1 << 20,
            queue_bytes: 64 << 20,
            intake_bytes: 64 << 20,
            patience: Duration::from_secs(30),
            max_connections: 512,
            max_calls: 16 << 10,
            advertised: Advertised { host: None, port: None },
            system_projections: false,
            resumes_scavenges: true,
            kept_free: 256 << 20,
        }
    }
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The log could not be opened.
    #[error("the event log in {} cannot be opened: {source}", folder.display())]
    Log {
        /// Where it is.
        folder: PathBuf,
        /// What is wrong with it.
        source: StorageError,
    },
    /// The address is not to be had.
    #[error("the event store cannot listen on {address}: {source}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// What the groups of consumers have written down cannot be read.
    #[error("the event store cannot take up its persistent subscriptions: {0}")]
    Groups(String),
    /// How far the system's projections have got cannot be read.
    #[error("the event store cannot take up its system projections: {0}")]
    Projections(String),
    /// The node cannot read whether a scavenge has to be resumed.
    #[error("the event store cannot take up its scavenges: {0}")]
    Scavenges(String),
    /// The system gave no thread.
    #[error("the event store cannot start its writer: {0}")]
    Thread(std::io::Error),
}

/// The embedded node; see [`Node::start`].
#[derive(Debug)]
pub struct Node;

/// A running node. Closes when dropped; [`NodeHandle::shutdown`] also waits for it.
#[derive(Debug)]
pub struct NodeHandle {
    address: SocketAddr,
    closing: DropGuard,
    asked_to_shut_down: CancellationToken,
    tasks: TaskTracker,
    writer: JoinHandle<()>,
    core: Arc<Core>,
}

impl Node {
    /// Opens the log and serves it.
    pub async fn start(options: NodeOptions) -> Result<NodeHandle, NodeError> {
        stats::begin();
        let log = open(&options.folder, options.kept_free).await?;
        let cannot_listen = |source| NodeError::Address { address: options.address, source };
        let listener = TcpListener::bind(options.address).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let last = log
            .with(|storage| storage.view().last_position())
            .map_err(|source| NodeError::Log { folder: options.folder.clone(), source })?;

        let (head_sender, head) = watch::channel(last);
        let recent = Arc::new(Recent::default());
        let (writer, thread) =
            Writer::start(log.clone(), recent.clone(), head_sender, options.queue_bytes).map_err(NodeError::Thread)?;
        let closing = CancellationToken::new();
        // Whatever has been started ends with it, should something further on fail.
        let guard = closing.clone().drop_guard();
        let tasks = TaskTracker::new();
        let reader = Reader { log, recent, head, closing: closing.clone(), held: tasks.token() };
        let asked_to_shut_down = CancellationToken::new();
        let monitoring = MonitoringService { reader: reader.clone() };
        let books = Books { reader: reader.clone(), writer: writer.clone() };
        let groups = Groups::open(books, closing.clone(), tasks.clone())
            .await
            .map_err(|failure| NodeError::Groups(failure.to_string()))?;
        let projections = if options.system_projections {
            let opened = Projections::open(reader.clone(), writer.clone()).await;
            let (projections, control) = opened.map_err(|failure| NodeError::Projections(failure.to_string()))?;
            tasks.spawn(projections.run());
            Some(ProjectionsServer::new(ProjectionsService { control }))
        } else {
            None
        };
        let member = Member { instance: Uuid::new_v4(), address, advertised: options.advertised };
        let (host, port) = member.end_point(None);
        let endpoint = format!("{host}:{port}");
        let scavenges = Scavenges::new(reader.clone(), writer.clone(), endpoint, tasks.clone());
        if options.resumes_scavenges {
            scavenges.resume().await.map_err(|failure| NodeError::Scavenges(failure.to_string()))?;
        }
        let operations =
            OperationsService { asked_to_shut_down: asked_to_shut_down.clone(), scavenges: scavenges.clone() };
        let persistent = PersistentService { groups, reader: reader.clone() };
        let intake = Intake::new(options.intake_bytes, options.patience);
        let admission = Admission::new(options.max_calls, intake.clone());
        let max_append_size = options.max_append_size;
        let core = Arc::new(Core { writer: writer.clone(), reader: reader.clone(), max_append_size });
        let projections_run = options.system_projections;
        let pages = Pages { member: member.clone(), reader: reader.clone(), scavenges, projections: projections_run };
        let streams = StreamsService { writer, reader, intake, max_append_size };
        let max_message = options.max_append_size.saturating_add(BEYOND_LARGEST);
        let routes = Routes::new(StreamsServer::new(streams).max_decoding_message_size(max_message))
            .add_service(PersistentSubscriptionsServer::new(persistent).max_decoding_message_size(max_message))
            .add_service(OperationsServer::new(operations))
            .add_service(MonitoringServer::new(monitoring))
            .add_service(ServerFeaturesServer::new(FeaturesService { projections: projections.is_some() }))
            .add_service(GossipServer::new(GossipService(member)));
        let routes = match projections {
            Some(projections) => routes.add_service(projections),
            None => routes,
        };
        let cut = CancellationToken::new();
        let NodeOptions { max_connections, patience, .. } = options;
        let connections = connection::accept(listener, cut.clone(), tasks.clone(), max_connections, patience);
        tasks.spawn(serve(connections, service::answered(routes), (pages, admission), closing.clone(), cut));
        tasks.close();
        info!(%address, folder = %options.folder.display(), position = last, "the event store listens");
        Ok(NodeHandle { address, closing: guard, asked_to_shut_down, tasks, writer: thread, core })
    }
}

impl NodeHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a client needs to reach it from this machine.
    pub fn connection_string(&self) -> String {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        format!("esdb://{}?tls=false", SocketAddr::new(ip, self.address.port()))
    }

    /// The way in for code of this process: [`event_store::EventStore::in_process`] takes it.
    pub fn in_process(&self) -> Arc<dyn InProcess> {
        Arc::new(Inside::of(&self.core, self.connection_string()))
    }

    /// Returns when a client has asked, over the wire, that the server shut down. The node goes on until its owner, who
    /// knows what else depends on it, calls [`NodeHandle::shutdown`].
    pub async fn asked_to_shut_down(&self) {
        self.asked_to_shut_down.cancelled().await;
    }

    /// Ends subscriptions, lets calls under way finish for a moment, and closes the log. Afterwards the folder and the
    /// port are free.
    pub async fn shutdown(self) {
        let Self { closing, tasks, writer, core, .. } = self;
        drop(closing);
        drop(core);
        tasks.wait().await;
        // With the last call the writer's queue has gone, so that its thread ends, and with it the last hold on the log.
        if !matches!(tokio::task::spawn_blocking(|| writer.join()).await, Ok(Ok(()))) {
            error!("the event store's writer ended in a panic");
        }
    }
}

/// Opening replays the journal, which takes a moment that no other task should have to wait for.
async fn open(folder: &Path, kept_free: u64) -> Result<Arc<Log>, NodeError> {
    let path = folder.to_owned();
    let opened = tokio::task::spawn_blocking(move || Log::open(&path, kept_free)).await;
    let opened = opened.unwrap_or_else(|panic| Err(StorageError::Damaged(panic.to_string())));
    opened.map(Arc::new).map_err(|source| NodeError::Log { folder: folder.into(), source })
}

async fn serve(
    connections: impl Stream<Item = std::io::Result<Connection>>,
    routes: Routes,
    (pages, admission): (Pages, Admission),
    closing: CancellationToken,
    cut: CancellationToken,
) {
    let served = Server::builder()
        .max_concurrent_streams(MAX_CALLS_PER_CONNECTION)
        .initial_stream_window_size(CALL_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .accept_http1(true)
        .layer(Through(pages))
        .layer(Through(admission))
        .add_routes(routes)
        .serve_with_incoming_shutdown(connections, closing.clone().cancelled_owned());
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = &mut served => ended,
        () = async { closing.cancelled().await; tokio::time::sleep(GRACE).await } => {
            cut.cancel();
            served.await
        }
    };
    if let Err(error) = ended {
        error!(%error, "the event store stopped serving");
    }
}
