//! What a listener counts of its requests, for `/metrics`. The route is a pattern, and never a
//! path: a caller cannot make new series.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use access::routes;
use axum::http::{Method, Request, StatusCode};
use metrics::{DescriptorEncoder, FAST, Histograms, Metric, OTHER};

metrics::metrics! {
    REQUESTS: 3 = Metric::histogram(
        "tenuto_http_request_duration_seconds",
        ["method", "route", "status"],
        "Time from the head of a request to the head of its answer, by route and class of status (as 2xx)",
    );
    IN_FLIGHT: 0 = Metric::gauge(
        "tenuto_http_requests_in_flight",
        [],
        "Requests that are being answered, until the end of the answer; a subscription is one while it lasts",
    );
    CERTIFICATE: 0 = Metric::gauge(
        "tenuto_tls_certificate_expiry_seconds",
        [],
        "When the listener's certificate expires, in Unix time",
    );
    REFUSED: 1 = Metric::counter(
        "tenuto_refused_requests",
        ["reason"],
        "Requests that were refused before they were looked at",
    );
    AUTHENTICATED: 2 = Metric::counter(
        "tenuto_authenticated_requests",
        ["credentials", "role"],
        "Requests with credentials (key, token or certificate) that were let in, once for each role of their principal",
    );
    DISCLOSED: 0 = Metric::counter(
        "tenuto_disclosed_orders",
        [],
        "Orders whose personal data authenticated callers have read, counted for each request",
    );
    ERASURES: 0 = Metric::counter(
        "tenuto_erasures",
        [],
        "Requests that erased the personal data of a customer",
    );
    EXPORTS: 0 = Metric::counter("tenuto_exports", [], "Histories of orders that were exported over HTTP");
}

/// What is counted of requests. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct RequestFigures(Arc<Figures>);

#[derive(Debug)]
struct Figures {
    requests: Histograms<3>,
    in_flight: AtomicU64,
}

/// A request, until the end of its answer.
pub(crate) struct Counted {
    figures: RequestFigures,
    method: &'static str,
    route: &'static str,
    begun: Instant,
}

impl Default for RequestFigures {
    fn default() -> Self {
        Self(Arc::new(Figures { requests: Histograms::new(&REQUESTS, FAST), in_flight: AtomicU64::new(0) }))
    }
}

impl RequestFigures {
    /// A request begins.
    pub fn begin<B>(&self, request: &Request<B>) -> Counted {
        self.0.in_flight.fetch_add(1, Ordering::Relaxed);
        let route = routes::pattern(request.uri().path()).unwrap_or(OTHER);
        Counted { figures: self.clone(), method: name_of(request.method()), route, begun: Instant::now() }
    }

    pub fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        self.0.requests.encode(encoder)?;
        IN_FLIGHT.write(encoder, self.0.in_flight.load(Ordering::Relaxed))
    }
}

impl Counted {
    /// The head of its answer is known.
    pub fn answered(&self, status: StatusCode) {
        let labels = [self.method, self.route, class_of(status)];
        self.figures.0.requests.observe(labels, self.begun.elapsed().as_secs_f64());
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.figures.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn name_of(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "OPTIONS" => "OPTIONS",
        _ => OTHER,
    }
}

fn class_of(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
