//! The connections of a listener: how many there are, which are idle, and which are cut to make room.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::limits::Limits;

/// How long a connection is not called idle: its request may be on its way.
const FRESH: Duration = Duration::from_millis(100);
/// How long connections that were cut may take to close.
const CLOSING: Duration = Duration::from_millis(10);

/// The connections of a listener.
pub(super) struct Connections {
    limits: Arc<Limits>,
    open: Arc<Mutex<Open>>,
}

#[derive(Default)]
struct Open {
    next: u64,
    entries: BTreeMap<u64, Weak<Entry>>,
}

/// What becomes of a new connection.
pub(super) enum Entrance {
    Entered(Arc<Entry>),
    /// There may be room then.
    Later(Instant),
    /// There is no place, not even for a probe.
    Full,
}

/// A connection, for as long as its socket is open.
pub(super) struct Entry {
    number: u64,
    open: Arc<Mutex<Open>>,
    is_reserve: bool,
    activity: Mutex<Activity>,
    cut: CancellationToken,
}

#[derive(Debug, Clone, Copy)]
enum Activity {
    /// Without a request since then.
    Idle(Instant),
    /// The first byte of a head came then.
    Head(Instant),
    Answering,
    /// It speaks another protocol by now, whose own rules say when it ends.
    Upgraded,
}

impl Activity {
    /// When the client is late, if it is the client who has to do something.
    fn late_at(self, limits: &Limits) -> Option<Instant> {
        match self {
            Self::Idle(since) => Some(since + limits.idle),
            Self::Head(since) => Some(since + limits.head),
            Self::Answering | Self::Upgraded => None,
        }
    }

    fn waits_since(self) -> Option<Instant> {
        match self {
            Self::Idle(since) | Self::Head(since) => Some(since),
            Self::Answering | Self::Upgraded => None,
        }
    }
}

impl Connections {
    pub(super) fn new(limits: Arc<Limits>) -> Self {
        Self { limits, open: Arc::default() }
    }

    /// A place for a new connection, for which an idle one may have to go.
    pub(super) fn enter(&self) -> Entrance {
        let now = Instant::now();
        let all = self.entries();
        let open = all.iter().filter(|entry| !entry.is_cut()).count();
        let Limits { connections, reserve, .. } = *self.limits;
        let mut is_reserve = false;
        if open >= connections {
            match longest_idle(&all) {
                Some((since, entry)) if since + FRESH <= now => entry.cut.cancel(),
                Some((since, _)) if open >= connections + reserve => return Entrance::Later(since + FRESH),
                None if open >= connections + reserve => return Entrance::Full,
                _ => is_reserve = true,
            }
        }
        if all.len() - open > connections / 2 {
            return Entrance::Later(now + CLOSING);
        }
        Entrance::Entered(self.entry(is_reserve))
    }

    /// Closes the connection that has been without a request for longest, if there is one.
    pub(super) fn make_room(&self) {
        if let Some((_, entry)) = longest_idle(&self.entries()) {
            entry.cut.cancel();
        }
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        lock(&self.open).entries.values().filter_map(Weak::upgrade).collect()
    }

    fn entry(&self, is_reserve: bool) -> Arc<Entry> {
        let mut open = lock(&self.open);
        let number = open.next;
        open.next += 1;
        let entry = Arc::new(Entry {
            number,
            open: self.open.clone(),
            is_reserve,
            activity: Mutex::new(Activity::Idle(Instant::now())),
            cut: CancellationToken::new(),
        });
        open.entries.insert(number, Arc::downgrade(&entry));
        entry
    }
}

/// The connection that has been without a request for longest, of those that are not cut yet.
fn longest_idle(entries: &[Arc<Entry>]) -> Option<(Instant, &Entry)> {
    let open = entries.iter().filter(|entry| !entry.is_cut());
    let idle = open.filter_map(|entry| Some((lock(&entry.activity).waits_since()?, entry.as_ref())));
    idle.min_by_key(|(since, _)| *since)
}

/// Nothing panics under these locks.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Entry {
    /// Whether only probes are answered on it.
    pub(super) fn is_reserve(&self) -> bool {
        self.is_reserve
    }

    /// A request, until it is answered.
    pub(super) fn begin(self: &Arc<Self>) -> Answering {
        *lock(&self.activity) = Activity::Answering;
        Answering(self.clone())
    }

    pub(super) fn upgraded(&self) {
        *lock(&self.activity) = Activity::Upgraded;
    }

    /// Waits until it has to make room.
    pub(super) async fn cut(&self) {
        self.cut.cancelled().await;
    }

    fn is_cut(&self) -> bool {
        self.cut.is_cancelled()
    }

    fn bytes_came(&self) {
        let mut activity = lock(&self.activity);
        if let Activity::Idle(_) = *activity {
            *activity = Activity::Head(Instant::now());
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.open).entries.remove(&self.number);
    }
}

/// A request that is being answered.
pub(super) struct Answering(Arc<Entry>);

impl Drop for Answering {
    fn drop(&mut self) {
        let mut activity = lock(&self.0.activity);
        if let Activity::Answering = *activity {
            *activity = Activity::Idle(Instant::now());
        }
    }
}

/// The body of an answer, with whose end the request ends.
pub(super) struct Answer {
    body: Body,
    _answering: Answering,
}

impl Answer {
    pub(super) fn new(body: Body, answering: Answering) -> Self {
        Self { body, _answering: answering }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A socket whose client has to send its requests, and take its answers, in time.
pub(super) struct Io {
    stream: TcpStream,
    entry: Arc<Entry>,
    limits: Arc<Limits>,
    late: Pin<Box<Sleep>>,
    taking: Option<Pin<Box<Sleep>>>,
}

impl Io {
    pub(super) fn new(stream: TcpStream, entry: Arc<Entry>, limits: Arc<Limits>) -> Self {
        let late = Box::pin(sleep(limits.idle));
        Self { stream, entry, limits, late, taking: None }
    }

    /// Whether the client is late with its next request, or else wakes the task to look again.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let (now, at) = (Instant::now(), lock(&self.entry.activity).late_at(&self.limits));
            if at.is_some_and(|at| at <= now) {
                return Poll::Ready(());
            }
            // Nothing else wakes the task when an answer has ended.
            let look = at.unwrap_or_else(|| self.late.deadline());
            let look = if look <= now { now + self.limits.idle } else { look };
            if self.late.deadline() != look {
                self.late.as_mut().reset(look);
            }
            ready!(self.late.as_mut().poll(context));
        }
    }

    /// What was written, unless the client has taken nothing for too long.
    fn taken<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.taking = None;
            return written;
        }
        let by = || Box::pin(sleep_until(Instant::now() + self.limits.take));
        ready!(self.taking.get_or_insert_with(by).as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(read) => {
                self.entry.bytes_came();
                Poll::Ready(read)
            }
            Poll::Pending => self.poll_late(context).map(|()| Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.taken(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.taken(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.taken(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
