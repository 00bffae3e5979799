//! The connections of a listener: how many there are, which are idle, and which are cut to make
//! room.

use std::collections::{BTreeSet, HashMap};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::figures::Counted;
use super::limits::Limits;
use super::shares::Taken;

/// How long a new connection does not count as idle: its request may be on its way.
const FRESH: Duration = Duration::from_millis(100);
/// How long connections that were cut may take to close.
const CLOSING: Duration = Duration::from_millis(10);

/// The connections of a listener.
pub(super) struct Connections {
    limits: Arc<Limits>,
    open: Arc<Mutex<Open>>,
}

/// The work for a connection or a request does not grow with the number of connections, except the
/// search in `waiting`.
#[derive(Default)]
struct Open {
    next: u64,
    slots: HashMap<u64, Slot>,
    /// The number of connections that are cut and not closed yet.
    closing: usize,
    /// The connections that are not cut and wait for a request, the longest wait first.
    waiting: BTreeSet<(Instant, u64)>,
}

struct Slot {
    cut: CancellationToken,
    is_cut: bool,
}

/// The result for a new connection.
pub(super) enum Entrance {
    Entered(Arc<Entry>),
    /// A place may be free at this time.
    Later(Instant),
    /// No place is free, not even for a probe.
    Full,
}

/// A connection, for as long as its socket is open.
pub(super) struct Entry {
    number: u64,
    open: Arc<Mutex<Open>>,
    is_reserve: bool,
    activity: Mutex<Activity>,
    cut: CancellationToken,
    /// The caller's share, once the connection has changed to another protocol.
    taken: Mutex<Option<Taken>>,
}

#[derive(Debug, Clone, Copy)]
enum Activity {
    /// Without a request since then.
    Idle(Instant),
    /// The first byte of a head arrived then.
    Head(Instant),
    Answering,
    /// The connection has changed to another protocol, which has its own rules for the end.
    Upgraded,
}

impl Activity {
    /// When the client is late, if the client must act next.
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

    /// A place for a new connection. An idle connection may be closed for it.
    pub(super) fn enter(&self) -> Entrance {
        let now = Instant::now();
        let mut all = lock(&self.open);
        let open = all.open();
        let Limits { connections, reserve, .. } = *self.limits;
        let mut is_reserve = false;
        if open >= connections {
            match all.waiting.first().map(|(since, _)| *since) {
                Some(since) if since + FRESH <= now => all.cut_longest_waiting(),
                Some(since) if open >= connections + reserve => return Entrance::Later(since + FRESH),
                None if open >= connections + reserve => return Entrance::Full,
                _ => is_reserve = true,
            }
        }
        if all.closing > connections / 2 {
            return Entrance::Later(now + CLOSING);
        }
        let (number, cut) = all.add(now);
        let activity = Mutex::new(Activity::Idle(now));
        Entrance::Entered(Arc::new(Entry {
            number,
            open: self.open.clone(),
            is_reserve,
            activity,
            cut,
            taken: Mutex::default(),
        }))
    }

    /// Closes the connection with the longest wait for a request, if one waits.
    pub(super) fn make_room(&self) {
        lock(&self.open).cut_longest_waiting();
    }
}

impl Open {
    /// The number of connections that are not cut.
    fn open(&self) -> usize {
        self.slots.len() - self.closing
    }

    fn add(&mut self, now: Instant) -> (u64, CancellationToken) {
        let (number, cut) = (self.next, CancellationToken::new());
        self.next += 1;
        self.slots.insert(number, Slot { cut: cut.clone(), is_cut: false });
        self.waiting.insert((now, number));
        (number, cut)
    }

    fn cut_longest_waiting(&mut self) {
        let Some((_, number)) = self.waiting.pop_first() else { return };
        if let Some(slot) = self.slots.get_mut(&number) {
            slot.is_cut = true;
            slot.cut.cancel();
            self.closing += 1;
        }
    }

    /// Records that a connection waits since another time, or no longer.
    fn moves(&mut self, number: u64, before: Option<Instant>, after: Option<Instant>) {
        if let Some(before) = before {
            self.waiting.remove(&(before, number));
        }
        let is_cut = self.slots.get(&number).is_none_or(|slot| slot.is_cut);
        if let Some(after) = after.filter(|_| !is_cut) {
            self.waiting.insert((after, number));
        }
    }

    fn remove(&mut self, number: u64, waits_since: Option<Instant>) {
        self.moves(number, waits_since, None);
        if self.slots.remove(&number).is_some_and(|slot| slot.is_cut) {
            self.closing -= 1;
        }
    }
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
        self.change(|_| Some(Activity::Answering));
        Answering(self.clone())
    }

    /// The connection has changed to another protocol, and keeps the caller's share.
    pub(super) fn upgraded(&self, taken: Option<Taken>) {
        *lock(&self.taken) = taken;
        self.change(|_| Some(Activity::Upgraded));
    }

    /// Waits until the connection must make room.
    pub(super) async fn cut(&self) {
        self.cut.cancelled().await;
    }

    fn bytes_came(&self) {
        self.change(|now| matches!(now, Activity::Idle(_)).then(|| Activity::Head(Instant::now())));
    }

    /// Changes the activity. The lock of one connection is taken before the lock of all.
    fn change(&self, to: impl FnOnce(Activity) -> Option<Activity>) {
        let mut activity = lock(&self.activity);
        let Some(next) = to(*activity) else { return };
        lock(&self.open).moves(self.number, activity.waits_since(), next.waits_since());
        *activity = next;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let waits_since = lock(&self.activity).waits_since();
        lock(&self.open).remove(self.number, waits_since);
    }
}

