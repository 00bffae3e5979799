//! Accepting connections: an error of a single connection delays no other one.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::TcpStream;
use tracing::warn;

/// The pause after an error that every connection would meet, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// Errors of a connection that has ended, or cannot be reached any more, before it was accepted.
const OF_ONE: [Errno; 13] = [
    Errno::CONNABORTED,
    Errno::CONNREFUSED,
    Errno::CONNRESET,
    Errno::HOSTDOWN,
    Errno::HOSTUNREACH,
    Errno::INTR,
    Errno::NETDOWN,
    Errno::NETUNREACH,
    Errno::NOPROTOOPT,
    // A rule of the firewall forbids the connection.
    Errno::PERM,
    Errno::PIPE,
    Errno::PROTO,
    Errno::TIMEDOUT,
];

/// Whether accepting failed because of this connection alone, so that the next one can be accepted
/// at once. Any other error, such as too many open files, would meet every connection.
pub fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    Errno::from_io_error(error).is_some_and(|error| OF_ONE.contains(&error))
        || matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Accepts the next connection, and pauses only after errors that every connection would meet.
pub(super) async fn next(
    mut accept: impl FnMut(&mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>>,
) -> TcpStream {
    let mut is_refused = false;
    loop {
        match poll_fn(&mut accept).await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if !std::mem::replace(&mut is_refused, true) {
                    warn!(%error, "the event store cannot accept connections; it tries again until it can");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;

    /// How long the listener waits for the next connection after these errors.
    async fn waits_after(errors: Vec<io::Error>) -> Duration {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut accepted = Some(listener.accept().await.unwrap());
        tokio::time::pause();
        let begun = Instant::now();
        let mut errors = errors.into_iter();
        next(|_| match errors.next() {
            Some(error) => Poll::Ready(Err(error)),
            None => accepted.take().map_or(Poll::Pending, |accepted| Poll::Ready(Ok(accepted))),
        })
        .await;
        begun.elapsed()
    }

    #[tokio::test]
    async fn a_connection_that_failed_delays_no_other_one() {
        let errors = OF_ONE.map(|error| io::Error::from_raw_os_error(error.raw_os_error()));
        let aborted = io::Error::from(io::ErrorKind::ConnectionAborted);
        assert_eq!(waits_after(errors.into_iter().chain([aborted]).collect()).await, Duration::ZERO);
    }

    #[tokio::test]
    async fn an_error_that_every_connection_would_meet_is_followed_by_a_pause() {
        let errors = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
        let errors = errors.map(|error| io::Error::from_raw_os_error(error.raw_os_error()));
        let waited = waits_after(errors.into()).await;
        assert!(waited >= 4 * PAUSE, "{waited:?}");
    }
}
