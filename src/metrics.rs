//! `/metrics`: figures for a Prometheus, as `OpenMetrics` text.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use command_handler::HandlerFigures;
use leader_consumer::LogAlarm;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use query_api::LiveStats;
use tokio::time::timeout;
use views::LagMeter;

use crate::log_guard::KeyCount;
use crate::supervisor::TaskHealth;

/// How long the lag may take to be measured: an outage must not hold up the other figures.
const PATIENCE: Duration = Duration::from_millis(800);
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Where the figures are from, as far as the process has it.
#[derive(Default)]
pub(crate) struct Sources {
    pub lag: Option<LagMeter>,
    pub live: Option<LiveStats>,
    pub alarm: LogAlarm,
    pub keys: KeyCount,
    pub projector: Option<projector::Health>,
    pub handler: HandlerFigures,
    pub tasks: TaskHealth,
}

/// What is told.
struct Figures {
    registry: Registry,
    lag: Option<(LagMeter, LagFigures)>,
    live: Option<(LiveStats, LiveFigures)>,
    alarm: (LogAlarm, Gauge),
    keys: (KeyCount, KeyFigures),
    projector: Option<(projector::Health, ProjectorFigures)>,
    handler: HandlerFigures,
}

/// The orders whose key is missing.
#[derive(Default)]
struct KeyFigures {
    orders: Gauge<u64, AtomicU64>,
    open: Gauge<u64, AtomicU64>,
}

/// How far the views are behind the log.
#[derive(Default)]
struct LagFigures {
    seconds: Gauge<f64, AtomicU64>,
    log: Gauge<u64, AtomicU64>,
    views: Gauge<u64, AtomicU64>,
}

/// The projector of this process.
#[derive(Default)]
struct ProjectorFigures {
    active: Gauge,
    parked: Gauge<u64, AtomicU64>,
    foreign_streams: Gauge<u64, AtomicU64>,
}

/// Who follows orders as they change.
#[derive(Default)]
struct LiveFigures {
    connections: Gauge<u64, AtomicU64>,
    subscriptions: Gauge<u64, AtomicU64>,
    let_go: Gauge<u64, AtomicU64>,
}

/// `GET /metrics`. What has to be measured is measured when it is asked for.
pub(crate) fn router(sources: Sources) -> Router {
    let figures = Arc::new(Figures::new(sources));
    Router::new().route("/metrics", get(move || async move { figures.tell().await }))
}

impl Figures {
    fn new(Sources { lag, live, alarm, keys, projector, handler, tasks }: Sources) -> Self {
        let mut registry = Registry::with_prefix("tenuto");
        registry.register("build", "Which Tenuto this is", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        let lag = lag.map(|meter| (meter, LagFigures::registered(&mut registry)));
        let live = live.map(|stats| (stats, LiveFigures::registered(&mut registry)));
        let projector = projector.map(|health| (health, ProjectorFigures::registered(&mut registry)));
        let mismatch = Gauge::default();
        let help =
            "1 while the log is not the one that the views were made from, or requests and replies were read from";
        registry.register("log_mismatch", help, mismatch.clone());
        let missing = KeyFigures::default();
        registry.register("keyless_orders", "Orders whose key of personal data is missing", missing.orders.clone());
        let help = "Orders whose key of personal data is missing and that have not ended: they are held";
        registry.register("keyless_orders_open", help, missing.open.clone());
        registry.register_collector(Box::new(handler.clone()));
        registry.register_collector(Box::new(tasks));
        Self { registry, lag, live, alarm: (alarm, mismatch), keys: (keys, missing), projector, handler }
    }

    async fn tell(&self) -> Response {
        let lag = async {
            if let Some((meter, figures)) = &self.lag {
                figures.measure(meter).await;
            }
        };
        tokio::join!(lag, self.handler.measure());
        if let Some((stats, figures)) = &self.live {
            figures.take(stats);
        }
        if let Some((health, figures)) = &self.projector {
            figures.take(&health.now());
        }
        let (alarm, mismatch) = &self.alarm;
        mismatch.set(alarm.is_raised().into());
        let (keys, missing) = &self.keys;
        let counted = keys.now();
        missing.orders.set(counted.orders);
        missing.open.set(counted.open);
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

impl LagFigures {
    fn registered(registry: &mut Registry) -> Self {
        let figures = Self::default();
        let seconds = "How long ago the first event was recorded that the views do not have; NaN: not known";
        registry.register_with_unit("views_lag", seconds, Unit::Seconds, figures.seconds.clone());
        registry.register("log_position", "Position of the last event of the log", figures.log.clone());
        registry.register("views_position", "Position in the log that the views have", figures.views.clone());
        figures
    }

    async fn measure(&self, meter: &LagMeter) {
        let lag = timeout(PATIENCE, meter.measure()).await.ok().and_then(Result::ok);
        self.seconds.set(lag.and_then(|lag| lag.seconds).unwrap_or(f64::NAN));
        if let Some(lag) = lag {
            self.log.set(lag.log.unwrap_or_default());
            self.views.set(lag.views.unwrap_or_default());
        }
    }
}

impl ProjectorFigures {
    fn registered(registry: &mut Registry) -> Self {
        let figures = Self::default();
        registry.register("projector_active", "1 while this projector writes the views", figures.active.clone());
        let parked = "Events that could not be projected and are set aside; 0 on a projector that is not active";
        registry.register("parked_events", parked, figures.parked.clone());
        let foreign = "Streams named like orders' that this projector came upon and that are another application's";
        registry.register("foreign_streams", foreign, figures.foreign_streams.clone());
        figures
    }

    fn take(&self, now: &projector::Snapshot) {
        let is_active = now.role == projector::Role::Active;
        self.active.set(is_active.into());
        self.parked.set(if is_active { now.parked } else { 0 });
        self.foreign_streams.set(now.foreign_streams);
    }
}

impl LiveFigures {
    fn registered(registry: &mut Registry) -> Self {
        let figures = Self::default();
        let let_go = "Subscribers and connections let go so far because they were too slow";
        registry.register("live_connections", "Connections open for subscriptions", figures.connections.clone());
        registry.register("live_subscriptions", "Subscriptions under way", figures.subscriptions.clone());
        registry.register("live_let_go", let_go, figures.let_go.clone());
        figures
    }

    fn take(&self, stats: &LiveStats) {
        self.connections.set(stats.connections());
        self.subscriptions.set(stats.subscriptions());
        self.let_go.set(stats.let_go());
    }
}
