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
use metrics::{Described, OPEN_METRICS, Page, Process};
use query_api::LiveStats;
use sqlx::PgPool;
use supervisor::TaskHealth;
use views::{KeyCount, LagMeter, PoolFigures, ViewFigures};

/// The sources of the figures that this process has.
#[derive(Default)]
pub struct Sources {
    /// Its connections to Postgres.
    pub pool: Option<PgPool>,
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
    /// What its export of spans counts.
    pub traces: Option<traces::Figures>,
}

/// The figures. Some are measured for each request.
struct Figures {
    page: Page,
    views: Option<ViewFigures>,
    handler: HandlerFigures,
}

/// `GET /metrics`.
pub fn router(sources: Sources) -> Router {
    let figures = Arc::new(Figures::new(sources));
    Router::new().route("/metrics", get(move || async move { figures.respond().await }))
}

/// Every metric that a role may serve, in the order of their names. The node has its own.
pub fn described() -> Vec<&'static Described> {
    let crates = [
        http_server::METRICS,
        leader_consumer::METRICS,
        metrics::METRICS,
        projector::METRICS,
        query_api::METRICS,
        supervisor::METRICS,
        traces::METRICS,
        views::METRICS,
    ];
    let mut all: Vec<&Described> = crates.into_iter().flatten().chain(command_handler::metrics()).collect();
    all.sort_by_key(|metric| metric.name);
    all
}

impl Figures {
    fn new(Sources { pool, lag, live, alarm, keys, projector, handler, tasks, access_log, traces }: Sources) -> Self {
        let views = lag.map(ViewFigures::new);
        let page = Page::default()
            .with(Process { version: env!("CARGO_PKG_VERSION") })
            .with_some(pool.map(PoolFigures))
            .with_some(views.clone())
            .with_some(live)
            .with_some(projector)
            .with_some(traces)
            .with(alarm)
            .with(keys)
            .with(handler.clone())
            .with(tasks)
            .with(access_log);
        Self { page, views, handler }
    }

    async fn respond(&self) -> Response {
        let views = async {
            if let Some(views) = &self.views {
                views.measure().await;
            }
        };
        tokio::join!(views, self.handler.measure());
        match self.page.text() {
            Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
            Err(error) => {
                tracing::error!(%error, "the metrics could not be written");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}
