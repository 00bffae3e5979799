//! Watches over the log and the views of a role, and the probes that report the results.

use axum::Router;
use command_handler::{HandlerFigures, Unreachable};
use event_store::EventStore;
use leader_consumer::LogAlarm;
use query_api::LiveStats;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use views::{LagMeter, LogGuard};

use http_server::door::Door;
use http_server::{AccessLog, Listener};
use probes::health::Dependencies;
use probes::metrics::Sources;
use probes::{health, metrics};
use supervisor::{TaskHealth, keep_running};

/// The reasons why a role is not ready.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alarms {
    /// The log is not the one that the views were made from.
    pub log: LogAlarm,
    /// Participants of workflows in use that cannot be called.
    pub unreachable: Unreachable,
    /// The figures of this process's command handler.
    pub handler: HandlerFigures,
    /// The tasks that wait for their restart.
    pub tasks: TaskHealth,
    /// Other machines reach the listener, and callers are not authenticated.
    pub open: Option<String>,
    /// What the listener counts of its callers.
    pub access_log: AccessLog,
    /// What the export of spans counts, if spans are sent.
    pub traces: Option<traces::Figures>,
}

impl Alarms {
    /// The alarms of a role with this listener.
    pub fn of(listener: &Listener) -> Self {
        Self { open: listener.warning(), access_log: listener.access_log().clone(), ..Self::default() }
    }
}

/// From now on, the role waits for its log and Postgres. `/readyz` reports why the log cannot be
/// reached; without Postgres, the role ends.
pub(super) fn wait_for_servers(door: &Door, event_store: &EventStore, leaving: &CancellationToken) {
    let (event_store, waits) = (Some(event_store.clone()), Some(door.clone()));
    let probed = Dependencies { event_store, door: waits, ..Dependencies::default() };
    door.waits_behind("the log and Postgres", health::router(probed, leaving.clone()));
}

/// A role's log and views, and the alarms that their faults raise.
pub(super) struct Watched<'a> {
    pub event_store: &'a EventStore,
    pub pool: &'a PgPool,
    pub alarms: &'a Alarms,
    /// Canceled when the role begins to leave: it is not ready from then on.
    pub leaving: &'a CancellationToken,
    /// Canceled when the watch ends.
    pub closed: &'a CancellationToken,
    /// The projector of the process, if it has one.
    pub projector: Option<&'a projector::Health>,
}

/// The running watch, and its results.
pub(super) struct Watching {
    pub guard: LogGuard,
    pub dependencies: Dependencies,
    /// The routes of the probes.
    pub probes: Router,
}

impl Watched<'_> {
    /// Begins to compare the log with the views. `door`: the role is not ready before it is open.
    /// `live`: the role's subscriptions.
    pub fn start(&self, door: Option<&Door>, live: Option<&LiveStats>) -> Watching {
        let (event_store, pool, alarm) = (self.event_store.clone(), self.pool.clone(), self.alarms.log.clone());
        let tasks = self.alarms.tasks.clone();
        let guard = LogGuard::new(event_store.clone(), pool.clone(), alarm.clone());
        self.keep_watching(guard.clone());
        let lag = Some(LagMeter::new(pool.clone(), event_store.clone()));
        let projector = self.projector.cloned();
        let dependencies = Dependencies {
            event_store: Some(event_store),
            pool: Some(pool),
            lag: lag.clone(),
            alarm: alarm.clone(),
            unreachable: self.alarms.unreachable.clone(),
            door: door.cloned(),
            keys: guard.keys(),
            projector: projector.clone(),
            tasks: tasks.clone(),
            open: self.alarms.open.clone(),
        };
        let pool = Some(self.pool.clone());
        let (live, keys, handler) = (live.cloned(), guard.keys(), self.alarms.handler.clone());
        let (access_log, traces) = (self.alarms.access_log.clone(), self.alarms.traces.clone());
        let metrics =
            metrics::router(Sources { pool, lag, live, alarm, keys, projector, handler, tasks, access_log, traces });
        let probes = health::router(dependencies.clone(), self.leaving.clone()).merge(metrics);
        Watching { guard, dependencies, probes }
    }

    /// Runs the guard in the background until nothing has to be watched any more.
    fn keep_watching(&self, guard: LogGuard) {
        let closed = self.closed.clone();
        let watch = move || {
            let (guard, closed) = (guard.clone(), closed.clone());
            async move { closed.run_until_cancelled(guard.watch()).await.unwrap_or_default() }
        };
        let (stop, tasks) = (self.closed.clone(), self.alarms.tasks.clone());
        tokio::spawn(keep_running("the comparison of the log with the views", watch, stop, tasks));
    }
}
