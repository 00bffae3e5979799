//! The connections of clients.
//!
//! Nagle's algorithm is off on our side. The official Rust client leaves it on on its own: it then holds back a small
//! message until the one before is acknowledged, which the kernel by default puts off by up to 40 ms. So what is read
//! here is acknowledged at once: an append by itself then takes 2 ms instead of 43 ms.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{Stream, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::transport::server::Connected;
use tracing::warn;

/// What to wait after a connection could not be taken: the reason, too many open files for one, seldom goes at once.
const PAUSE: Duration = Duration::from_millis(50);

/// Takes connections for as long as it is asked to. `cut` breaks all of them.
pub(super) fn accept(
    listener: TcpListener,
    cut: CancellationToken,
    tasks: TaskTracker,
) -> impl Stream<Item = io::Result<Connection>> {
    stream::unfold((listener, cut, tasks), |(listener, cut, tasks)| async move {
        let stream = loop {
            match listener.accept().await.and_then(|(stream, _)| stream.set_nodelay(true).map(|()| stream)) {
                Ok(stream) => break stream,
                Err(error) => warn!(%error, "a connection to the event store could not be taken"),
            }
            tokio::time::sleep(PAUSE).await;
        };
        let connection = Connection { stream, cut: Box::pin(cut.clone().cancelled_owned()), _held: tasks.token() };
        Some((Ok(connection), (listener, cut, tasks)))
    })
}

/// One client's connection.
pub(super) struct Connection {
    stream: TcpStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The node has not closed while this is held.
    _held: TaskTrackerToken,
}

/// The address of ours that the client has used, as far as the system knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reached(pub(super) Option<SocketAddr>);

impl Connected for Connection {
    type ConnectInfo = Reached;

    fn connect_info(&self) -> Reached {
        Reached(self.stream.local_addr().ok())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        acknowledge(&self.stream);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// The kernel forgets this wish, so it is said again after each read. Only Linux knows it, and it is only a wish.
fn acknowledge(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = stream.set_quickack(true);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}
