//! The listener of a role: HTTP/1, with bounds on what clients can hold. Nagle's algorithm is off,
//! and requests under way are finished before the process ends.
//!
//! A head must arrive in time, a body must proceed, and an answer must be taken. Connections and
//! the memory of bodies are bounded. Past the bound, the connection that was idle longest is
//! closed. If none is idle, probes are still answered, and all other requests get 503. HTTP/2 is
//! not served: on it, every stream of a connection would need the same bounds again.
//!
//! With a certificate, the listener speaks TLS, under the same bounds.

mod access_log;
mod bodies;
mod connections;
pub mod door;
mod figures;
mod handshake;
mod limits;
mod shares;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use accept_loop::AcceptLoop;
use access::routes::methods;
use access::{Admitted, Authenticate, Denied, Exposure, Gate, NotAuthenticated, NotLoopback, protected};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use clap::Args;
use http_problem::{Kind, Problem};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use live::{Change, Live};
use tls::{FileFault, ListenerTls, Secured};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::door::PROBES;
pub use access_log::AccessLog;
use bodies::{Bodies, Cut};
use connections::{Answer, Connections, Entrance, Entry, Io};
pub use figures::METRICS;
use limits::Limits;
pub use shares::ShareArgs;
use shares::{ShareLimits, Shares, Whose};

pub use tls::{ClientCertificate, ListenerFiles};

/// Where a role is reached, and by whom.
#[derive(Debug, Clone, Args)]
pub struct Listen {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, env = "TENUTO_LISTEN", default_value = "127.0.0.1:7007", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Who reaches it.
    #[command(flatten)]
    pub exposure: Exposure,
    /// Its certificate.
    #[command(flatten)]
    pub tls: ListenerFiles,
    /// How much of it one caller may use.
    #[command(flatten)]
    pub shares: ShareArgs,
}

impl Listen {
    /// Takes the address, for callers that are authenticated so.
    pub async fn bind(&self, authenticate: Option<Arc<dyn Authenticate>>) -> Result<Listener, ListenError> {
        let listener = bind(self.listen, &self.exposure, &self.tls, authenticate).await?;
        listener.shares.set(Some(self.shares.into()));
        Ok(listener)
    }
}

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The system refuses it.
    #[error("cannot listen on {address}: {source}; choose another address with --listen or TENUTO_LISTEN")]
    Refused {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Other machines would reach it.
    #[error(transparent)]
    NotLoopback(#[from] NotLoopback),
    /// Its certificate cannot be used.
    #[error("--tls-certificate, --tls-key or --tls-client-ca (TENUTO_TLS_…): {0}")]
    Tls(#[from] FileFault),
}

/// A listener, and what it admits.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    gate: Gate,
    tls: Option<ListenerTls>,
    requests_certificates: bool,
    access_log: AccessLog,
    shares: Live<Option<ShareLimits>>,
}

/// What can change of a listener while it serves.
pub struct Controls {
    gate: Gate,
    tls: Option<ListenerTls>,
    shares: Live<Option<ShareLimits>>,
}

impl Controls {
    /// Checks other options of the listener. Its address stays, and whether it speaks TLS.
    pub fn prepare(&self, listen: &Listen) -> Result<Change, ListenError> {
        let change = self.gate.prepare(&listen.exposure).and(shares::prepare(&self.shares, listen.shares));
        Ok(change.and(tls::prepare(self.tls.as_ref(), &listen.tls)?))
    }
}

impl Listener {
    /// What can change of it.
    pub fn controls(&self) -> Controls {
        Controls { gate: self.gate.clone(), tls: self.tls.clone(), shares: self.shares.clone() }
    }

    /// The address that was taken.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Its URL, with the address that was taken.
    pub fn url(&self) -> io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.local_addr()?))
    }

    /// Whether other machines reach it although callers are not authenticated.
    pub fn is_open(&self) -> bool {
        self.gate.warning().is_some()
    }

    /// What an operator has to know.
    pub fn warning(&self) -> Option<String> {
        let address = self.local_addr().ok()?;
        let is_plain = !address.ip().is_loopback() && self.gate.authenticates() && self.tls.is_none();
        let plain = is_plain.then(|| {
            format!(
                "{address} is without TLS: keys and tokens of callers can be read on their way; see --tls-certificate"
            )
        });
        let lacks_authorities = self.gate.knows_certificates() && !self.requests_certificates;
        let unused = lacks_authorities.then(|| {
            format!(
                "{address} requests no certificates of clients, so [client-certificates] of the access file is not \
                 used; see --tls-client-ca"
            )
        });
        self.gate.warning().or(plain).or(unused)
    }

    /// What it counts of its callers.
    pub fn access_log(&self) -> &AccessLog {
        &self.access_log
    }
}

