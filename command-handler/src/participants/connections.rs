//! Whether a request went out on a connection that was kept, which the other side may have closed
//! meanwhile.

use std::cell::Cell;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::task::{Context, Poll};

use tower::util::Oneshot;
use tower::{Layer, Service, ServiceExt};

tokio::task_local! {
    /// Whether the request that is being sent had to open a new connection.
    static CONNECTS: Cell<bool>;
}

/// Sends a request; says whether it went out on a connection that was kept.
pub(super) async fn watched<F: Future>(sending: F) -> (F::Output, bool) {
    let sending = async {
        let sent = sending.await;
        (sent, !CONNECTS.with(Cell::get))
    };
    CONNECTS.scope(Cell::new(false), sending).await
}

/// Notes that the request that is being sent opens a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct WatchConnections;

/// A connector that is watched. The client copies it for each request, although few requests open
/// a connection. The connector within is copied only for those.
#[derive(Debug)]
pub(super) struct Watched<S>(Arc<S>);

impl<S> Clone for Watched<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> Layer<S> for WatchConnections {
    type Service = Watched<S>;

    fn layer(&self, connector: S) -> Watched<S> {
        Watched(Arc::new(connector))
    }
}

impl<S: Service<R> + Clone, R> Service<R> for Watched<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Oneshot<S, R>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: R) -> Oneshot<S, R> {
        // A connection that is opened outside of `watched` counts for no request.
        let _ = CONNECTS.try_with(|connects| connects.set(true));
        S::clone(&self.0).oneshot(target)
    }
}

/// Whether a request got no answer because its connection was closed.
pub(super) fn is_closed(error: &reqwest::Error) -> bool {
    let is_closed = |cause: &(dyn Error + 'static)| {
        let is_incomplete = cause.downcast_ref().is_some_and(hyper::Error::is_incomplete_message);
        is_incomplete || cause.downcast_ref().is_some_and(is_of_a_closed_connection)
    };
    !error.is_timeout() && http_client::causes(error).any(is_closed)
}

fn is_of_a_closed_connection(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe)
}
