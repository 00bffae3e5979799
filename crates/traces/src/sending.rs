//! Sends spans in batches, one request at a time, until their queue is closed.

use std::time::Duration;

use back_off::{BackOff, Limits};
use domain::trace::Span;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep, timeout_at};

use crate::collector::{Collector, NotTaken, Taken};
use crate::figures::{Figures, Reason};

/// The bounds of sending.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The most spans in a request.
    pub batch: usize,
    /// How long spans wait for others to be sent with.
    pub gather: Duration,
    /// The pauses between two tries.
    pub pauses: Limits,
    /// How long the same spans are tried.
    pub give_up_after: Duration,
}

impl Bounds {
    /// The usual ones.
    pub const USUAL: Self = Self {
        batch: 512,
        gather: Duration::from_secs(1),
        pauses: Limits::new(Duration::from_millis(500), Duration::from_secs(15)),
        give_up_after: Duration::from_mins(1),
    };
}

/// Sends spans to a collector.
pub struct Sender {
    pub collector: Collector,
    pub figures: Figures,
    pub bounds: Bounds,
}

impl Sender {
    /// Sends what the queue has, until it is closed and empty.
    pub async fn run(self, mut queue: Receiver<Span>) {
        let mut batch = Vec::with_capacity(self.bounds.batch);
        let mut is_away = false;
        while queue.recv_many(&mut batch, self.bounds.batch).await > 0 {
            let until = Instant::now() + self.bounds.gather;
            while batch.len() < self.bounds.batch {
                let room = self.bounds.batch - batch.len();
                match timeout_at(until, queue.recv_many(&mut batch, room)).await {
                    Ok(1..) => {}
                    Ok(0) | Err(_) => break,
                }
            }
            is_away = self.deliver(&batch, is_away).await;
            batch.clear();
        }
    }

    /// Tries one batch. Returns whether the collector is away. That is logged when it begins and
    /// when it ends.
    async fn deliver(&self, batch: &[Span], was_away: bool) -> bool {
        let count = batch.len() as u64;
        let (begun, mut back_off) = (Instant::now(), BackOff::new(self.bounds.pauses));
        let mut is_away = was_away;
        loop {
            let asked = Instant::now();
            let answer = self.collector.send(batch).await;
            self.figures.answered(asked.elapsed());
            let (reason, spans, error) = match answer {
                Ok(Taken { rejected, message }) => {
                    if is_away {
                        tracing::info!("the collector of traces takes spans again");
                    }
                    let rejected = rejected.min(count);
                    self.figures.sent(count - rejected);
                    self.figures.dropped(Reason::Rejected, rejected);
                    if rejected > 0 || !message.is_empty() {
                        tracing::warn!(rejected, %message, "the collector of traces does not accept all spans");
                    }
                    return false;
                }
                Err(NotTaken::Later { reason, wait }) => {
                    if !is_away {
                        is_away = true;
                        tracing::warn!(error = %reason, "spans wait, because the collector of traces is away");
                    }
                    let pause = back_off.next_pause().max(wait.unwrap_or_default());
                    if begun.elapsed() + pause <= self.bounds.give_up_after {
                        sleep(pause.mul_f64(0.5 + rand::random::<f64>() / 2.0).max(wait.unwrap_or_default())).await;
                        continue;
                    }
                    (Reason::Undelivered, count, reason)
                }
                Err(NotTaken::Never(error)) => (Reason::Refused, count, error),
                Err(NotTaken::Unclear(error)) => (Reason::Unclear, count, error),
            };
            self.figures.dropped(reason, spans);
            if !was_away {
                tracing::warn!(%error, spans, "spans were dropped; tenuto trace --send sends those of an order");
            }
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::post;
    use domain::ids::OrderId;
    use domain::trace::{Kind, SampleRatio, SpanId, TraceContext};
    use metrics::Page;
    use reqwest::header::HeaderMap;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;
    use uuid::Uuid;

    use super::*;
    use crate::options::Target;

    const BOUNDS: Bounds = Bounds {
        batch: 2,
        gather: Duration::from_millis(1),
        pauses: Limits::new(Duration::from_millis(1), Duration::from_millis(2)),
        give_up_after: Duration::from_millis(20),
    };

    fn span(number: u128) -> Span {
        let order = OrderId::new("1").unwrap();
        Span {
            trace: TraceContext::of_order(&order, None, SampleRatio::ALL).trace,
            id: SpanId::of_attempt(&order, Uuid::from_u128(number)),
            parent: None,
            kind: Kind::Attempt,
            name: "p.go".to_owned(),
            start: chrono::DateTime::UNIX_EPOCH,
            end: Some(chrono::DateTime::UNIX_EPOCH),
            error: None,
            attributes: Vec::new(),
            events: Vec::new(),
            dropped_events: 0,
            links: Vec::new(),
        }
    }

    /// Sends so many spans, and returns the counters.
    async fn figures_after(spans: u128, address: &str, bounds: Bounds) -> String {
        let figures = Figures::default();
        let target = Target {
            url: format!("http://{address}/v1/traces").parse().unwrap(),
            headers: HeaderMap::new(),
            client: http_client::builder().unwrap().build().unwrap(),
            service: "tenuto".to_owned(),
            compression: crate::options::Compression::None,
        };
        let sender = Sender { collector: Collector::new(target), figures: figures.clone(), bounds };
        let (queue, spans_of_queue) = mpsc::channel(64);
        for number in 0..spans {
            queue.send(span(number)).await.unwrap();
        }
        drop(queue);
        sender.run(spans_of_queue).await;
        Page::default().with(figures).text().unwrap()
    }

    #[tokio::test]
    async fn spans_are_dropped_and_counted_once_the_collector_is_away_for_too_long() {
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
        let figures = figures_after(5, &address, BOUNDS).await;
        assert!(figures.contains("spans_dropped_total{reason=\"undelivered\"} 5"), "{figures}");
        assert!(figures.contains("tenuto_traces_spans_sent_total 0"), "{figures}");
    }

    #[tokio::test]
    async fn a_collector_that_is_overloaded_is_tried_again_and_every_span_is_sent_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        let overloaded_at_first = move || async move {
            let is_overloaded = counter.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
            if is_overloaded { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
        };
        let router = Router::new().route("/v1/traces", post(overloaded_at_first));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let patient = Bounds { give_up_after: Duration::from_mins(1), ..BOUNDS };
        let figures = figures_after(3, &address, patient).await;
        assert!(figures.contains("tenuto_traces_spans_sent_total 3"), "{figures}");
        assert!(figures.contains("reason=\"undelivered\"} 0"), "{figures}");
        assert_eq!(requests.load(Ordering::Relaxed), 4, "two batches, each sent again once");
    }
}