/// Takes the address. Unless callers are authenticated, or the options allow more, it must be a
/// loopback address.
pub async fn bind(
    address: SocketAddr,
    exposure: &Exposure,
    tls: &ListenerFiles,
    authenticate: Option<Arc<dyn Authenticate>>,
) -> Result<Listener, ListenError> {
    let gate = match authenticate {
        Some(authenticate) => Gate::authenticated(exposure.authenticated(), authenticate),
        None => Gate::open(exposure.permit(address)?),
    };
    let requests_certificates = tls.tls_client_ca.is_some();
    let tls = tls.load(&handshake::PROTOCOLS)?;
    let tcp = TcpListener::bind(address).await.map_err(|source| ListenError::Refused { address, source })?;
    let access_log = AccessLog::of(tls.as_ref());
    let listener = Listener { tcp, gate, tls, requests_certificates, access_log, shares: Live::default() };
    if let Some(warning) = listener.warning() {
        tracing::warn!("{warning}");
    }
    Ok(listener)
}

/// How many connections a listener takes.
pub fn max_connections() -> usize {
    Limits::default().connections
}

/// The time that requests under way have to finish.
const DRAIN: Duration = Duration::from_secs(10);
/// How much of a body the library reads ahead, in bytes.
const READ_AHEAD: usize = 128 * 1024;

/// Serves until `stop`; then finishes the requests under way, if their clients cooperate.
pub async fn serve(listener: Listener, router: Router, stop: CancellationToken) -> io::Result<()> {
    serve_within(Limits::default(), listener, router, stop).await
}

async fn serve_within(
    limits: Limits,
    Listener { tcp, gate, tls, access_log, shares, .. }: Listener,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let (shares, limits) = (Shares::of(shares, limits.connections), Arc::new(limits));
    let connections = Connections::new(limits.clone());
    let door = Guarded {
        gate: Arc::new(gate),
        access_log,
        shares,
        router,
        bodies: Bodies::new(limits.clone()),
        limits,
        stop: stop.clone(),
    };
    let mut tasks = JoinSet::new();
    let mut accepting = AcceptLoop::new("no connection can be accepted; idle ones are closed until it is possible");
    loop {
        let stream = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = tasks.join_next() => continue,
            stream = accepting.next(&tcp, || connections.make_room()) => stream,
        };
        if let Some(entry) = enter(&connections).await {
            tasks.spawn(door.clone().begin(tls.clone(), stream, entry));
        }
    }
    drop(tcp);
    let all_ended = async { while tasks.join_next().await.is_some() {} };
    // Clients that do not cooperate are cut off.
    let _ = tokio::time::timeout(DRAIN, all_ended).await.is_ok();
    Ok(())
}

/// A place for a connection, once one is free. Other connections wait in the system's queue.
async fn enter(connections: &Connections) -> Option<Arc<Entry>> {
    loop {
        match connections.enter() {
            Entrance::Entered(entry) => return Some(entry),
            Entrance::Later(at) => sleep_until(at).await,
            Entrance::Full => return None,
        }
    }
}

/// The served routes, with their bounds.
#[derive(Clone)]
struct Guarded {
    gate: Arc<Gate>,
    access_log: AccessLog,
    shares: Shares,
    router: Router,
    bodies: Bodies,
    limits: Arc<Limits>,
    stop: CancellationToken,
}

impl Guarded {
    /// Answers the requests of a new connection, after its handshake.
    async fn begin(self, tls: Option<ListenerTls>, stream: TcpStream, entry: Arc<Entry>) {
        // If this fails, the connection is only slower.
        let _ = stream.set_nodelay(true).is_ok();
        let peer = stream.peer_addr().ok();
        match tls {
            None => self.converse(stream, entry, (peer, None)).await,
            // Without TLS, a task has no room for it.
            Some(tls) => Box::pin(self.begin_with_tls(tls, stream, entry, peer)).await,
        }
    }

    async fn begin_with_tls(self, tls: ListenerTls, stream: TcpStream, entry: Arc<Entry>, peer: Option<SocketAddr>) {
        let secured = handshake::secured(&tls, stream, &self.limits, &entry, &self.stop).await;
        if let Some(Secured { stream, certificate }) = secured {
            self.converse(stream, entry, (peer, certificate)).await;
        }
    }