/// A request that is being answered.
pub(super) struct Answering(Arc<Entry>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.change(|now| matches!(now, Activity::Answering).then(|| Activity::Idle(Instant::now())));
    }
}

/// The body of an answer. The request ends with it.
pub(super) struct Answer {
    body: Body,
    _held: (Answering, Option<Taken>, Counted),
}

impl Answer {
    /// What is held until the answer is sent.
    pub(super) fn new(body: Body, held: (Answering, Option<Taken>, Counted)) -> Self {
        Self { body, _held: held }
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

/// A stream of bytes whose client must send its requests, and take its answers, in time.
pub(super) struct Io<S> {
    stream: S,
    entry: Arc<Entry>,
    limits: Arc<Limits>,
    /// What was read of the first head, until the library has read it.
    first: Vec<u8>,
    late: Pin<Box<Sleep>>,
    taking: Option<Pin<Box<Sleep>>>,
}

impl<S> Io<S> {
    pub(super) fn new(stream: S, entry: Arc<Entry>, limits: Arc<Limits>) -> Self {
        let late = Box::pin(sleep(limits.idle));
        Self { stream, entry, limits, first: Vec::new(), late, taking: None }
    }

    /// Ready if the client is late with its next request. Otherwise it wakes the task to check
    /// again.
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

    /// The written bytes, unless the client has taken nothing for too long.
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

impl<S: AsyncRead + Unpin> Io<S> {
    /// Waits for the first head. Returns whether it came in time, as a whole or as far as it can be
    /// refused. The library holds two buffers of 8 KiB for each connection that it serves: a client
    /// that sends nothing, or hardly anything, does not get them.
    pub(super) async fn begins(&mut self) -> bool {
        let mut head = Vec::new();
        while head.is_empty() || (head.len() < self.limits.head_bytes && is_begun(&head)) {
            if !self.read_some(&mut head).await {
                return false;
            }
        }
        self.first = head;
        true
    }

    /// Reads what is there, or comes next. `false`: nothing comes.
    async fn read_some(&mut self, into: &mut Vec<u8>) -> bool {
        poll_fn(|context| {
            let mut bytes = [0; 1024];
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(&mut *self).poll_read(context, &mut buffer));
            into.extend_from_slice(buffer.filled());
            Poll::Ready(read.is_ok() && !buffer.filled().is_empty())
        })
        .await
    }
}

/// Whether more of a head has to come.
fn is_begun(head: &[u8]) -> bool {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    matches!(httparse::Request::new(&mut headers).parse(head), Ok(httparse::Status::Partial))
}

impl<S: AsyncRead + Unpin> AsyncRead for Io<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.first.is_empty() {
            let (read, rest) = self.first.split_at(buffer.remaining().min(self.first.len()));
            buffer.put_slice(read);
            self.first = rest.to_vec();
            return Poll::Ready(Ok(()));
        }
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(read) => {
                self.entry.bytes_came();
                Poll::Ready(read)
            }
            Poll::Pending => self.poll_late(context).map(|()| Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Io<S> {
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

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    impl Connections {
        /// Compares the totals with a search through all connections. `held`: the connections that
        /// are open.
        fn agree_with(&self, held: &[Arc<Entry>]) {
            let open = lock(&self.open);
            let cut = held.iter().filter(|entry| entry.cut.is_cancelled()).count();
            assert_eq!((open.slots.len(), open.closing), (held.len(), cut));
            let waiting = held.iter().filter(|entry| !entry.cut.is_cancelled());
            let waiting = waiting.filter_map(|entry| Some((lock(&entry.activity).waits_since()?, entry.number)));
            assert_eq!(open.waiting, waiting.collect::<BTreeSet<_>>());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_connections_do_the_longest_waiting_is_known_without_a_search() {
        for seed in 0..50 {
            let mut dice = StdRng::seed_from_u64(seed);
            let limits = Limits { connections: 20, reserve: 2, ..Limits::default() };
            let connections = Connections::new(Arc::new(limits));
            let (mut held, mut answering) = (Vec::new(), Vec::new());
            for _ in 0..400 {
                let some = dice.random_range(0..held.len().max(1));
                let one: Option<&Arc<Entry>> = held.get(some);
                match (dice.random_range(0..8), one) {
                    (3, Some(entry)) => answering.push(entry.begin()),
                    (4, Some(entry)) => entry.bytes_came(),
                    (5, _) => drop(answering.pop()),
                    (6, Some(entry)) if dice.random_ratio(1, 4) => entry.upgraded(None),
                    (6, _) => connections.make_room(),
                    (7, Some(entry)) if !answering.iter().any(|a: &Answering| a.0.number == entry.number) => {
                        held.swap_remove(some);
                    }
                    _ => {
                        if let Entrance::Entered(entry) = connections.enter() {
                            held.push(entry);
                        }
                    }
                }
                connections.agree_with(&held);
                tokio::time::advance(Duration::from_millis(dice.random_range(0..80))).await;
            }
        }
    }
}
