//! Starting the node, and the handle of a running one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use event_store::InProcess;
use futures::Stream;
use tls::{FileFault, ListenerFiles, ListenerTls};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::transport::Server;
use tracing::{error, info};
use uuid::Uuid;

use super::access::guard::Guard;
use super::access::users::{InitialPasswords, Users};
use super::admission::Admission;
use super::connection::{self, Connection};
use super::figures::{self, Figures, Measured};
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
    ServerFeaturesServer, StreamsServer, StreamsService, UsersServer, UsersService,
};
use super::stats;
use super::storage::StorageError;
use super::transport::PROTOCOLS;
use super::web::Pages;
use super::writer::Writer;

/// How much larger than the largest append a message may be, so that the refusal of a too large
/// append can name the append. No larger, because a message with many empty parts takes many times
/// its size in memory.
const BEYOND_LARGEST: usize = 3 << 20;
const MAX_CALLS_PER_CONNECTION: u32 = 8192;
/// How much a client may send ahead, in one call and in all, before the node reads any of it.
const CALL_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// How long calls may take to finish after the node begins to close.
const GRACE: Duration = Duration::from_secs(2);
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The settings of a node.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// The folder of the log. Created if missing.
    pub folder: PathBuf,
    /// The address to listen on. Port 0: any free one.
    pub address: SocketAddr,
    /// The largest append, in bytes.
    pub max_append_size: usize,
    /// How many bytes of appends may wait for the disk. Beyond that an append is refused at once.
    pub queue_bytes: u32,
    /// How many bytes all clients together may hold in incomplete messages, and how many in
    /// incomplete appends. Beyond that calls wait or are refused.
    pub intake_bytes: u32,
    /// How long a client may take for one message, for one append, and for its first bytes.
    pub patience: Duration,
    /// The largest number of open connections. Further ones are closed.
    pub max_connections: usize,
    /// The largest number of concurrent calls, subscriptions included. Further ones are refused.
    pub max_calls: usize,
    /// The address that clients are to connect to, if not the one at which they reached the node.
    pub advertised: Advertised,
    /// Whether the system projections run: links by category, by type and by correlation, and the
    /// index of streams.
    pub system_projections: bool,
    /// Whether the node resumes a scavenge that the folder's previous node did not finish. `false`
    /// is for a log that is only read.
    pub resumes_scavenges: bool,
    /// How many bytes the node leaves free on the disk. With fewer, it refuses appends until there
    /// is room again.
    pub kept_free: u64,
    /// The listener's certificate. Without one, it does not speak TLS.
    pub tls: ListenerFiles,
    /// The passwords of the first users. Without them the node has no users, and each caller may do
    /// everything.
    pub users: Option<InitialPasswords>,
}

impl NodeOptions {
    /// A node in a folder, on a free port of loopback, with `EventStoreDB`'s default limits.
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
            tls: ListenerFiles::default(),
            users: None,
        }
    }
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The log could not be opened.
    #[error("the event log in {} cannot be opened: {source}", folder.display())]
    Log {
        /// The folder.
        folder: PathBuf,
        /// What failed.
        source: StorageError,
    },
    /// The node cannot listen on the address.
    #[error(
        "the event store cannot listen on {address}: {source}; stop what listens there, or choose another address with --listen"
    )]
    Address {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: std::io::Error,
    },
    /// The listener's certificate cannot be used.
    #[error("the event store cannot speak TLS: --tls-certificate, --tls-key or --tls-client-ca (TENUTO_TLS_…): {0}")]
    Tls(#[from] FileFault),
    /// The recorded state of the persistent subscriptions cannot be read.
    #[error("the event store cannot load its persistent subscriptions: {0}")]
    Groups(String),
    /// The recorded progress of the system projections cannot be read.
    #[error("the event store cannot load its system projections: {0}")]
    Projections(String),
    /// The users cannot be read or recorded.
    #[error("the event store cannot load its users: {0}")]
    Users(String),
    /// The node cannot read whether a scavenge has to be resumed.
    #[error("the event store cannot load its scavenges: {0}")]
    Scavenges(String),
    /// The system refused a thread.
    #[error("the event store cannot start its writer: {0}")]
    Thread(std::io::Error),
}

/// The embedded node; see [`Node::start`].
#[derive(Debug)]
pub struct Node;

/// A running node. It closes when dropped. [`NodeHandle::shutdown`] also waits until it is closed.
#[derive(Debug)]
pub struct NodeHandle {
    endpoint: Endpoint,
    closing: DropGuard,
    asked_to_shut_down: CancellationToken,
    tasks: TaskTracker,
    writer: JoinHandle<()>,
    core: Arc<Core>,
    tls: Option<ListenerTls>,
}

/// Where a node is reached.
#[derive(Debug)]
struct Endpoint {
    address: SocketAddr,
    /// The host that clients are to use, where it is not the one of the address. A certificate is
    /// for a name.
    host: Option<String>,
    is_secure: bool,
}

