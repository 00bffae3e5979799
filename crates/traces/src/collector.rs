//! One request to a collector, and the meaning of its answer (OTLP 1.x over HTTP).

use std::io::Write;
use std::time::{Duration, SystemTime};

use domain::trace::Span;
use flate2::write::GzEncoder;
use prost::Message;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use crate::encoding;
use crate::messages::opentelemetry::proto::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use crate::options::{Compression, Target};

/// How long a collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// A collector.
pub struct Collector {
    target: Target,
}

/// Spans were taken, maybe not all of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken {
    /// How many the collector rejected.
    pub rejected: u64,
    /// Why, in the collector's words.
    pub message: String,
}

/// Spans were not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The collector has certainly not taken them, and may later.
    #[error("{reason}")]
    Later {
        /// The reason.
        reason: String,
        /// How long it asks to wait.
        wait: Option<Duration>,
    },
    /// It refuses them.
    #[error("{0}")]
    Never(String),
    /// It may have taken them. They are not sent again, so that no span comes twice.
    #[error("{0}")]
    Unclear(String),
}

impl Collector {
    pub fn new(target: Target) -> Self {
        Self { target }
    }

    /// Sends spans.
    pub async fn send(&self, spans: &[Span]) -> Result<Taken, NotTaken> {
        let Target { url, headers, client, service, compression } = &self.target;
        let message = encoding::request(spans, service).encode_to_vec();
        let request = client
            .post(url.clone())
            .headers(headers.clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            // An encoded answer could be of any size once it is decoded.
            .header(ACCEPT_ENCODING, "identity")
            .timeout(PATIENCE);
        let request = match compression {
            Compression::None => request.body(message),
            Compression::Gzip => {
                let packed = packed(&message);
                let packed = packed.map_err(|error| NotTaken::Never(format!("the spans cannot be packed: {error}")))?;
                request.header(CONTENT_ENCODING, "gzip").body(packed)
            }
        };
        match request.send().await {
            Ok(response) => meaning(response).await,
            Err(error) if error.is_connect() => {
                Err(NotTaken::Later { reason: http_client::no_answer(&error), wait: None })
            }
            Err(error) => Err(NotTaken::Unclear(http_client::no_answer(&error))),
        }
    }
}

fn packed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), flate2::Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// The specification names the statuses after which a client sends again.
async fn meaning(response: Response) -> Result<Taken, NotTaken> {
    let status = response.status();
    let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let wait = wait.and_then(|value| http_client::retry_after(value, SystemTime::now()));
    let reason = format!("the collector answered {status}");
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Err(NotTaken::Later { reason, wait }),
        status if status.is_success() => Ok(taken(response).await),
        _ => Err(NotTaken::Never(reason)),
    }
}

/// An answer that is not the expected message is no reason to take the spans as rejected.
async fn taken(response: Response) -> Taken {
    let (body, _) = http_client::at_most(response, MAX_ANSWER).await;
    let answer = ExportTraceServiceResponse::decode(body.as_slice()).unwrap_or_default();
    let ExportTracePartialSuccess { rejected_spans, error_message } = answer.partial_success.unwrap_or_default();
    Taken { rejected: rejected_spans.try_into().unwrap_or(0), message: error_message }
}
