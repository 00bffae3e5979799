//! The answer to a call: a stream of messages.

use std::pin::Pin;

use event_store_protocol::streams::ReadResp;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use tonic::Status;

pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Turns a cursor and its step into the messages of an answer. A step returns some messages, or
/// `None` at the end.
pub(super) fn answers<C, F, Fut>(cursor: C, step: F) -> Answers<ReadResp>
where
    C: Send + 'static,
    F: Fn(C) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Option<(Vec<ReadResp>, C)>, Status>> + Send + 'static,
{
    let pages = stream::try_unfold(cursor, step);
    pages.map_ok(|page| stream::iter(page).map(Ok)).try_flatten().boxed()
}
