//! A collector of traces: it decodes what it receives, and answers as a test wants.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use flate2::read::GzDecoder;
use prost::Message;
use traces::otlp::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use traces::otlp::common::v1::any_value::Value;
use traces::otlp::trace::v1::Span;

/// A collector that runs.
#[derive(Clone, Default)]
pub struct Collector(Arc<Mutex<Received>>);

#[derive(Default)]
struct Received {
    /// In the order of their arrival.
    spans: Vec<Span>,
    headers: Vec<HeaderMap>,
    /// How the next requests are answered; then all are taken.
    answers: Vec<Answer>,
}

/// How a request is answered.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// With this status; none of its spans are taken.
    Status(StatusCode),
    /// All but so many spans are taken.
    Rejected(usize),
    /// Not at all.
    Silence,
}

impl Collector {
    /// Starts it. Returns its endpoint.
    pub async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/traces", post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        endpoint
    }

    /// The next requests are answered like this, one after another.
    pub fn answers(&self, answers: &[Answer]) {
        self.0.lock().unwrap().answers = answers.to_vec();
    }

    /// How many of those answers are still to be given.
    pub fn answers_left(&self) -> usize {
        self.0.lock().unwrap().answers.len()
    }

    /// The headers of the last request.
    pub fn headers(&self) -> HeaderMap {
        self.0.lock().unwrap().headers.last().unwrap().clone()
    }

    /// The spans of an order that were taken.
    pub fn spans_of(&self, order: &str) -> Vec<Span> {
        let received = self.0.lock().unwrap();
        received.spans.iter().filter(|span| text(span, "tenuto.order.id").as_deref() == Some(order)).cloned().collect()
    }

    /// Whether the order's own span, the last one, was taken.
    pub fn has_whole(&self, order: &str) -> bool {
        self.spans_of(order).iter().any(|span| span.name.starts_with("order "))
    }
}

async fn take(State(Collector(received)): State<Collector>, headers: HeaderMap, body: Bytes) -> Response {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(unpacked(&headers, &body).as_slice()).unwrap();
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    let mut spans: Vec<Span> = scopes.flat_map(|scope| scope.spans).collect();
    let answer = {
        let mut received = received.lock().unwrap();
        received.headers.push(headers);
        let answer = if received.answers.is_empty() { None } else { Some(received.answers.remove(0)) };
        if let Some(Answer::Rejected(count)) = answer {
            spans.truncate(spans.len() - count);
        }
        if matches!(answer, None | Some(Answer::Rejected(_))) {
            received.spans.extend(spans);
        }
        answer
    };
    let mut taken = ExportTraceServiceResponse::default();
    match answer {
        Some(Answer::Status(status)) => return (status, [("retry-after", "1")]).into_response(),
        Some(Answer::Silence) => std::future::pending().await,
        Some(Answer::Rejected(count)) => {
            let (rejected_spans, error_message) = (i64::try_from(count).unwrap(), "no room".to_owned());
            taken.partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message });
        }
        None => {}
    }
    ([("content-type", "application/x-protobuf")], taken.encode_to_vec()).into_response()
}

/// A body without its encoding.
fn unpacked(headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    let Some(encoding) = headers.get("content-encoding") else { return body.to_vec() };
    assert_eq!(encoding, "gzip");
    let mut bytes = Vec::new();
    GzDecoder::new(body).read_to_end(&mut bytes).unwrap();
    bytes
}

/// The text of an attribute.
pub fn text(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

pub fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The spans by their ids. A span that came twice fails the test.
#[track_caller]
pub fn by_id(spans: &[Span]) -> BTreeMap<String, &Span> {
    let by_id: BTreeMap<String, &Span> = spans.iter().map(|span| (hex(&span.span_id), span)).collect();
    assert_eq!(by_id.len(), spans.len(), "a span was sent twice: {:?}", names(spans));
    by_id
}

pub fn names(spans: &[Span]) -> Vec<&str> {
    spans.iter().map(|span| span.name.as_str()).collect()
}
