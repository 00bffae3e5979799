//! `/livez` and `/readyz`.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use command_handler::Unreachable;
use event_store::EventStore;
use leader_consumer::LogAlarm;
use sqlx::PgPool;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use views::{KeyCount, LagMeter};

use http_server::door::Door;
use supervisor::TaskHealth;

/// The time limit for measuring how far the views are behind the log.
const PATIENCE: Duration = Duration::from_millis(300);
/// The time limit for the log and Postgres. A probe is answered within a second, also during an
/// outage.
const PROBE: Duration = Duration::from_millis(600);
const NOT_KNOWN: &str = "views: how far they are behind the log is not known now\n";

/// The dependencies of a process, and its own parts that can fail.
#[derive(Clone, Default)]
pub struct Dependencies {
    /// The log, if the process cannot work without it.
    pub event_store: Option<EventStore>,
    /// Postgres, if the process cannot work without it.
    pub pool: Option<PgPool>,
    /// How far the views are behind: reported, and no reason to fail.
    pub lag: Option<LagMeter>,
    /// Raised while the log is not the one that the views were made from, or that requests and
    /// replies were read from.
    pub alarm: LogAlarm,
    /// The door of a process that is not ready before the door is open.
    pub door: Option<Door>,
    /// The participants of workflows in use that this process cannot call.
    pub unreachable: Unreachable,
    /// The orders whose key is missing: a warning, and no reason to fail, because all other orders
    /// continue.
    pub keys: KeyCount,
    /// The projector of this process: reported, and no reason to fail, because another one may be
    /// active.
    pub projector: Option<projector::Health>,
    /// The tasks of this process that are restarted when they fail.
    pub tasks: TaskHealth,
    /// Other machines reach the listener, and callers are not authenticated: a warning.
    pub open: Option<String>,
}

/// Whether a process is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Ready,
    /// It starts, and waits for this.
    Starting(&'static str),
    /// Why it is not ready, and what to do, in lines.
    NotReady(String),
}

/// `/livez`: the process answers. `/readyz`: its dependencies answer too, and it is not leaving;
/// 503 reports the reason.
pub fn router(dependencies: Dependencies, stop: CancellationToken) -> Router {
    let ready = move || {
        let (dependencies, leaving) = (dependencies.clone(), stop.is_cancelled());
        async move {
            if leaving {
                return (StatusCode::SERVICE_UNAVAILABLE, "leaving\n".to_owned());
            }
            match dependencies.standing().await {
                Standing::Ready => (StatusCode::OK, format!("ready\n{}", dependencies.details().await)),
                Standing::Starting(what) => (StatusCode::SERVICE_UNAVAILABLE, format!("starting: waits for {what}\n")),
                Standing::NotReady(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
            }
        }
    };
    Router::new().route("/livez", get(|| async { "alive\n" })).route("/readyz", get(ready))
}

impl Dependencies {
    /// Whether the process is ready.
    pub async fn standing(&self) -> Standing {
        if let Some(reason) = self.alarm.reason() {
            return Standing::NotReady(format!("{reason}\n"));
        }
        let (log, postgres) = tokio::join!(self.log(), self.postgres());
        let away: String = [log, postgres].into_iter().flatten().collect();
        if !away.is_empty() {
            return Standing::NotReady(away);
        }
        if let Some(what) = self.door.as_ref().and_then(Door::waiting_for) {
            return Standing::Starting(what);
        }
        let reason = self.tasks.reason().or_else(|| self.unreachable.reason());
        reason.map_or(Standing::Ready, Standing::NotReady)
    }

    /// Faults that do not prevent the process from being ready, in lines.
    pub fn warnings(&self) -> Vec<String> {
        let missing = self.keys.now();
        let missing = (missing.orders > 0).then(|| missing.to_string());
        let unreachable = self.unreachable.warning().unwrap_or_default();
        let parked = self.projector.as_ref().map_or(0, |projector| projector.now().parked);
        let parked = (parked > 0)
            .then(|| format!("{parked} events could not be projected; `tenuto projector parked` lists them"));
        let tasks = self.tasks.warnings();
        let open = self.open.iter().cloned();
        open.chain(missing).chain(unreachable.lines().map(str::to_owned)).chain(parked).chain(tasks).collect()
    }

    async fn details(&self) -> String {
        let mut details = self.how_far_behind().await + &self.projecting();
        for warning in self.warnings() {
            details.extend(["degraded: ", &warning, "\n"]);
        }
        details
    }

    /// The role of this process's projector.
    fn projecting(&self) -> String {
        self.projector.as_ref().map(|projector| format!("projector: {}\n", projector.now())).unwrap_or_default()
    }

    /// The fault of the log, if it has one.
    async fn log(&self) -> Option<String> {
        let event_store = self.event_store.as_ref()?;
        match timeout(PROBE, event_store.head()).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(format!("the log: {error}\n")),
            // A read is tried again and again, for longer than a probe waits.
            Err(_) => Some(match event_store.outage() {
                Some(reason) => format!("the log: {reason}\n"),
                None => "the log does not answer\n".to_owned(),
            }),
        }
    }

    /// The fault of Postgres, if it has one.
    async fn postgres(&self) -> Option<String> {
        match timeout(PROBE, views::answers(self.pool.as_ref()?)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("Postgres: {error}\n")),
            Err(_) => Some("Postgres does not answer\n".to_owned()),
        }
    }

    async fn how_far_behind(&self) -> String {
        let Some(lag) = &self.lag else { return String::new() };
        let Ok(measured) = timeout(PATIENCE, lag.measure()).await else { return NOT_KNOWN.to_owned() };
        measured.map_or_else(|error| format!("views: {error}\n"), |lag| format!("views: {lag}\n"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use sqlx::postgres::PgPoolOptions;
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_probe_of_servers_that_take_connections_and_never_answer_ends_within_a_second() {
        // Connections are accepted by the system, and nothing is read from them.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let pool = PgPoolOptions::new().connect_lazy(&format!("postgres://tenuto@{at}/tenuto")).unwrap();
        let event_store = EventStore::connect(&format!("esdb://{at}?tls=false")).unwrap();
        let lag = Some(LagMeter::new(pool.clone(), event_store.clone()));
        let dependencies =
            Dependencies { event_store: Some(event_store), pool: Some(pool), lag, ..Dependencies::default() };
        let begun = Instant::now();
        let standing = dependencies.standing().await;
        assert_eq!(standing, Standing::NotReady("the log does not answer\nPostgres does not answer\n".to_owned()));
        assert_eq!(dependencies.details().await, NOT_KNOWN);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_log_that_cannot_be_reached_is_reported_with_the_cause_and_the_remedy() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let event_store = Some(EventStore::connect(&format!("esdb://{closed}?tls=false")).unwrap());
        let standing = Dependencies { event_store, ..Dependencies::default() }.standing().await;
        let reason = format!("the log: {closed} refuses the connection: nothing listens there; start the server");
        assert!(matches!(&standing, Standing::NotReady(told) if told.starts_with(&reason)), "{standing:?}");
    }
}
