//! What can change of a command handler while it runs.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http_client::Destinations;
use live::{Change, Live};
use tracing::error;

use crate::Production;
use crate::admission::AdmissionBounds;
use crate::webhooks::Webhooks;

/// Limits that can change.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// The most orders that this instance drives at the same time.
    pub max_active: usize,
    /// The most calls to one participant at the same time.
    pub max_calls: usize,
    /// When new orders are refused.
    pub bounds: AdmissionBounds,
    /// Where requests to participants may go.
    pub participants: Destinations,
    /// Where notifications may go.
    pub webhooks: Destinations,
    /// How long an endpoint may take to answer a notification.
    pub webhook_timeout: Duration,
}

/// Changes the limits of a command handler, also while it starts. Clones are the same.
#[derive(Clone)]
pub struct Controls {
    limits: Live<Limits>,
    bounds: Live<AdmissionBounds>,
    running: Arc<OnceLock<(Production, Webhooks)>>,
}

impl Controls {
    /// Of a command handler that will start with these limits.
    pub fn new(limits: Limits) -> Self {
        Self { bounds: Live::new(limits.bounds), limits: Live::new(limits), running: Arc::default() }
    }

    /// The limits of this moment.
    pub fn limits(&self) -> Arc<Limits> {
        self.limits.get()
    }

    /// The bounds, for [`crate::watch_bounds`].
    pub fn bounds(&self) -> Live<AdmissionBounds> {
        self.bounds.clone()
    }

    /// The command handler has started. Its limits may have changed meanwhile.
    pub fn begin(&self, orchestrator: &Production, webhooks: &Webhooks) {
        self.running.get_or_init(|| (orchestrator.clone(), webhooks.clone()));
        self.catch_up();
    }

    /// What takes these limits into use. What is under way is finished.
    pub fn prepare(&self, limits: Limits) -> Result<Change, reqwest::Error> {
        let change = Change::default().set(&self.bounds, limits.bounds).set(&self.limits, limits.clone());
        let starting = self.clone();
        match self.running.get() {
            Some((orchestrator, webhooks)) => Ok(change.and(of_parts(orchestrator, webhooks, limits)?)),
            // It may have started once the change is applied.
            None => Ok(change.then(move || starting.catch_up())),
        }
    }

    fn catch_up(&self) {
        let Some((orchestrator, webhooks)) = self.running.get() else { return };
        match of_parts(orchestrator, webhooks, (*self.limits()).clone()) {
            Ok(change) => drop(change.apply()),
            Err(error) => error!(%error, "limits that changed during the start take effect at the next one"),
        }
    }
}

fn of_parts(orchestrator: &Production, webhooks: &Webhooks, limits: Limits) -> Result<Change, reqwest::Error> {
    let change = orchestrator.participants().http().prepare(limits.participants, limits.max_calls)?;
    let change = change.and(webhooks.sender().prepare(limits.webhooks, limits.webhook_timeout)?);
    let orchestrator = orchestrator.clone();
    Ok(change.then(move || orchestrator.resize(limits.max_active)))
}

#[cfg(test)]
mod tests {
    use event_store::EventStore;
    use http_client::{ParticipantTls, Requests, Rule};
    use sqlx::PgPool;

    use super::*;
    use crate::webhooks::WebhookSetup;
    use crate::{
        AllParticipants, HttpParticipants, KeyTable, Orchestrator, OrchestratorOptions, Settings, SystemClock,
    };

    /// A command handler that was started so, and reaches nothing.
    fn started(limits: &Limits) -> Controls {
        let log = EventStore::connect("esdb://127.0.0.1:9?tls=false").unwrap();
        let pool = PgPool::connect_lazy("postgres://127.0.0.1:9/none").unwrap();
        let Limits { max_active, max_calls, participants, webhooks, webhook_timeout, .. } = limits.clone();
        let settings = Settings { destinations: participants, ..Settings::default() };
        let http = HttpParticipants::new(settings, "http://127.0.0.1:9", max_calls).unwrap();
        let participants = AllParticipants::new(http, log.clone(), "http://127.0.0.1:9");
        let (keys, options) = (Arc::new(KeyTable::new(pool.clone())), OrchestratorOptions::default());
        let options = OrchestratorOptions { max_active, ..options };
        let orchestrator = Orchestrator::new(log.clone(), participants, keys, SystemClock, options);
        let tls = ParticipantTls::default();
        let setup = WebhookSetup { destinations: webhooks, tls, timeout: webhook_timeout, retries: webhook_timeout };
        let webhooks = Webhooks::new(log, pool, &setup, "http://127.0.0.1:9").unwrap();
        let controls = Controls::new(limits.clone());
        controls.running.get_or_init(|| (orchestrator, webhooks));
        controls
    }

    /// The limits that its parts keep.
    fn kept(controls: &Controls) -> Limits {
        let (orchestrator, webhooks) = controls.running.get().unwrap();
        let (participants, max_calls) = orchestrator.participants().http().limits();
        let (webhooks, webhook_timeout) = webhooks.sender().limits();
        let (max_active, bounds) = (orchestrator.free(), *controls.bounds.get());
        Limits { max_active, max_calls, bounds, participants, webhooks, webhook_timeout }
    }

    fn limits(number: usize, hosts: &str) -> Limits {
        let rules: Vec<Rule> = hosts.split_whitespace().map(|rule| rule.parse().unwrap()).collect();
        let (max_active, max_calls, seconds) = (number, number + 1, number as u64);
        let bounds = AdmissionBounds { max_lag: Duration::from_secs(seconds), max_overdue: seconds + 2 };
        let (participants, webhooks) =
            (Destinations::new(rules.clone()), Destinations::of(Requests::ToWebhooks, rules));
        Limits { max_active, max_calls, bounds, participants, webhooks, webhook_timeout: Duration::from_secs(seconds) }
    }

    #[tokio::test]
    async fn after_a_change_every_limit_is_as_after_a_start_with_it() {
        let all = [limits(4, ""), limits(1, "a.internal:81 10.0.0.0/8"), limits(9, "b.internal")];
        for (before, after) in all.iter().flat_map(|before| all.iter().map(move |after| (before, after))) {
            let controls = started(before);
            assert_eq!(kept(&controls), *before);
            let change = controls.prepare(after.clone()).unwrap();
            assert_eq!(kept(&controls), *before, "nothing changes before the change is applied");
            change.apply();
            assert_eq!(kept(&controls), kept(&started(after)));
        }
    }

    #[tokio::test]
    async fn limits_that_change_during_the_start_count_from_its_end_on() {
        let (before, after) = (limits(4, ""), limits(1, "a.internal"));
        let parts = started(&before).running;
        let (orchestrator, webhooks) = parts.get().unwrap();
        let starting = Controls::new(before.clone());
        let during_the_start = starting.prepare(after.clone()).unwrap();
        starting.begin(orchestrator, webhooks);
        assert_eq!(kept(&starting), before);
        during_the_start.apply();
        assert_eq!(kept(&starting), after);
        let starting = Controls::new(before);
        starting.prepare(after.clone()).unwrap().apply();
        starting.begin(orchestrator, webhooks);
        assert_eq!(kept(&starting), after);
    }
}