    /// Answers the requests of a connection, once the first one begins.
    async fn converse<S>(self, stream: S, entry: Arc<Entry>, client: (Option<SocketAddr>, Option<ClientCertificate>))
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut io = Io::new(stream, entry.clone(), self.limits.clone());
        let begins = tokio::select! {
            begins = io.begins() => begins,
            () = entry.cut() => return,
            () = self.stop.cancelled() => return,
        };
        // What it needs from now on is not part of the task: most idle connections never get here.
        if begins {
            Box::pin(self.answer_all(io, entry, client)).await;
        }
    }

    /// Answers the requests of a connection, of a client with this address and this certificate.
    async fn answer_all<S>(
        self,
        io: Io<S>,
        entry: Arc<Entry>,
        (peer, certificate): (Option<SocketAddr>, Option<ClientCertificate>),
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (limits, stop, of) = (self.limits.clone(), self.stop.clone(), entry.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            if let Some(certificate) = &certificate {
                request.extensions_mut().insert(certificate.clone());
            }
            // The library keeps room for an answer in every connection: so it is only a pointer.
            Box::pin(self.clone().answer(request, of.clone(), peer))
        });
        let mut protocol = http1::Builder::new();
        protocol.max_header_size(limits.head_bytes).max_buf_size(READ_AHEAD);
        let connection = protocol.serve_connection(TokioIo::new(io), service).with_upgrades();
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = entry.cut() => return,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection has failed");
        }
    }

    async fn answer(
        self,
        request: Request<Incoming>,
        entry: Arc<Entry>,
        peer: Option<SocketAddr>,
    ) -> Result<Response<Answer>, Infallible> {
        let (answering, counted) = (entry.begin(), self.access_log.requests().begin(&request));
        let is_probe = PROBES.contains(&request.uri().path());
        let mut taken = None;
        let response = if entry.is_reserve() && !is_probe {
            last(Problem::later("this instance has as many connections as it takes; try again later"))
        } else {
            let certificate = request.extensions().get::<ClientCertificate>();
            let names = certificate.map(|certificate| certificate.names.as_slice());
            match self.gate.admit(request.method(), request.uri(), request.headers(), names).await {
                Err(denied) => self.refused(&denied, &request, peer),
                Ok(admitted) if is_probe => self.route(admitted, request).await?,
                Ok(admitted) => match self.shares.take(Whose::of(&admitted.caller, peer)) {
                    Err(too_much) => too_much.into_response(),
                    Ok(share) => {
                        taken = share;
                        self.access_log.counts().note_request(&admitted);
                        self.route(admitted, request).await?
                    }
                },
            }
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            entry.upgraded(taken.take());
        }
        counted.answered(response.status());
        Ok(protected(response).map(|body| Answer::new(body, (answering, taken, counted))))
    }

    /// The answer of the routes, or what became of the request's body.
    async fn route(
        self,
        Admitted { caller, session, .. }: Admitted,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(self.access_log.counts().clone());
        if let Some(session) = session {
            request.extensions_mut().insert(session);
        }
        let share = self.bodies.begin();
        let response = self.router.oneshot(request.map(|body| Body::new(share.bounded(body)))).await?;
        Ok(match share.cut() {
            None => response,
            Some(cut @ Cut::NoRoom) => last(Problem::later(format!("{cut}: send the same request later"))),
            Some(cut @ Cut::Late) => {
                let Limits { body_pause, body, .. } = &*self.limits;
                let allowed = format!("it may pause for {body_pause:?}, and take {body:?} in all");
                let detail = format!("{cut}: {allowed}; send the request again");
                last(Problem::new(Kind::TooSlow, detail))
            }
        })
    }

    /// The answer to a request that may not pass. An attempt to get in is counted and logged.
    fn refused(&self, denied: &Denied, request: &Request<Incoming>, peer: Option<SocketAddr>) -> Response<Body> {
        if let Some(reason) = denied.reason() {
            self.access_log.note_refusal(reason, denied, request, peer);
        }
        let (method, uri) = (request.method(), request.uri());
        let problem = match denied {
            Denied::NoSuchPath => Problem::no_such_path(method, uri, "this server has"),
            Denied::OtherMethod => Problem::method_not_allowed(method, uri),
            Denied::NotAuthenticated(NotAuthenticated::Unavailable(_)) => Problem::later(denied.to_string()),
            Denied::Refused(_) | Denied::NotAuthenticated(_) | Denied::Forbidden(_) => {
                Problem::with_status(denied.status(), denied.to_string())
            }
        };
        match (denied, denied.challenge()) {
            (Denied::OtherMethod, _) => ([(header::ALLOW, methods(uri.path()))], problem).into_response(),
            (_, Some(challenge)) => ([(header::WWW_AUTHENTICATE, challenge)], problem).into_response(),
            (_, None) => problem.into_response(),
        }
    }
}

/// A refusal after which the connection is closed.
fn last(problem: Problem) -> Response<Body> {
    ([(header::CONNECTION, "close")], problem).into_response()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;
