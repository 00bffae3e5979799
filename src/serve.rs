//! HTTP: one listener, Nagle's algorithm off, requests under way finished before leaving.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}; choose another address with --listen or TENUTO_LISTEN")]
pub(crate) struct ListenError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Takes the address.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| ListenError { address, source })
}

/// How long requests under way have to come to their end.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves until told to stop; then finishes what is under way, if its client plays along.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> std::io::Result<()> {
    let listener = listener.tap_io(|stream| {
        // A connection that cannot be set so is only slower.
        let _ = stream.set_nodelay(true);
    });
    let stopped = stop.clone().cancelled_owned();
    let too_late = async move {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = axum::serve(listener, router).with_graceful_shutdown(stopped) => served,
        () = too_late => Ok(()),
    }
}
