//! Traces of orders: what a collector and the participants receive.

mod collector;
mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Output;

use axum::http::StatusCode;
use reqwest::{Client, Url};
use serde_json::{Value, json};
use traces::otlp::trace::v1::Span;

use self::collector::{Collector, by_id, hex, names, text};
use self::service::Service;
use crate::parts::Parts;
use crate::process::{Process, ends, output_text, tenuto, until};
use crate::world::{World, order};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SHOP: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

async fn place(orders: &str, id: &str) {
    let request = Client::new().post(orders).header("traceparent", SHOP).json(&order(id, "traced", "11", 1));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
}

/// Answers later, at the command handler with this address.
async fn answer_at(orders: &str, callback: &str, outcome: &str) {
    let (mut url, callback): (Url, Url) = (orders.parse().unwrap(), callback.parse().unwrap());
    url.set_path(callback.path());
    url.set_query(callback.query());
    let answer = Client::new().post(url).json(&json!({ "outcome": outcome })).send().await.unwrap();
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
}

fn projector(parts: &Parts, endpoint: &str) -> Process {
    let process = parts.start_in(&["projector", "--otlp-endpoint", endpoint], &[]);
    process.line_after("probes at ");
    process
}

/// Id, parent, start and end of each span that `tenuto trace --json` prints.
fn printed(output: &str) -> BTreeMap<String, [String; 3]> {
    let json: Value = serde_json::from_str(output).unwrap();
    let spans = json["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let field = |span: &Value, name: &str| span[name].as_str().unwrap_or_default().to_owned();
    let facts = |span: &Value| ["parentSpanId", "startTimeUnixNano", "endTimeUnixNano"].map(|name| field(span, name));
    spans.iter().map(|span| (field(span, "spanId"), facts(span))).collect()
}

/// The same of spans that were received.
fn received(spans: &[Span]) -> BTreeMap<String, [String; 3]> {
    let facts = |span: &Span| {
        [hex(&span.parent_span_id), span.start_time_unix_nano.to_string(), span.end_time_unix_nano.to_string()]
    };
    by_id(spans).into_iter().map(|(id, span)| (id, facts(span))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_one_trace_over_retries_a_back_order_a_killed_instance_and_its_compensation() {
    let (collector, service) = (Collector::default(), Service::default());
    let (endpoint, workflow) = (collector.start().await, service.start().await);
    let parts = Parts::without_projector().await;
    let mut exporting = projector(&parts, &endpoint);
    let ((mut first, orders), (_second, others)) = (parts.handler(), parts.handler());
    let workflows = orders.replace("/orders", "/workflows");
    let registering = Client::new().post(workflows).header("content-type", "application/yaml").body(workflow);
    assert_eq!(registering.send().await.unwrap().status(), 201);

    let unavailable = service::Answer::Status(StatusCode::SERVICE_UNAVAILABLE);
    service.answers(&[("charge", unavailable), ("charge", service::Answer::Silence)]);
    place(&orders, "A").await;
    service.receives("A", "charge", 2).await;
    first.kill();
    let callback = service.receives("A", "ship", 1).await.callback;
    answer_at(&others, &callback, "backordered").await;
    answer_at(&others, &callback, "lost").await;
    until("the order's span arrives", async || collector.has_whole("A")).await;

    let spans = collector.spans_of("A");
    let ids = by_id(&spans);
    let (roots, parts_of): (Vec<&Span>, Vec<&Span>) = spans.iter().partition(|span| span.name == "order traced");
    assert_eq!(hex(&roots[0].parent_span_id), "00f067aa0ba902b7", "the shop's span");
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE));
    assert!(parts_of.iter().all(|span| ids.contains_key(&hex(&span.parent_span_id))), "{:?}", names(&spans));
    let errors: Vec<_> = spans.iter().filter(|s| s.name == "desk.charge").map(|s| text(s, "error.type")).collect();
    assert_eq!(errors, [Some("transient".to_owned()), Some("lost".to_owned()), None]);
    for name in ["step charge", "step ship", "compensation", "undo charge"] {
        assert_eq!(spans.iter().filter(|span| span.name == name).count(), 1, "{name} in {:?}", names(&spans));
    }
    assert!(!format!("{spans:?}").contains("Vins"), "personal data");

    let attempts: BTreeSet<String> = spans
        .iter()
        .filter(|span| span.name.starts_with("desk."))
        .map(|s| format!("00-{TRACE}-{}-01", hex(&s.span_id)))
        .collect();
    let told: BTreeSet<String> = service.requests_for("A").into_iter().map(|request| request.traceparent).collect();
    assert_eq!(told, attempts, "each participant's span is the child of its attempt's");

    let again = tenuto(parts.postgres(), &parts.log, &["trace", "A", "--json"]);
    ends(&again, 0);
    assert_eq!(printed(&String::from_utf8_lossy(&again.stdout)), received(&spans));

    // Another projector goes on after the checkpoint, and sends nothing twice.
    exporting.kill();
    let _exporting = projector(&parts, &endpoint);
    place(&others, "B").await;
    let callback = service.receives("B", "ship", 1).await.callback;
    answer_at(&others, &callback, "shipped").await;
    until("the second order's span arrives", async || collector.has_whole("B")).await;
    assert_eq!(received(&collector.spans_of("A")), received(&spans));
    by_id(&collector.spans_of("B"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_that_is_reached_by_events_finds_the_span_of_its_attempt_in_the_metadata() {
    let world = World::new().await;
    world
        .register(
            "workflow: noted\nversion: 1\nparticipants: { post: { events: true } }\n\
             steps: { note: { request: post.note, timeout: 1h } }",
        )
        .await;
    world.place(&order("A", "noted", "11", 1)).await;
    world.comes_to("A", "Placed", "WAITING").await;
    let log = event_store::EventStore::connect(&world.log).unwrap();
    let requests = log.read_stream("requests-post", 0, 10).await.unwrap();
    let metadata: Value = serde_json::from_slice(&requests[0].metadata).unwrap();
    let shown = ends(&tenuto("", &world.log, &["trace", "A"]), 0);
    let (trace, attempt) = (shown.lines().next().unwrap(), shown.lines().find(|l| l.contains("post.note")).unwrap());
    let (trace, attempt) = (trace.split_whitespace().nth(1).unwrap(), attempt.split_whitespace().nth(4).unwrap());
    assert_eq!(metadata["traceparent"], format!("00-{trace}-{attempt}-01"), "{shown}");
}

/// A world with a collector, in which orders are traced.
struct Traced {
    world: World,
    service: Service,
    endpoint: String,
}

impl Traced {
    /// The value of a counter.
    async fn counted(&self, series: &str) -> u64 {
        let url = format!("{}/metrics", self.world.base);
        let metrics = self.world.http.get(url).send().await.unwrap().text().await.unwrap();
        let line = metrics.lines().find_map(|line| line.strip_prefix(series)).unwrap();
        line.trim().parse().unwrap()
    }

    async fn dropped(&self, reason: &str) -> u64 {
        self.counted(&format!("tenuto_traces_spans_dropped_total{{reason=\"{reason}\"}}")).await
    }

    /// Places an order, and sees it completed. Returns the number of its spans.
    async fn completes(&self, id: &str) -> u64 {
        let (world, orders) = (&self.world, format!("{}/orders", self.world.base));
        place(&orders, id).await;
        let callback = self.service.receives(id, "ship", 1).await.callback;
        answer_at(&orders, &callback, "shipped").await;
        world.until("the order is completed", async || world.order(id, "state").await["state"] == "COMPLETED").await;
        let output = self.runs(&["trace", id, "--json"]).await;
        ends(&output, 0);
        printed(&String::from_utf8_lossy(&output.stdout)).len() as u64
    }

    /// Waits until so many spans were sent or dropped.
    async fn accounts_for(&self, spans: u64) {
        until("each span is counted", async || {
            let mut all = self.counted("tenuto_traces_spans_sent_total").await;
            for reason in ["queue_full", "undelivered", "refused", "rejected", "unclear"] {
                all += self.dropped(reason).await;
            }
            assert!(all <= spans, "{all} spans were counted, and there are {spans}");
            all == spans
        })
        .await;
    }

    /// Runs a command while this task goes on answering it.
    async fn runs(&self, arguments: &[&str]) -> Output {
        let (postgres, log) = (self.world.database.url().to_owned(), self.world.log.clone());
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let run = move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            tenuto(&postgres, &log, &arguments)
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    async fn sends(&self, order: &str) -> Output {
        self.runs(&["trace", order, "--send", "--otlp-compression", "gzip", "--otlp-endpoint", &self.endpoint]).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_go_on_while_the_collector_refuses_or_is_silent_and_what_is_dropped_is_counted() {
    let (collector, service) = (Collector::default(), Service::default());
    let (endpoint, workflow) = (collector.start().await, service.start().await);
    let folder = tempfile::tempdir().unwrap();
    let headers = folder.path().join("headers");
    std::fs::write(&headers, "authorization: Bearer s3cret\n").unwrap();
    let arguments = ["--otlp-endpoint", &endpoint, "--otlp-headers-file", headers.to_str().unwrap()];
    let traced = Traced { world: World::with(&arguments).await, service, endpoint: endpoint.clone() };
    traced.world.register(&workflow).await;

    // It is overloaded at first, and receives each span later, once.
    collector.answers(&[collector::Answer::Status(StatusCode::SERVICE_UNAVAILABLE)]);
    let mut spans = traced.completes("A").await;
    traced.accounts_for(spans).await;
    assert_eq!(collector.answers_left(), 0);
    assert_eq!(by_id(&collector.spans_of("A")).len() as u64, spans);
    assert_eq!(collector.headers()["authorization"], "Bearer s3cret");
    assert!(!collector.headers().contains_key("content-encoding"));

    // It refuses a request for good. It does not answer another one, which is not sent again.
    for (id, reason, answer) in [
        ("B", "refused", collector::Answer::Status(StatusCode::BAD_REQUEST)),
        ("C", "unclear", collector::Answer::Silence),
        ("D", "rejected", collector::Answer::Rejected(1)),
    ] {
        collector.answers(&[answer]);
        let of_order = traced.completes(id).await;
        spans += of_order;
        traced.accounts_for(spans).await;
        let (dropped, arrived) = (traced.dropped(reason).await, by_id(&collector.spans_of(id)).len() as u64);
        assert!(dropped > 0, "{reason}");
        assert_eq!(arrived + dropped, of_order, "{id}: the spans that were not dropped have arrived");
    }

    // An operator sends the spans of an order again.
    ends(&traced.sends("B").await, 0);
    assert!(collector.has_whole("B"));
    assert_eq!(collector.headers()["content-encoding"], "gzip");
    collector.answers(&[collector::Answer::Rejected(1)]);
    let reported = ends(&traced.sends("C").await, 1);
    assert!(reported.contains("rejected 1 of") && reported.contains("no room"), "{reported}");
}

#[test]
fn a_trace_that_cannot_be_sent_or_shown_is_an_error_that_says_what_to_do() {
    let nowhere = "esdb://127.0.0.1:9?tls=false";
    for (arguments, reason) in [
        (&["trace", "1", "--otlp-endpoint", "collector:4318"][..], "--otlp-endpoint"),
        (&["trace", "1", "--otlp-endpoint", "http://h", "--otlp-headers-file", "/missing"], "/missing"),
        (&["trace", "a b"], "no id of an order"),
    ] {
        let output = tenuto("", nowhere, arguments);
        assert_eq!(output.status.code(), Some(2), "{}", output_text(&output));
        assert!(output_text(&output).contains(reason), "{}", output_text(&output));
    }
}
