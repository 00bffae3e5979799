//! The routes of a role that is still starting: until they are open, each is answered 503. Probes are answered from the beginning.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

/// The routes, once they are there. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doors(Arc<OnceLock<Router>>);

impl Doors {
    /// A router that passes everything on to the routes.
    pub fn router(&self) -> Router {
        let doors = self.clone();
        Router::new().fallback(move |request: Request| {
            let doors = doors.clone();
            async move { doors.answer(request).await }
        })
    }

    /// From now on, requests are answered by these.
    pub fn open(&self, routes: Router) {
        // The doors are opened once.
        let _ = self.0.set(routes);
    }

    /// Whether the routes are there.
    pub fn are_open(&self) -> bool {
        self.0.get().is_some()
    }

    async fn answer(&self, request: Request) -> Response {
        let Some(routes) = self.0.get() else { return starting() };
        routes.clone().oneshot(request).await.into_response()
    }
}

fn starting() -> Response {
    let body = concat!(
        r#"{"type":"about:blank","title":"Service Unavailable","status":503,"#,
        r#""detail":"this instance is still starting; /readyz says what it waits for"}"#
    );
    let headers = [(header::CONTENT_TYPE, "application/problem+json"), (header::RETRY_AFTER, "1")];
    (StatusCode::SERVICE_UNAVAILABLE, headers, body).into_response()
}
