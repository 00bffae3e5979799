//! The web console: the built files of `console/`, and what they ask this server about itself.
//!
//! `/` and every path under `/ui/` answer with the same page, whose script reads the address. So
//! links to a place in the console can be opened, and work offline: a page loads nothing from
//! elsewhere, and its policy forbids that. [`graphiql`] is the page for browsers at `/graphql`.

mod files;
mod me;
mod options;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http_problem::Problem;

use files::File;
pub use options::ConsoleOptions;

/// What the handlers use.
#[derive(Clone)]
struct Console {
    options: Arc<ConsoleOptions>,
}

/// The console's pages, and the description of the server for them.
pub fn console(options: &ConsoleOptions) -> Router {
    let console = Console { options: Arc::new(options.clone()) };
    Router::new()
        .route("/", get(page))
        .route("/ui", get(page))
        .route("/ui/", get(page))
        .route("/ui/{*path}", get(file_or_page))
        .route("/console.json", get(described))
        .route("/me", get(me::get))
        .with_state(console)
}

async fn page(State(console): State<Console>, headers: HeaderMap) -> Response {
    console.page(&headers)
}

async fn file_or_page(
    State(console): State<Console>,
    Path(path): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match files::at(&path) {
        Some(file) => answer(file, &headers),
        None if path.starts_with("assets/") => Problem::no_such_path(&method, &uri, "the console").into_response(),
        None => console.page(&headers),
    }
}

impl Console {
    fn page(&self, headers: &HeaderMap) -> Response {
        page_of(&files::PAGE, self.options.policy(), headers)
    }
}

/// The page `GraphiQL`. It reaches this server only.
pub fn graphiql(headers: &HeaderMap) -> Response {
    let mut response = page_of(&files::GRAPHIQL, ConsoleOptions::default().policy(), headers);
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    response
}

fn page_of(file: &'static File, policy: HeaderValue, headers: &HeaderMap) -> Response {
    let mut response = answer(file, headers);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// A file. Browsers keep it, and ask each time whether it is still the same.
fn answer(file: &'static File, headers: &HeaderMap) -> Response {
    let variant = file.for_a_client_that_accepts(headers);
    let lasting = [
        (header::ETAG, variant.tag),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::VARY, header::ACCEPT_ENCODING.to_string()),
    ];
    if file.is_known_by(headers) {
        return (axum::http::StatusCode::NOT_MODIFIED, lasting).into_response();
    }
    let mut response = (lasting, [(header::CONTENT_TYPE, file.media_type)], variant.bytes).into_response();
    if let Some(encoding) = variant.encoding {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// `GET /console.json`.
async fn described(State(console): State<Console>) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "no-store")], Json(console.options.described()))
}

#[cfg(test)]
mod tests;
