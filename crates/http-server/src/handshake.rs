//! The handshake of a listener that speaks TLS.
//!
//! A connection in its handshake counts as one that waits for its first request: it makes room for
//! others like that, and is given up in time.

use std::io;

use tls::{ListenerTls, Secured};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::connections::Entry;
use super::limits::Limits;

/// HTTP/2 is not served.
pub(super) const PROTOCOLS: [&str; 1] = ["http/1.1"];

/// The connection after its handshake. `None`: it is closed.
pub(super) async fn secured(
    tls: &ListenerTls,
    stream: TcpStream,
    limits: &Limits,
    entry: &Entry,
    stop: &CancellationToken,
) -> Option<Secured> {
    let late = |_| Err(io::ErrorKind::TimedOut.into());
    let secured = tokio::select! {
        secured = timeout(limits.handshake, tls.accept(stream)) => secured.unwrap_or_else(late),
        () = entry.cut() => return None,
        () = stop.cancelled() => return None,
    };
    secured.inspect_err(|error| tracing::debug!(%error, "a handshake of TLS has failed")).ok()
}
