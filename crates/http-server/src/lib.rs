//! The listener of a role: HTTP/1, with bounds on what clients can hold. Nagle's algorithm is off,
//! and requests under way are finished before the process ends.
//!
//! A head must arrive in time, a body must proceed, and an answer must be taken. Connections and
//! the memory of bodies are bounded. Past the bound, the connection that was idle longest is
//! closed. If none is idle, probes are still answered, and all other requests get 503. HTTP/2 is
//! not served: on it, every stream of a connection would need the same bounds again.
//!
//! With a certificate, the listener speaks TLS, under the same bounds.

mod bodies;
mod connections;
pub mod door;
mod handshake;
mod limits;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use accept_loop::AcceptLoop;
use access::{Exposure, NotLoopback, OpenAccess, protected};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use clap::Args;
use http_problem::Problem;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tls::{FileFault, ListenerTls};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::door::PROBES;
use bodies::{Bodies, Cut};
use connections::{Answer, Connections, Entrance, Entry, Io};
use limits::Limits;

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
}

impl Listen {
    /// Takes the address. Unless the options allow more, it must be a loopback address.
    pub async fn bind(&self) -> Result<Listener, ListenError> {
        bind(self.listen, &self.exposure, &self.tls).await
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
    access: OpenAccess,
    tls: Option<ListenerTls>,
}

impl Listener {
    /// The address that was taken.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Its URL, with the address that was taken.
    pub fn url(&self) -> io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.local_addr()?))
    }

    /// What is admitted.
    pub fn access(&self) -> &OpenAccess {
        &self.access
    }
}

async fn bind(address: SocketAddr, exposure: &Exposure, tls: &ListenerFiles) -> Result<Listener, ListenError> {
    let access = exposure.permit(address)?;
    let tls = tls.load(&handshake::PROTOCOLS)?;
    let tcp = TcpListener::bind(address).await.map_err(|source| ListenError::Refused { address, source })?;
    if let Some(warning) = access.warning() {
        tracing::warn!("{warning}");
    }
    Ok(Listener { tcp, access, tls })
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
    Listener { tcp, access, tls }: Listener,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let limits = Arc::new(limits);
    let connections = Connections::new(limits.clone());
    let door =
        Guarded { access: Arc::new(access), router, bodies: Bodies::new(limits.clone()), limits, stop: stop.clone() };
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
    access: Arc<OpenAccess>,
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
        let Some(tls) = tls else { return self.converse(stream, entry, None).await };
        if let Some(secured) = handshake::secured(&tls, stream, &self.limits, &entry, &self.stop).await {
            self.converse(secured.stream, entry, secured.certificate).await;
        }
    }

    /// Answers the requests of a connection, of a client with this certificate.
    async fn converse<S>(self, stream: S, entry: Arc<Entry>, certificate: Option<ClientCertificate>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (limits, stop, of) = (self.limits.clone(), self.stop.clone(), entry.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            if let Some(certificate) = &certificate {
                request.extensions_mut().insert(certificate.clone());
            }
            self.clone().answer(request, of.clone())
        });
        let mut protocol = http1::Builder::new();
        protocol.max_header_size(limits.head_bytes).max_buf_size(READ_AHEAD);
        let io = TokioIo::new(Io::new(stream, entry.clone(), limits));
        let connection = protocol.serve_connection(io, service).with_upgrades();
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

    async fn answer(self, request: Request<Incoming>, entry: Arc<Entry>) -> Result<Response<Answer>, Infallible> {
        let answering = entry.begin();
        let admitted = self.access.admit(request.method(), request.uri(), request.headers());
        let response = if let Err(refusal) = admitted {
            Problem::new(refusal.status(), refusal.to_string()).into_response()
        } else if entry.is_reserve() && !PROBES.contains(&request.uri().path()) {
            last(Problem::later("this instance has as many connections as it takes; try again later"))
        } else {
            let share = self.bodies.begin();
            let response = self.router.oneshot(request.map(|body| Body::new(share.bounded(body)))).await?;
            match share.cut() {
                None => response,
                Some(cut @ Cut::NoRoom) => last(Problem::later(format!("{cut}: send the same request later"))),
                Some(cut @ Cut::Late) => {
                    let Limits { body_pause, body, .. } = &*self.limits;
                    let allowed = format!("it may pause for {body_pause:?}, and take {body:?} in all");
                    let detail = format!("{cut}: {allowed}; send the request again");
                    last(Problem::new(StatusCode::REQUEST_TIMEOUT, detail))
                }
            }
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            entry.upgraded();
        }
        Ok(protected(response).map(|body| Answer::new(body, answering)))
    }
}

/// A refusal after which the connection is closed.
fn last(problem: Problem) -> Response<Body> {
    ([(header::CONNECTION, "close")], problem).into_response()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;
