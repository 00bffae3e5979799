//! Bounds on the number of concurrent calls, and on the memory that partly received messages take.
//!
//! A call beyond the bound gets "the server is busy" at once. Within the bound, a message that
//! arrives in one piece passes. A message that arrives in several pieces needs room for all of it.
//! The node ends a call if its message finds no room, or is not complete in time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::FutureExt;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tonic::Status;
use tonic::body::{BoxBody, boxed};
use tower::Service;

use super::change::Failure;
use super::gate::{Answering, Gate};
use super::intake::Intake;
use super::service::refusal;

/// The flag and the length in front of each message.
const HEADER: usize = 5;

#[derive(Clone)]
pub(super) struct Admission {
    calls: Arc<Semaphore>,
    intake: Intake,
}

impl Admission {
    pub(super) fn new(max_calls: usize, intake: Intake) -> Self {
        Self { calls: Arc::new(Semaphore::new(max_calls)), intake }
    }
}

impl Gate for Admission {
    fn pass<S>(&self, request: Request<BoxBody>, behind: &mut S) -> Answering<S::Error>
    where
        S: Service<Request<BoxBody>, Response = Response<BoxBody>, Future: Send + 'static> + Clone + Send + 'static,
    {
        let Ok(place) = self.calls.clone().try_acquire_owned() else {
            return async { Ok(Status::unavailable("Server Is Too Busy").into_http()) }.boxed();
        };
        let intake = self.intake.clone();
        let answer = behind.call(request.map(|body| boxed(Metered::new(body, intake))));
        // The call keeps its place until the last part of the answer was sent.
        async move { Ok(answer.await?.map(|body| boxed(Placed { body, _place: place }))) }.boxed()
    }
}

/// The body of an answer. It holds the place of its call.
struct Placed {
    body: BoxBody,
    _place: OwnedSemaphorePermit,
}

impl Body for Placed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a request. Before the reader asks for the next piece, it has taken every complete
/// message out of its buffer. So the buffer holds at most the incomplete message.
struct Metered {
    body: BoxBody,
    intake: Intake,
    messages: Messages,
    under_way: Option<UnderWay>,
}

struct UnderWay {
    late: Pin<Box<Sleep>>,
    /// The room for the whole message, from its first piece to its end.
    _room: OwnedSemaphorePermit,
}

impl Metered {
    fn new(body: BoxBody, intake: Intake) -> Self {
        Self { body, intake, messages: Messages::default(), under_way: None }
    }

    /// Reserves room for the incomplete message at the end of this piece, unless it has room
    /// already.
    fn reserve_for(&mut self, data: &[u8]) -> Result<(), Failure> {
        let before = self.messages.begun;
        match self.messages.follow(data) {
            None => self.under_way = None,
            Some(_) if self.messages.begun == before => {}
            Some(length) => {
                self.under_way = None;
                let room = self.intake.room_for(length)?;
                let late = Box::pin(tokio::time::sleep(self.intake.patience));
                self.under_way = Some(UnderWay { late, _room: room });
            }
        }
        Ok(())
    }
}

impl Body for Metered {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(UnderWay { late, .. }) = &mut self.under_way
            && late.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Some(Err(refusal::late("message"))));
        }
        let piece = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(data) = piece.as_ref().and_then(|piece| piece.as_ref().ok()?.data_ref())
            && let Err(failure) = self.reserve_for(data)
        {
            return Poll::Ready(Some(Err(refusal::failed(failure))));
        }
        Poll::Ready(piece)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// Finds where messages begin and end in a body.
#[derive(Default)]
struct Messages {
    begun: u64,
    header: [u8; HEADER],
    header_bytes: usize,
    length: usize,
    missing: usize,
}

impl Messages {
    /// Processes the next piece. Returns the length of the message that is incomplete at its end,
    /// if any.
    fn follow(&mut self, mut data: &[u8]) -> Option<usize> {
        while !data.is_empty() {
            if self.missing == 0 {
                let taken = data.len().min(HEADER - self.header_bytes);
                self.header[self.header_bytes..][..taken].copy_from_slice(&data[..taken]);
                self.header_bytes += taken;
                data = &data[taken..];
                if self.header_bytes == HEADER {
                    let [_, length @ ..] = self.header;
                    self.length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                    (self.missing, self.header_bytes) = (self.length, 0);
                    self.begun += 1;
                }
            } else {
                let taken = data.len().min(self.missing);
                self.missing -= taken;
                data = &data[taken..];
            }
        }
        (self.missing > 0).then_some(self.length)
    }
}
