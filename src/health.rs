//! `/livez` and `/readyz`.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use command_handler::Unreachable;
use event_store::client::EventStore;
use follower::LogAlarm;
use query_api::{Lag, LagMeter};
use sqlx::PgPool;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::door::Door;
use crate::log_guard::KeyCount;

/// How long a probe waits to learn how far the views are behind the log.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long the log and Postgres have to answer. A probe is answered within a second, also during
/// an outage.
const PROBE: Duration = Duration::from_millis(600);
const NOT_KNOWN: &str = "views: how far they are behind the log is not known now\n";

/// What a process stands on.
#[derive(Clone, Default)]
pub(crate) struct Footing {
    /// The log, if nothing goes without it.
    pub event_store: Option<EventStore>,
    /// Postgres, if nothing goes without it.
    pub pool: Option<PgPool>,
    /// How far the views are behind: told, and nothing to fail for.
    pub lag: Option<LagMeter>,
    /// Raised while the log is not the one that the views were made from, or requests and replies were read from.
    pub alarm: LogAlarm,
    /// The door, of a process that is not ready before it is open.
    pub door: Option<Door>,
    /// The participants of workflows in use that this process cannot call.
    pub unreachable: Unreachable,
    /// The orders whose key is missing: a warning, and nothing to fail for, since all others go on.
    pub keys: KeyCount,
}

/// `/livez`: the process answers. `/readyz`: what it needs answers too, and it is not about to leave; 503 says what is wrong.
pub(crate) fn router(footing: Footing, stop: CancellationToken) -> Router {
    let ready = move || {
        let (footing, leaving) = (footing.clone(), stop.is_cancelled());
        async move {
            if leaving {
                return (StatusCode::SERVICE_UNAVAILABLE, "leaving\n".to_owned());
            }
            if let Some(reason) = footing.alarm.reason() {
                return (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n"));
            }
            let (log, postgres) = tokio::join!(footing.log(), footing.postgres());
            let away: String = [log, postgres].into_iter().flatten().collect();
            if !away.is_empty() {
                return (StatusCode::SERVICE_UNAVAILABLE, away);
            }
            if let Some(what) = footing.door.as_ref().and_then(Door::waiting_for) {
                return (StatusCode::SERVICE_UNAVAILABLE, format!("starting: waits for {what}\n"));
            }
            if let Some(unreachable) = footing.unreachable.reason() {
                return (StatusCode::SERVICE_UNAVAILABLE, unreachable);
            }
            let warnings = format!("{}{}", footing.missing_keys(), footing.unreachable_since());
            (StatusCode::OK, format!("ready\n{}{warnings}", footing.how_far_behind().await))
        }
    };
    Router::new().route("/livez", get(|| async { "alive\n" })).route("/readyz", get(ready))
}

impl Footing {
    fn missing_keys(&self) -> String {
        let missing = self.keys.now();
        if missing.orders == 0 { String::new() } else { format!("degraded: {missing}\n") }
    }

    fn unreachable_since(&self) -> String {
        let warning = self.unreachable.warning().unwrap_or_default();
        let lines: Vec<String> = warning.lines().map(|line| format!("degraded: {line}\n")).collect();
        lines.concat()
    }

    /// What is wrong with the log, if anything is.
    async fn log(&self) -> Option<String> {
        match timeout(PROBE, self.event_store.as_ref()?.head()).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(format!("the log: {error}\n")),
            Err(_) => Some("the log does not answer\n".to_owned()),
        }
    }

    /// What is wrong with Postgres, if anything is.
    async fn postgres(&self) -> Option<String> {
        match timeout(PROBE, sqlx::query("SELECT 1").execute(self.pool.as_ref()?)).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(format!("Postgres: {error}\n")),
            Err(_) => Some("Postgres does not answer\n".to_owned()),
        }
    }

    async fn how_far_behind(&self) -> String {
        let Some(lag) = &self.lag else { return String::new() };
        let Ok(measured) = timeout(PATIENCE, lag.measure()).await else { return NOT_KNOWN.to_owned() };
        match measured {
            Ok(Lag { log, views, seconds: Some(seconds) }) => {
                let at = |position: Option<u64>| position.map_or_else(|| "nothing".to_owned(), |at| at.to_string());
                format!("views: {seconds:.3} s behind the log (at {} of {})\n", at(views), at(log))
            }
            Ok(Lag { seconds: None, .. }) => NOT_KNOWN.to_owned(),
            Err(error) => format!("views: {error}\n"),
        }
    }
}
