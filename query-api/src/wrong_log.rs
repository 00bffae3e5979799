//! While the views were made from another log than this one, the query side refuses to answer from
//! them.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http_problem::Problem;
use serde_json::json;

use crate::code::ErrorCode;

/// The same routes, which answer 503 with the reason and the remedy while there is a reason. The
/// schema's text and the page for browsers do not come from the views.
pub fn refused_while<R>(queries: Router, reason: R) -> Router
where
    R: Fn() -> Option<String> + Clone + Send + Sync + 'static,
{
    queries.layer(from_fn_with_state(reason, refuse::<R>))
}

async fn refuse<R: Fn() -> Option<String>>(State(reason): State<R>, request: Request, next: Next) -> Response {
    let is_graphql = request.uri().path() == "/graphql";
    let is_of_the_views =
        request.uri().path() != "/schema.graphql" && !(is_graphql && wants(request.headers(), "text/html"));
    match reason().filter(|_| is_of_the_views) {
        None => next.run(request).await,
        Some(reason) => refusal(&reason, is_graphql, request.headers()),
    }
}

fn refusal(reason: &str, is_graphql: bool, headers: &HeaderMap) -> Response {
    if !is_graphql {
        return Problem::later(reason).into_response();
    }
    let media_type = "application/graphql-response+json";
    let media_type = if wants(headers, media_type) { media_type } else { "application/json" };
    let body = json!({ "errors": [ErrorCode::LogMismatch.of_request(&reason)] });
    (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, media_type)], body.to_string()).into_response()
}

fn wants(headers: &HeaderMap, media_type: &str) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    accepted.any(|accept| accept.contains(media_type))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    type Alarm = Arc<Mutex<Option<&'static str>>>;

    async fn answer(alarm: &Alarm, path: &str, accept: &str) -> (StatusCode, String, String) {
        let answer = || get(|| async { "from the views" });
        let queries = Router::new()
            .route("/graphql", answer())
            .route("/orders/{id}", answer())
            .route("/schema.graphql", answer());
        let alarm = alarm.clone();
        let reason = move || alarm.lock().unwrap().map(str::to_owned);
        let request = Request::builder().uri(path).header(header::ACCEPT, accept).body(Body::empty()).unwrap();
        let response = refused_while(queries, reason).oneshot(request).await.unwrap();
        let (status, media_type) =
            (response.status(), response.headers()[header::CONTENT_TYPE].to_str().unwrap().into());
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, media_type, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn views_of_another_log_are_not_answered_from() {
        let alarm = Alarm::default();
        assert_eq!(answer(&alarm, "/orders/1", "*/*").await.0, StatusCode::OK);
        *alarm.lock().unwrap() = Some("this is another log; tenuto rebuild --yes");
        for (path, accept, media_type) in [
            ("/orders/1", "*/*", "application/problem+json"),
            ("/graphql", "application/json", "application/json"),
            ("/graphql", "application/graphql-response+json", "application/graphql-response+json"),
        ] {
            let (status, given, body) = answer(&alarm, path, accept).await;
            assert_eq!((status, given.as_str()), (StatusCode::SERVICE_UNAVAILABLE, media_type), "{path}");
            assert!(body.contains("tenuto rebuild --yes"), "{body}");
        }
        for (path, accept) in [("/schema.graphql", "*/*"), ("/graphql", "text/html")] {
            assert_eq!(answer(&alarm, path, accept).await.0, StatusCode::OK, "{path}");
        }
        *alarm.lock().unwrap() = None;
        assert_eq!(answer(&alarm, "/graphql", "application/json").await.0, StatusCode::OK);
    }
}
