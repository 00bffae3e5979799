//! The services that are called, each with its turns (so many calls to one at once, and no more) and its circuit.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Url;
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use super::breaker::{Breaker, Change, Interrupted, Pass, Reading};
use super::{Ask, Settings};
use crate::orchestrator::lock;

/// Services by URL, as the workflows have it: there are as many as there are participants.
#[derive(Debug, Clone)]
pub(super) struct Services {
    most_calls: usize,
    known: Arc<Mutex<HashMap<String, Arc<Service>>>>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Service {
    /// Calls at once: more of them would only wait there, or be refused.
    turns: Semaphore,
    breaker: Breaker,
    /// What workflows call it.
    names: Mutex<BTreeSet<String>>,
    /// Where its actions are asked for: as many as its workflows name.
    actions: Mutex<HashMap<String, Url>>,
}

/// How a service that is called over HTTP stands with this instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceState {
    /// What workflows call it.
    participants: Vec<String>,
    /// `closed`, `open` or `half-open`.
    circuit: &'static str,
    /// Calls under way.
    calls_in_flight: usize,
    /// Attempts that wait for the circuit to close.
    attempts_waiting: usize,
    /// Unclear answers since the last clear one.
    failures_in_a_row: u32,
    /// The last of them.
    last_error: Option<String>,
    /// In how long somebody tries again, where the circuit is open.
    tried_again_in_ms: Option<u64>,
}

/// What an attempt needs to be made: its turn, and a circuit that lets it through.
#[derive(Debug)]
pub(super) struct Admitted<'s> {
    service: &'s Service,
    pass: Pass<'s>,
    _turn: SemaphorePermit<'s>,
}

/// Why an attempt was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotAdmitted {
    pub error: String,
    pub retry_after: Option<Duration>,
}

impl Services {
    pub fn new(most_calls: usize) -> Self {
        Self { most_calls, known: Arc::default() }
    }

    /// The service at this URL.
    pub fn at(&self, url: &str) -> Arc<Service> {
        let mut known = lock(&self.known);
        if let Some(service) = known.get(url) {
            return service.clone();
        }
        let service = Arc::new(Service {
            turns: Semaphore::new(self.most_calls),
            breaker: Breaker::default(),
            names: Mutex::default(),
            actions: Mutex::default(),
        });
        known.entry(url.to_owned()).or_insert(service).clone()
    }

    /// How each of them stands.
    pub fn states(&self) -> Vec<ServiceState> {
        let services: Vec<Arc<Service>> = lock(&self.known).values().cloned().collect();
        let mut states: Vec<ServiceState> = services.iter().map(|service| service.state(self.most_calls)).collect();
        states.sort_by(|a, b| a.participants.cmp(&b.participants));
        states
    }
}

impl Service {
    /// Where an action is asked for, of the service at `url`.
    pub fn target(&self, settings: &Settings, url: &str, ask: &Ask) -> Result<Url, String> {
        let mut actions = lock(&self.actions);
        if let Some(target) = actions.get(&ask.action) {
            return Ok(target.clone());
        }
        let base = settings.resolve(url).map_err(|error| error.to_string())?;
        let target = format!("{}/{}", base.trim_end_matches('/'), ask.action);
        let target = Url::parse(&target).map_err(|error| format!("the URL of the participant is none: {error}"))?;
        actions.insert(ask.action.clone(), target.clone());
        lock(&self.names).insert(ask.participant.clone());
        Ok(target)
    }

    /// Waits for a turn, and for the circuit, until the deadline at most.
    pub async fn admit(&self, deadline: Instant) -> Result<Admitted<'_>, NotAdmitted> {
        loop {
            let turn = timeout_at(deadline, self.turns.acquire()).await;
            let Ok(Ok(turn)) = turn else {
                let error = "no turn came in time: too many calls to this participant are under way".to_owned();
                return Err(NotAdmitted { error, retry_after: None });
            };
            if let Some(pass) = self.breaker.enter() {
                return Ok(Admitted { service: self, pass, _turn: turn });
            }
            // The turn is for those that may go.
            drop(turn);
            self.breaker.wait(deadline).await.map_err(NotAdmitted::from)?;
        }
    }

    fn state(&self, most_calls: usize) -> ServiceState {
        let Reading { circuit, waiting, failures, last_error, tried_again_in } = self.breaker.reading();
        ServiceState {
            participants: lock(&self.names).iter().cloned().collect(),
            circuit,
            calls_in_flight: most_calls.saturating_sub(self.turns.available_permits()),
            attempts_waiting: waiting,
            failures_in_a_row: failures,
            last_error,
            tried_again_in_ms: tried_again_in.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    fn log(&self, change: Change, error: &str) {
        let participants = lock(&self.names).iter().cloned().collect::<Vec<_>>().join(", ");
        match change {
            Change::Opened { pause } => {
                warn!(participants, error, pause_ms = pause.as_millis(), "the circuit is open: attempts wait");
            }
            Change::Closed => info!(participants, "the circuit is closed: attempts go through"),
        }
    }
}

impl From<Interrupted> for NotAdmitted {
    fn from(Interrupted { because, left }: Interrupted) -> Self {
        Self { error: format!("not tried: the circuit is open, since {because}"), retry_after: Some(left) }
    }
}

impl Admitted<'_> {
    /// The service has answered, whatever it said.
    pub fn answered(self) {
        let Self { service, pass, _turn } = self;
        if let Some(change) = pass.answered() {
            service.log(change, "");
        }
    }

    /// It has not, or says that it cannot now.
    pub fn failed(self, error: &str) {
        let Self { service, pass, _turn } = self;
        if let Some(change) = pass.failed(error) {
            service.log(change, error);
        }
    }
}
