//! Every role serves its metrics, and only described ones, which the book lists.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use metrics::{Described, Kind};

use super::described;
use crate::parts::Parts;
use crate::process::until;
use crate::world::{World, order};

/// The kinds of the families on a page, from its comments.
fn families(text: &str) -> BTreeMap<String, String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

async fn page(base: &str) -> String {
    let answer = reqwest::get(format!("{base}/metrics")).await.unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{base}: {kind}");
    let text = answer.text().await.unwrap();
    assert!(text.ends_with("# EOF\n"), "{base}");
    is_open_metrics(&text);
    text
}

/// Checks that each family and each sample is there once, and each sample below its family, under a
/// name that its type allows.
fn is_open_metrics(text: &str) {
    let (mut families, mut samples) = (BTreeSet::new(), BTreeSet::new());
    let mut names = Vec::new();
    for line in text.lines() {
        if let Some((family, kind)) = line.strip_prefix("# TYPE ").and_then(|of| of.split_once(' ')) {
            assert!(families.insert(family), "{family} is there twice");
            let ends: &[&str] = match kind {
                "counter" => &["_total"],
                "gauge" => &[""],
                "histogram" => &["_bucket", "_sum", "_count"],
                "info" => &["_info"],
                other => panic!("{family} is a {other}"),
            };
            names = ends.iter().map(|end| format!("{family}{end}")).collect();
        } else if !line.starts_with('#') {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let name = sample.split('{').next().unwrap();
            assert!(names.iter().any(|allowed| allowed == name), "{line} is not below its family");
            assert!(samples.insert(sample), "{sample} is there twice");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert!(samples.len() > 5, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_serves_described_metrics_and_together_they_serve_all() {
    let parts = Parts::new().await;
    let (_handler, orders) = parts.handler();
    // Nothing listens there. What is exported is counted nevertheless.
    let exporting = parts.start_in(&["projector", "--otlp-endpoint", "http://127.0.0.1:9"], &[]);
    let projector = exporting.line_after("probes at ").trim_end_matches("/readyz").to_owned();
    let (_api, queries) = parts.queries();
    let (_participants, participants) = parts.participants();
    let node = parts.log.replace("esdb://", "http://").replace("?tls=false", "");
    let handler = orders.trim_end_matches("/orders").to_owned();
    for base in [&handler, &projector, &queries] {
        until("the role is ready", async || reqwest::get(format!("{base}/readyz")).await.unwrap().status() == 200)
            .await;
    }
    let described: BTreeMap<_, _> = described().into_iter().map(|metric| (metric.name, metric)).collect();
    let mut met = BTreeSet::new();
    for base in [&handler, &projector, &queries, &participants, &node] {
        let text = page(base).await;
        for (name, kind) in families(&text) {
            let metric = described.get(name.as_str()).unwrap_or_else(|| panic!("{base} serves {name}"));
            assert_eq!(metric.kind.as_str(), kind, "{name}");
            met.insert(metric.name);
        }
        for name in ["tenuto_build", "process_cpu_seconds", "process_start_time_seconds"] {
            assert!(families(&text).contains_key(name), "{base} lacks {name}");
        }
    }
    let unmet: Vec<_> = described.keys().filter(|name| !met.contains(*name)).collect();
    // No listener of this test has a certificate.
    assert_eq!(unmet, [&"tenuto_tls_certificate_expiry_seconds"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_queries_views_and_batches_are_measured() {
    let world = World::new().await;
    world.stock(&serde_json::json!([{ "sku": "11", "quantity": 1 }])).await;
    world.place(&order("ONE", "order-fulfilment", "11", 1)).await;
    world.comes_to("ONE", "Shipped", "COMPLETED").await;
    let (status, _) = world.post("/orders", &serde_json::json!({ "workflow": "none" })).await;
    assert_eq!(status, 422);
    world.get("/orders/ONE").await;
    world.get("/a/path/of/no/route").await;
    let samples = super::samples(&page(&world.base).await);
    let value = |name: &str| samples.get(name).copied().unwrap_or_else(|| panic!("{name} is missing"));
    let requests = "tenuto_http_request_duration_seconds_count";
    for (labels, count) in [
        ("method=\"POST\",route=\"/orders\",status=\"2xx\"", 1.0),
        ("method=\"POST\",route=\"/orders\",status=\"4xx\"", 1.0),
        ("method=\"GET\",route=\"/orders/{id}\",status=\"2xx\"", 1.0),
        ("method=\"GET\",route=\"other\",status=\"4xx\"", 1.0),
    ] {
        assert!((value(&format!("{requests}{{{labels}}}")) - count).abs() < 0.5, "{labels}");
    }
    let orders = "tenuto_orders{workflow=\"order-fulfilment\",version=\"1\",state=\"COMPLETED\"}";
    assert!((value(orders) - 1.0).abs() < 0.5);
    assert!((value("tenuto_orders_refused_total{reason=\"invalid\"}") - 1.0).abs() < 0.5);
    assert!(value("tenuto_graphql_query_duration_seconds_count{field=\"order\",result=\"ok\"}") > 0.5);
    assert!(value("tenuto_projector_batch_events_sum") > 0.5);
    assert!(value("tenuto_postgres_connections_max") > 0.5);
    let node = world.log.replace("esdb://", "http://").replace("?tls=false", "");
    let node = super::samples(&page(&node).await);
    for name in ["tenuto_node_changes_total{result=\"ok\"}", "tenuto_node_written_bytes_total"] {
        assert!(node[name] > 0.5, "{name}");
    }
    let (syncs, groups) = (node["tenuto_node_sync_duration_seconds_count"], node["tenuto_node_group_changes_count"]);
    assert!(syncs > 0.5 && (syncs - groups).abs() < 0.5 && node["tenuto_node_disk_free_bytes"] > 0.5);
}

#[test]
fn names_follow_the_conventions_of_prometheus() {
    let mut names = BTreeSet::new();
    for metric in described() {
        let Described { name, kind, labels, help } = *metric;
        assert!(name.starts_with("tenuto_") || name.starts_with("process_"), "{name}");
        assert!(!name.ends_with("_total") && !help.ends_with('.') && help.len() > 10, "{name}: {help}");
        assert!(!name.contains("_ms") && !name.contains("millis"), "{name} is in base units");
        let is_time = name.contains("duration") || name.contains("_time");
        assert!(!is_time || name.ends_with("_seconds"), "{name}");
        assert!(
            kind != Kind::Histogram
                || ["_seconds", "_bytes", "_events", "_changes"].iter().any(|unit| name.ends_with(unit))
        );
        for label in labels {
            assert!(!["order", "order_id", "customer", "id", "path"].contains(label), "{name} has {label}");
        }
        names.insert(name);
    }
    assert_eq!(names.len(), described().len(), "each name is used once");
}

/// The page of the book that lists all metrics.
fn reference() -> String {
    let mut text = String::from(
        "# Metrics\n\nEach role serves these at `/metrics`, as far as it has them; the node at its own port. Counters\n\
         begin at 0 when the process starts. [Health, metrics and logs](monitoring.md) says what to watch.\n\n\
         | metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n",
    );
    for metric in described() {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, unit) = (metric.sampled(), metric.kind.as_str(), metric.unit().unwrap_or_default());
        writeln!(text, "| `{name}` | {kind} | {unit} | {} | {} |", labels.join(", "), metric.help).unwrap();
    }
    text
}

#[test]
fn the_book_lists_every_metric() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/platform/metrics.md");
    let reference = reference();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &reference).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(known == reference, "metrics.md is not what the roles serve; run this test with UPDATE_GOLDEN=1");
}
