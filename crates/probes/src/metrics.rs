//! `/metrics`: the figures of a process for Prometheus, as `OpenMetrics` text. Each crate collects
//! its own figures.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use command_handler::HandlerFigures;
use http_server::AccessLog;
use leader_consumer::LogAlarm;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use query_api::LiveStats;
use supervisor::TaskHealth;
use views::{KeyCount, LagFigures, LagMeter};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The sources of the figures that this process has.
#[derive(Default)]
pub struct Sources {
    /// How far the views are behind.
    pub lag: Option<LagMeter>,
    /// Its subscriptions.
    pub live: Option<LiveStats>,
    /// Whether the log is the one of the views.
    pub alarm: LogAlarm,
    /// Orders whose key is missing.
    pub keys: KeyCount,
    /// Its projector.
    pub projector: Option<projector::Health>,
    /// Its command handler.
    pub handler: HandlerFigures,
    /// Its restarted tasks.
    pub tasks: TaskHealth,
    /// What its listener counts of its callers.
    pub access_log: AccessLog,
}

/// The figures. Some are measured for each request.
struct Figures {
    registry: Registry,
    lag: Option<LagFigures>,
    handler: HandlerFigures,
}

/// `GET /metrics`.
pub fn router(sources: Sources) -> Router {
    let figures = Arc::new(Figures::new(sources));
    Router::new().route("/metrics", get(move || async move { figures.respond().await }))
}

impl Figures {
    fn new(Sources { lag, live, alarm, keys, projector, handler, tasks, access_log }: Sources) -> Self {
        let mut registry = Registry::with_prefix("tenuto");
        registry.register("build", "Which Tenuto this is", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        let lag = lag.map(LagFigures::new);
        collect(&mut registry, lag.clone());
        collect(&mut registry, live);
        collect(&mut registry, projector);
        collect(&mut registry, Some(alarm));
        collect(&mut registry, Some(keys));
        collect(&mut registry, Some(handler.clone()));
        collect(&mut registry, Some(tasks));
        collect(&mut registry, Some(access_log));
        Self { registry, lag, handler }
    }

    async fn respond(&self) -> Response {
        let lag = async {
            if let Some(lag) = &self.lag {
                lag.measure().await;
            }
        };
        tokio::join!(lag, self.handler.measure());
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
            Err(error) => {
                tracing::error!(%error, "the metrics could not be written");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

fn collect(registry: &mut Registry, collector: Option<impl Collector>) {
    if let Some(collector) = collector {
        registry.register_collector(Box::new(collector));
    }
}
