//! GraphQL over server-sent events, in its "distinct connections" mode: a request is answered by a stream of `next` events and a
//! `complete`. <https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md>

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Request, Response as Answer};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};

use super::media::Wanted;
use super::{Endpoint, later};

/// How often a line says that the connection is alive, where nothing else does.
const BEAT: Duration = Duration::from_secs(15);

/// Answers so, if there is room for the connection. What is wrong with the operation is told within the stream.
pub fn stream(endpoint: Arc<Endpoint>, request: Request) -> Response {
    let Ok(place) = endpoint.places.clone().try_acquire_owned() else {
        return later(Wanted::EventStream, "this instance has as many connections as it takes");
    };
    let held = (place, endpoint.stats.connection());
    let leaving = endpoint.leaving.clone().cancelled_owned();
    let answers = endpoint.answers(request).map(|answer| next(&answer)).take_until(leaving);
    // Empty lines of data: browsers dispatch no event without any.
    let complete = stream::iter([Event::default().event("complete").data("\n")]);
    let events = answers.chain(complete).map(move |event| {
        let _held_as_long_as_this_goes_on = &held;
        Ok::<_, Infallible>(event)
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(BEAT)).into_response()
}

fn next(answer: &Answer) -> Event {
    let data = serde_json::to_string(answer).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer could not be written as JSON");
        r#"{"errors":[{"message":"the answer could not be written"}]}"#.to_owned()
    });
    Event::default().event("next").data(data)
}
