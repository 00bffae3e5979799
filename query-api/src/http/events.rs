//! GraphQL over server-sent events, in its "distinct connections" mode: a request is answered by a
//! stream of `next` events and a `complete`.
//! <https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md>

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Request, ServerError};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use tokio::sync::OwnedSemaphorePermit;

use super::asker::Asker;
use super::endpoint::Endpoint;
use super::media::Wanted;
use super::respond::{later, to_json};
use super::run::{Answered, only};

/// How often an idle stream has a line that shows that the connection is alive.
const BEAT: Duration = Duration::from_secs(15);

/// Answers a request with a stream. An error of the operation is an event of the stream.
pub fn stream(endpoint: &Arc<Endpoint>, request: Request, asker: Asker) -> Response {
    let answers = endpoint.clone().answers(request, asker.clone());
    stream_of(endpoint, answers, asker)
}

/// The stream with the reason why an operation is not executed.
pub fn refuse(endpoint: &Endpoint, error: ServerError, asker: Asker) -> Response {
    stream_of(endpoint, only(Answered::refusal(error)), asker)
}

/// These answers as a stream, if there is room for the connection.
pub fn stream_of(endpoint: &Endpoint, answers: BoxStream<'static, Answered>, asker: Asker) -> Response {
    let Ok(place) = endpoint.places.clone().try_acquire_owned() else {
        return later(Wanted::EventStream, "this instance has as many connections as it takes");
    };
    let held = (place, endpoint.stats.connection());
    let leaving = endpoint.leaving.clone().cancelled_owned();
    let answers = answers.take_until(leaving).take_until(Box::pin(asker.leaves())).then(next);
    // Empty lines of data: browsers dispatch no event without any.
    let complete = stream::iter([(Event::default().event("complete").data("\n"), None)]);
    let mut share_of_the_last = None;
    let events = answers.chain(complete).map(move |(event, share)| {
        let _held_as_long_as_this_goes_on = &held;
        // The next event is asked for when this one is sent.
        drop(std::mem::replace(&mut share_of_the_last, share));
        Ok::<_, Infallible>(event)
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(BEAT)).into_response()
}

/// The event of an answer, and the answer's share of the memory.
async fn next(answered: Answered) -> (Event, Option<OwnedSemaphorePermit>) {
    let Answered { answer, is_large, share } = answered;
    let data = to_json(is_large, answer).await;
    let data = data.unwrap_or_else(|| r#"{"errors":[{"message":"the answer could not be written"}]}"#.to_owned());
    (Event::default().event("next").data(data), share)
}