impl Node {
    /// Opens the log and serves it.
    pub async fn start(options: NodeOptions) -> Result<NodeHandle, NodeError> {
        stats::begin();
        let tls = options.tls.load(&PROTOCOLS)?;
        let log = open(&options.folder, options.kept_free).await?;
        if let Err(no_room) = log.room() {
            tracing::warn!("no event is taken: {no_room}; make room, or move the folder");
        }
        let cannot_listen = |source| NodeError::Address { address: options.address, source };
        let listener = TcpListener::bind(options.address).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let last = log
            .with(|storage| storage.view().last_position())
            .map_err(|source| NodeError::Log { folder: options.folder.clone(), source })?;

        let (head_sender, head) = watch::channel(last);
        let (recent, figures) = (Arc::new(Recent::default()), Arc::<Figures>::default());
        let started = Writer::start(log.clone(), recent.clone(), head_sender, options.queue_bytes, figures.clone());
        let (writer, thread) = started.map_err(NodeError::Thread)?;
        let closing = CancellationToken::new();
        // If a later step fails, this guard stops everything that has been started.
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
        let advertised_host = options.advertised.host.clone();
        let users = match options.users {
            None => None,
            Some(passwords) => {
                let users = Users::open(&reader, writer.clone(), passwords).await;
                Some(users.map_err(|error| NodeError::Users(error.to_string()))?)
            }
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
        let (pages_member, has_users) = (member.clone(), users.is_some());
        let pages = Pages {
            metrics: Arc::new(figures::page(Measured { figures, reader: reader.clone() })),
            member: pages_member,
            reader: reader.clone(),
            scavenges,
            projections: options.system_projections,
            users: has_users,
        };
        let streams = StreamsService { writer, reader, intake, max_append_size };
        let max_message = options.max_append_size.saturating_add(BEYOND_LARGEST);
        let routes = Routes::new(StreamsServer::new(streams).max_decoding_message_size(max_message))
            .add_service(PersistentSubscriptionsServer::new(persistent).max_decoding_message_size(max_message))
            .add_service(OperationsServer::new(operations))
            .add_service(MonitoringServer::new(monitoring))
            .add_service(ServerFeaturesServer::new(FeaturesService {
                projections: projections.is_some(),
                users: has_users,
            }))
            .add_service(GossipServer::new(GossipService(member)));
        let routes = match projections {
            Some(projections) => routes.add_service(projections),
            None => routes,
        };
        let routes = match &users {
            Some(users) => routes.add_service(UsersServer::new(UsersService { users: users.clone() })),
            None => routes,
        };
        let (cut, max_connections, patience) = (CancellationToken::new(), options.max_connections, options.patience);
        let endpoint = Endpoint { address, host: advertised_host, is_secure: tls.is_some() };
        let connections =
            connection::accept(listener, tls.clone(), cut.clone(), tasks.clone(), max_connections, patience);
        tasks.spawn(serve(
            connections,
            service::answered(routes),
            (Guard { users }, pages, admission),
            closing.clone(),
            cut,
        ));
        tasks.close();
        info!(%address, folder = %options.folder.display(), position = last, "the event store listens");
        Ok(NodeHandle { endpoint, closing: guard, asked_to_shut_down, tasks, writer: thread, core, tls })
    }
}

impl NodeHandle {
    /// The address on which the node listens.
    pub fn address(&self) -> SocketAddr {
        self.endpoint.address
    }

    /// The connection string for a client on this machine.
    pub fn connection_string(&self) -> String {
        let Endpoint { address, host, is_secure } = &self.endpoint;
        let port = address.port();
        if let Some(host) = host.as_ref().filter(|_| *is_secure) {
            return format!("esdb://{host}:{port}?tls=true");
        }
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        format!("esdb://{}?tls={is_secure}", SocketAddr::new(ip, port))
    }

    /// Its listener's TLS.
    pub fn tls(&self) -> Option<ListenerTls> {
        self.tls.clone()
    }

    /// Access for code of this process. [`event_store::EventStore::in_process`] takes it.
    pub fn in_process(&self) -> Arc<dyn InProcess> {
        Arc::new(Inside::of(&self.core, self.connection_string()))
    }

    /// Returns when a client has requested a shutdown of the server. The node continues until its
    /// owner, who knows what else depends on it, calls [`NodeHandle::shutdown`].
    pub async fn asked_to_shut_down(&self) {
        self.asked_to_shut_down.cancelled().await;
    }

    /// Ends subscriptions, gives running calls a short time to finish, and closes the log.
    /// Afterwards the folder and the port are free.
    pub async fn shutdown(self) {
        let Self { closing, tasks, writer, core, .. } = self;
        drop(closing);
        drop(core);
        tasks.wait().await;
        // When the last call has ended, the writer's queue is gone. Its thread ends then, and drops
        // the last reference to the log.
        if !matches!(tokio::task::spawn_blocking(|| writer.join()).await, Ok(Ok(()))) {
            error!("the event store's writer ended in a panic");
        }
    }
}

/// Opening replays the journal. That takes time, so it runs where no other task waits for it.
async fn open(folder: &Path, kept_free: u64) -> Result<Arc<Log>, NodeError> {
    let path = folder.to_owned();
    let opened = tokio::task::spawn_blocking(move || Log::open(&path, kept_free)).await;
    let opened = opened.unwrap_or_else(|panic| Err(StorageError::Damaged(panic.to_string())));
    opened.map(Arc::new).map_err(|source| NodeError::Log { folder: folder.into(), source })
}

async fn serve(
    connections: impl Stream<Item = std::io::Result<Connection>>,
    routes: Routes,
    (guard, pages, admission): (Guard, Pages, Admission),
    closing: CancellationToken,
    cut: CancellationToken,
) {
    let served = Server::builder()
        .max_concurrent_streams(MAX_CALLS_PER_CONNECTION)
        .initial_stream_window_size(CALL_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .accept_http1(true)
        .layer(Through(guard))
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
