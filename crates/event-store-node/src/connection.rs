//! The connections of clients.
//!
//! Nagle's algorithm is off on our side. The official Rust client leaves it on on its own: it then holds back a small
//! message until the one before is acknowledged, which the kernel by default puts off by up to 40 ms. So what is read
//! here is acknowledged at once: an append by itself then takes 2 ms instead of 43 ms.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use accept_loop::AcceptLoop;
use futures::{Stream, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::transport::server::Connected;
use tracing::debug;

/// The first words of HTTP/2. Other first words are taken for those of HTTP/1.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Takes connections for as long as it is asked to, and closes those beyond `max` at once. `cut` breaks all of them, and
/// so does to any that has not said its first words after `patience`. After those of HTTP/2 it is asked for signs of life; one of
/// HTTP/1 has `patience` for each request, from the answer before it on.
pub(super) fn accept(
    listener: TcpListener,
    cut: CancellationToken,
    tasks: TaskTracker,
    max: usize,
    patience: Duration,
) -> impl Stream<Item = io::Result<Connection>> {
    let places = Arc::new(Semaphore::new(max));
    let accepting = AcceptLoop::new("the event store cannot accept connections; it tries again until it can");
    stream::unfold(
        (listener, accepting, cut, tasks, places),
        move |(listener, mut accepting, cut, tasks, places)| async move {
            let (stream, place) = loop {
                let stream = accepting.next(&listener, || {}).await;
                if let Ok(place) = places.clone().try_acquire_owned() {
                    break (stream, place);
                }
                debug!("a connection to the event store is one too many");
            };
            // A connection on which this fails is only slower.
            let _ = stream.set_nodelay(true).is_ok();
            let connection = Connection {
                stream,
                cut: Box::pin(cut.clone().cancelled_owned()),
                protocol: Protocol::Unknown { matched: 0 },
                late: Box::pin(tokio::time::sleep(patience)),
                patience,
                _held: tasks.token(),
                _place: place,
            };
            Some((Ok(connection), (listener, accepting, cut, tasks, places)))
        },
    )
}

/// One client's connection.
pub(super) struct Connection {
    stream: TcpStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    protocol: Protocol,
    /// When it is too late for the first words, or for the next request of HTTP/1.
    late: Pin<Box<Sleep>>,
    patience: Duration,
    /// The node has not closed while this is held.
    _held: TaskTrackerToken,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// So many bytes of the first words of HTTP/2 have come.
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

/// The address of ours that the client has used, as far as the system knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reached(pub(super) Option<SocketAddr>);

impl Connected for Connection {
    type ConnectInfo = Reached;

    fn connect_info(&self) -> Reached {
        Reached(self.stream.local_addr().ok())
    }
}

impl Connection {
    /// Gives a client of HTTP/1 time for another request.
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
        acknowledge(&self.stream);
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

/// The kernel forgets this wish, so it is said again after each read. Only Linux knows it, and it is only a wish.
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
    fn the_first_words_tell_the_protocol_in_however_many_pieces_they_come() {
        let begun = Protocol::Unknown { matched: 0 };
        assert_eq!(begun.after(PREFACE), Protocol::Http2);
        assert_eq!(begun.after(b"PRI * HT").after(&PREFACE[8..]).after(b"more"), Protocol::Http2);
        assert_eq!(begun.after(b"P"), Protocol::Unknown { matched: 1 });
        assert_eq!(begun.after(b"P").after(b"OST / HTTP/1.1"), Protocol::Http1);
        assert_eq!(begun.after(b"GET / HTTP/1.1\r\n\r\n").after(PREFACE), Protocol::Http1);
        assert_eq!(begun.after(b""), begun);
    }
}
