//! Bodies of requests as they arrive: each must proceed, and together they hold a bounded amount of
//! memory.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::body::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until};

use super::connections::lock;
use super::limits::Limits;

/// The least that a piece of a body takes in memory, in bytes.
const PIECE: usize = 64;

/// Why a body was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Cut {
    #[error("the bodies of the requests under way fill the memory for them")]
    NoRoom,
    #[error("the body did not arrive in time")]
    Late,
}

/// The memory for bodies, and their time limits.
#[derive(Clone)]
pub(super) struct Bodies {
    memory: Arc<Semaphore>,
    limits: Arc<Limits>,
}

impl Bodies {
    pub(super) fn new(limits: Arc<Limits>) -> Self {
        Self { memory: Arc::new(Semaphore::new(limits.bodies_bytes)), limits }
    }

    /// The share of a request that begins. It is free again when this and the body are dropped.
    pub(super) fn begin(&self) -> Share {
        Share { bodies: self.clone(), state: Arc::default() }
    }
}

/// What the body of one request holds, until the request is answered.
pub(super) struct Share {
    bodies: Bodies,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    held: Option<OwnedSemaphorePermit>,
    cut: Option<Cut>,
}

impl Share {
    pub(super) fn bounded<B>(&self, body: B) -> Bounded<B> {
        Bounded { body, bodies: self.bodies.clone(), state: self.state.clone(), clock: None }
    }

    /// Why the body ended early, if it did.
    pub(super) fn cut(&self) -> Option<Cut> {
        lock(&self.state).cut
    }
}

/// A body within its bounds.
pub(super) struct Bounded<B> {
    body: B,
    bodies: Bodies,
    state: Arc<Mutex<State>>,
    /// Starts with the first read: a client is not late before the handler reads.
    clock: Option<Clock>,
}

/// When a body is late.
struct Clock {
    whole_by: Instant,
    next_by: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    fn started(limits: &Limits) -> Self {
        let now = Instant::now();
        Self { whole_by: now + limits.body, next_by: now + limits.body_pause, timer: None }
    }

    /// A piece has arrived.
    fn go_on(&mut self, limits: &Limits) {
        self.next_by = Instant::now() + limits.body_pause;
    }

    /// Ready if the body is late. Otherwise it wakes the task when the body is late.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let by = self.whole_by.min(self.next_by);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(by)));
        if timer.deadline() != by {
            timer.as_mut().reset(by);
        }
        timer.as_mut().poll(context)
    }
}

impl<B> Bounded<B> {
    fn hold(&self, bytes: usize) -> Result<(), Cut> {
        let bytes = u32::try_from(bytes.max(PIECE)).map_err(|_| Cut::NoRoom)?;
        let more = self.bodies.memory.clone().try_acquire_many_owned(bytes).map_err(|_| Cut::NoRoom)?;
        let mut state = lock(&self.state);
        match &mut state.held {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    fn end(&self, cut: Cut) -> axum::BoxError {
        lock(&self.state).cut = Some(cut);
        cut.into()
    }
}

impl<B: Body<Data = Bytes, Error: Into<axum::BoxError>> + Unpin> Body for Bounded<B> {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let this = &mut *self;
        let limits = &this.bodies.limits;
        let clock = this.clock.get_or_insert_with(|| Clock::started(limits));
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                clock.go_on(limits);
                let is_late = clock.whole_by <= Instant::now();
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                let held = if is_late { Err(Cut::Late) } else { this.hold(bytes) };
                // A piece shares the buffer that it was read into, and so would hold all of it.
                let own = |frame: Frame<Bytes>| frame.map_data(|data| Bytes::copy_from_slice(&data));
                Poll::Ready(Some(held.map(|()| own(frame)).map_err(|cut| this.end(cut))))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => clock.poll_late(context).map(|()| Some(Err(this.end(Cut::Late)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::{self, Body as AxumBody};
    use futures::{StreamExt, stream};

    use super::*;

    /// A body that arrives byte by byte, all of them in one buffer.
    fn trickling(buffer: &Bytes, pieces: usize) -> AxumBody {
        let pieces: Vec<_> = (0..pieces).map(|at| Ok::<_, Infallible>(buffer.slice(at..=at))).collect();
        AxumBody::from_stream(stream::iter(pieces))
    }

    #[tokio::test]
    async fn what_is_kept_of_a_body_does_not_hold_the_buffers_that_it_was_read_into() {
        let buffer = Bytes::from(vec![b'x'; 8 * 1024]);
        let share = Bodies::new(Arc::default()).begin();
        let read = AxumBody::new(share.bounded(trickling(&buffer, 100))).into_data_stream();
        let kept: Vec<Bytes> = read.map(Result::unwrap).collect().await;
        assert_eq!((kept.len(), kept.concat().len()), (100, 100));
        assert!(buffer.is_unique(), "a piece shares the buffer");
    }

    #[tokio::test]
    async fn a_piece_counts_as_what_it_takes_however_small_it_is() {
        let limits = Arc::new(Limits { bodies_bytes: 10 * PIECE, ..Limits::default() });
        let buffer = Bytes::from(vec![b'x'; 8 * 1024]);
        for (pieces, is_held) in [(10, true), (11, false)] {
            let share = Bodies::new(limits.clone()).begin();
            let read = body::to_bytes(AxumBody::new(share.bounded(trickling(&buffer, pieces))), 1024).await;
            assert_eq!((read.is_ok(), share.cut()), (is_held, (!is_held).then_some(Cut::NoRoom)), "{pieces}");
        }
    }
}
