//! The connections of clients.
//!
//! The node turns Nagle's algorithm off on its side. The official Rust client leaves it on: the
//! client holds back a small message until the one before is acknowledged, and the kernel delays
//! acknowledgements by up to 40 ms. So the node acknowledges at once what it reads. A single append
//! then takes 2 ms instead of 43 ms.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use accept_loop::AcceptLoop;
use futures::{Stream, stream};
use tls::ListenerTls;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::transport::server::Connected;
use tracing::debug;

use super::transport::Transport;

/// The first bytes of HTTP/2. Any other first bytes are treated as HTTP/1.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Accepts connections until `closing`, and closes those beyond `max` at once. `cut` ends all of
/// them. A client has `patience` to send its first bytes. Then an HTTP/2 client is probed by
/// keep-alive, and an HTTP/1 client has `patience` for each request, from the previous answer on.
pub(super) fn accept(
    listener: TcpListener,
    tls: Option<ListenerTls>,
    cut: CancellationToken,
    tasks: TaskTracker,
    max: usize,
    patience: Duration,
) -> impl Stream<Item = io::Result<Connection>> {
    let places = Arc::new(Semaphore::new(max));
    let accepting = AcceptLoop::new("the event store cannot accept connections; it tries again until it can");
    stream::unfold(
        (listener, tls, accepting, cut, tasks, places),
        move |(listener, tls, mut accepting, cut, tasks, places)| async move {
            let (stream, place) = loop {
                let stream = accepting.next(&listener, || {}).await;
                if let Ok(place) = places.clone().try_acquire_owned() {
                    break (stream, place);
                }
                debug!("a connection to the event store is one too many");
            };
            // If this fails, the connection is only slower.
            let _ = stream.set_nodelay(true).is_ok();
            let connection = Connection {
                reached: Reached { at: stream.local_addr().ok(), by: stream.peer_addr().ok() },
                stream: Transport::new(stream, tls.clone()),
                cut: Box::pin(cut.clone().cancelled_owned()),
                protocol: Protocol::Unknown { matched: 0 },
                late: Box::pin(tokio::time::sleep(patience)),
                patience,
                _held: tasks.token(),
                _place: place,
            };
            Some((Ok(connection), (listener, tls, accepting, cut, tasks, places)))
        },
    )
}

/// One client's connection.
pub(super) struct Connection {
    stream: Transport,
    reached: Reached,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    protocol: Protocol,
    /// The time limit for the first bytes, or for the next request of HTTP/1.
    late: Pin<Box<Sleep>>,
    patience: Duration,
    /// The node counts as open while this is held.
    _held: TaskTrackerToken,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// How many of the first bytes of HTTP/2 have arrived.
    Unknown {
        matched: usize,
    },
    Http1,
    Http2,
}

impl Protocol {
    fn after(self, bytes: &[u8]) -> Self {
        let Self::Unknown { matched } = self else { return self };
        let rest = &PREFACE[matched..];
        let compared = rest.len().min(bytes.len());
        match (rest[..compared] == bytes[..compared], compared == rest.len()) {
            (false, _) => Self::Http1,
            (true, true) => Self::Http2,
            (true, false) => Self::Unknown { matched: matched + compared },
        }
    }
}

/// The two ends of a connection, if the system knows them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reached {
    /// The node's address that the client has used.
    pub(super) at: Option<SocketAddr>,
    /// The client's address.
    pub(super) by: Option<SocketAddr>,
}

impl Connected for Connection {
    type ConnectInfo = Reached;

    fn connect_info(&self) -> Reached {
        self.reached
    }
}

impl Connection {
    /// Gives an HTTP/1 client time for another request.
    fn answered(&mut self) {
        if self.protocol == Protocol::Http1 {
            let late = tokio::time::Instant::now() + self.patience;
            self.late.as_mut().reset(late);
        }
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
        if self.protocol != Protocol::Http2 && self.late.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.protocol = self.protocol.after(&buffer.filled()[before..]);
        if let Some(socket) = self.stream.socket() {
            acknowledge(socket);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.answered();
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
        self.answered();
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Requests an immediate acknowledgement. The kernel resets the option, so it is set after each
/// read. Only Linux has it, and a failure does no harm.
fn acknowledge(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = stream.set_quickack(true);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide_the_protocol_in_however_many_pieces_they_arrive() {
        let begun = Protocol::Unknown { matched: 0 };
        assert_eq!(begun.after(PREFACE), Protocol::Http2);
        assert_eq!(begun.after(b"PRI * HT").after(&PREFACE[8..]).after(b"more"), Protocol::Http2);
        assert_eq!(begun.after(b"P"), Protocol::Unknown { matched: 1 });
        assert_eq!(begun.after(b"P").after(b"OST / HTTP/1.1"), Protocol::Http1);
        assert_eq!(begun.after(b"GET / HTTP/1.1\r\n\r\n").after(PREFACE), Protocol::Http1);
        assert_eq!(begun.after(b""), begun);
    }
}
