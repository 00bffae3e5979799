//! Accepts connections. An error of one connection delays no other one. After an error that every
//! connection would meet, such as too many open files, the loop pauses, and tries again.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

/// The pause after an error that every connection would meet.
const PAUSE: Duration = Duration::from_millis(100);

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

/// The accept loop of one listener.
#[derive(Debug)]
pub struct AcceptLoop {
    /// The log line of the first error in a row.
    warning: &'static str,
    is_failing: bool,
    not_before: Option<Instant>,
}

impl AcceptLoop {
    /// Logs this warning with the first error in a row.
    pub fn new(warning: &'static str) -> Self {
        Self { warning, is_failing: false, not_before: None }
    }

    /// Accepts the next connection. Calls `failed` after each error that every connection would
    /// meet. May be dropped while it waits: the pause stays.
    pub async fn next(&mut self, listener: &TcpListener, failed: impl FnMut()) -> TcpStream {
        self.next_of(|context| listener.poll_accept(context), failed).await
    }

    async fn next_of(
        &mut self,
        mut accept: impl FnMut(&mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>>,
        mut failed: impl FnMut(),
    ) -> TcpStream {
        loop {
            if let Some(not_before) = self.not_before {
                sleep_until(not_before).await;
                self.not_before = None;
            }
            match poll_fn(&mut accept).await {
                Ok((stream, _)) => {
                    self.is_failing = false;
                    return stream;
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if !std::mem::replace(&mut self.is_failing, true) {
                        tracing::warn!(%error, "{}", self.warning);
                    }
                    self.not_before = Some(Instant::now() + PAUSE);
                    failed();
                }
            }
        }
    }
}

/// Whether only this connection has failed, so that the next one can be accepted at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    Errno::from_io_error(error).is_some_and(|error| OF_ONE.contains(&error))
        || matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long the listener waits for the next connection after these errors, and how many of them
    /// every connection would meet.
    async fn waits_after(errors: Vec<io::Error>) -> (Duration, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut accepted = Some(listener.accept().await.unwrap());
        tokio::time::pause();
        let begun = Instant::now();
        let (mut errors, mut failures) = (errors.into_iter(), 0);
        let accept = |_: &mut Context<'_>| match errors.next() {
            Some(error) => Poll::Ready(Err(error)),
            None => accepted.take().map_or(Poll::Pending, |accepted| Poll::Ready(Ok(accepted))),
        };
        AcceptLoop::new("no connection can be accepted").next_of(accept, || failures += 1).await;
        (begun.elapsed(), failures)
    }

    fn of(errors: impl IntoIterator<Item = Errno>) -> Vec<io::Error> {
        errors.into_iter().map(|error| io::Error::from_raw_os_error(error.raw_os_error())).collect()
    }

    #[tokio::test]
    async fn a_connection_that_failed_delays_no_other_one() {
        let aborted = io::Error::from(io::ErrorKind::ConnectionAborted);
        let errors = of(OF_ONE).into_iter().chain([aborted]).collect();
        assert_eq!(waits_after(errors).await, (Duration::ZERO, 0));
    }

    #[tokio::test]
    async fn an_error_that_every_connection_would_meet_is_followed_by_a_pause() {
        let (waited, failures) = waits_after(of([Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM])).await;
        assert!(waited >= 4 * PAUSE, "{waited:?}");
        assert_eq!(failures, 4);
    }

    #[tokio::test]
    async fn a_caller_that_stops_waiting_does_not_end_the_pause() {
        tokio::time::pause();
        let mut accepting = AcceptLoop::new("no connection can be accepted");
        let mut failures = 0;
        for _ in 0..5 {
            let failing = |_: &mut Context<'_>| Poll::Ready(Err(of([Errno::MFILE]).remove(0)));
            let waiting = accepting.next_of(failing, || failures += 1);
            tokio::time::timeout(PAUSE / 10, waiting).await.unwrap_err();
        }
        assert_eq!(failures, 1, "each try waits for the end of the first pause");
    }
}
