//! The services that are called, each with its turns (so many calls to one at once, and no more)
//! and its circuits: one for the service, and one for each action that failed by a mistake, so that
//! a wrong path does not keep the others from being asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use domain::workflow::address::AddressFault;
use http_client::Destinations;
use live::Live;
use reqwest::Url;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, info, warn};

use super::breaker::{Breaker, CLOSED, Change, CircuitOpen, HALF_OPEN, OPEN, Pass};
use super::service_state::ServiceState;
use super::{NotSent, Settings};
use crate::lock::lock;
use crate::permits::{Permit, Permits};

/// The states of a circuit, from good to bad.
pub const CIRCUIT_STATES: [&str; 3] = [CLOSED, HALF_OPEN, OPEN];
/// How many circuits are counted at most: each is a series of a metric.
const MAX_CIRCUITS: usize = 1_000;

/// Services by URL, as the workflows have it: there are as many as there are participants.
#[derive(Debug, Clone)]
pub(super) struct Services {
    settings: Live<Settings>,
    max_calls: Live<usize>,
    known: Arc<Mutex<HashMap<String, Arc<Service>>>>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Service {
    /// Calls at once: more of them would only wait there, or be refused.
    turns: Permits,
    /// Attempts that wait for a turn or have one; each has an order's driver.
    attempts: AtomicUsize,
    breaker: Arc<Breaker>,
    /// What workflows call it.
    names: Mutex<BTreeSet<String>>,
    /// Where it is.
    address: Mutex<Result<Url, AddressFault>>,
    /// Where its actions are asked for: as many as its workflows name.
    actions: Mutex<HashMap<String, Url>>,
    /// The circuits to those of its actions that failed by a mistake.
    mistakes: Mutex<BTreeMap<String, Arc<Breaker>>>,
}

/// The circuit to a participant, or to one of its actions that has failed by a mistake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Circuit {
    /// What workflows call the participant.
    pub participant: String,
    /// The action; `None` for the participant as a whole.
    pub action: Option<String>,
    /// `closed`, `half-open` or `open`.
    pub state: &'static str,
}

/// What an attempt needs to be made: its turn, and a circuit that lets it through.
#[derive(Debug)]
pub struct Admitted {
    place: Place,
    pass: Pass,
    action: String,
    /// It tries whether a mistake is corrected.
    trial: Option<Pass>,
    _turn: Permit,
}

/// A place among the attempts at a service.
#[derive(Debug)]
struct Place(Arc<Service>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.attempts.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Services {
    pub fn new(settings: Settings, max_calls: usize) -> Self {
        Self { settings: Live::new(settings), max_calls: Live::new(max_calls), known: Arc::default() }
    }

    /// Whether these are the hosts that requests may go to.
    pub fn permits(&self, destinations: &Destinations) -> bool {
        self.settings.get().destinations == *destinations
    }

    #[cfg(test)]
    pub fn limits(&self) -> (Destinations, usize) {
        (self.settings.get().destinations.clone(), *self.max_calls.get())
    }

    /// From now on, requests go to these hosts, and at most so many to one service at once.
    pub fn change(&self, destinations: Destinations, max_calls: usize) {
        let known = lock(&self.known);
        self.settings.set(Settings { destinations, ..(*self.settings.get()).clone() });
        self.max_calls.set(max_calls);
        for (url, service) in &*known {
            service.turns.resize(max_calls);
            *lock(&service.address) = self.settings.get().resolve(url);
            lock(&service.actions).clear();
        }
    }

    /// Why a URL is no address here, if it is none.
    pub fn address_fault(&self, url: &str) -> Option<AddressFault> {
        self.settings.get().resolve(url).err()
    }

    /// The service at this URL.
    pub fn at(&self, url: &str) -> Arc<Service> {
        let mut known = lock(&self.known);
        if let Some(service) = known.get(url) {
            return service.clone();
        }
        let service = Arc::new(Service {
            turns: Permits::new(*self.max_calls.get()),
            attempts: AtomicUsize::new(0),
            breaker: Arc::default(),
            names: Mutex::default(),
            address: Mutex::new(self.settings.get().resolve(url)),
            actions: Mutex::default(),
            mistakes: Mutex::default(),
        });
        known.entry(url.to_owned()).or_insert(service).clone()
    }

    /// How each of them stands.
    pub fn states(&self) -> Vec<ServiceState> {
        let services: Vec<Arc<Service>> = lock(&self.known).values().cloned().collect();
        let mut states: Vec<ServiceState> = services.iter().map(|service| service.state()).collect();
        states.sort_by(|a, b| a.participants.cmp(&b.participants));
        states
    }

    /// The circuits, one for each participant and action. Where workflows call several services by
    /// one name, the worst counts.
    pub fn circuits(&self) -> Vec<Circuit> {
        let services: Vec<Arc<Service>> = lock(&self.known).values().cloned().collect();
        let mut worst: BTreeMap<(String, Option<String>), &'static str> = BTreeMap::new();
        for Circuit { participant, action, state } in services.iter().flat_map(|service| service.circuits()) {
            let known = worst.entry((participant, action)).or_insert(CLOSED);
            *known = std::cmp::max_by_key(*known, state, |state| CIRCUIT_STATES.iter().position(|s| s == state));
        }
        let circuits = worst.into_iter().map(|((participant, action), state)| Circuit { participant, action, state });
        circuits.take(MAX_CIRCUITS).collect()
    }
}

impl Service {
    fn circuits(&self) -> Vec<Circuit> {
        let mistakes = lock(&self.mistakes).clone();
        let actions = mistakes.into_iter().map(|(action, breaker)| (Some(action), breaker));
        let all: Vec<_> = std::iter::once((None, self.breaker.clone())).chain(actions).collect();
        let of = |participant: &String| {
            let circuit = |(action, breaker): &(Option<String>, Arc<Breaker>)| {
                let (participant, action) = (participant.clone(), action.clone());
                Circuit { participant, action, state: breaker.reading().circuit }
            };
            all.iter().map(circuit).collect::<Vec<_>>()
        };
        lock(&self.names).iter().flat_map(of).collect()
    }

    /// Why it has no address here, if it has none.
    pub fn address_fault(&self) -> Option<AddressFault> {
        lock(&self.address).as_ref().err().cloned()
    }

    /// The URL of an action.
    pub fn target(&self, action: &str) -> Result<Url, String> {
        let mut actions = lock(&self.actions);
        if let Some(target) = actions.get(action) {
            return Ok(target.clone());
        }
        let base = lock(&self.address).clone().map_err(|fault| fault.to_string())?;
        let target = format!("{}/{action}", base.as_str().trim_end_matches('/'));
        let target = Url::parse(&target).map_err(|error| format!("the address of the participant is none: {error}"))?;
        actions.insert(action.to_owned(), target.clone());
        Ok(target)
    }

    /// Notes a participant's name, so that the service is listed under it, even before anything was
    /// sent.
    pub fn serves(&self, participant: &str) {
        let mut names = lock(&self.names);
        if !names.contains(participant) {
            names.insert(participant.to_owned());
        }
    }

    /// Waits for a turn, and for the circuit, until the deadline at most. A service that holds its
    /// `share` of the instance's drivers already has no place to wait in.
    pub async fn admit(
        self: &Arc<Self>,
        action: &str,
        deadline: Instant,
        share: Option<usize>,
    ) -> Result<Admitted, NotSent> {
        let before = self.attempts.fetch_add(1, Ordering::Relaxed);
        let place = Place(self.clone());
        if share.is_some_and(|share| before >= share.max(self.turns.most())) {
            return Err(NotSent::NoTurn(format!(
                "{before} attempts at this participant are under way or waiting already"
            )));
        }
        loop {
            let turn = timeout_at(deadline, self.turns.take()).await;
            let Ok(Ok(turn)) = turn else {
                return Err(NotSent::NoTurn(
                    "no turn came in time: too many calls to this participant are under way".to_owned(),
                ));
            };
            let mistake = lock(&self.mistakes).get(action).cloned();
            let trial = mistake.as_ref().map(Breaker::enter);
            if let (Some(breaker), Some(None)) = (&mistake, &trial) {
                // The turn is for those that may go.
                drop(turn);
                breaker.wait(deadline).await.map_err(|CircuitOpen { because, left }| {
                    let error = super::shortened(&format!("not sent, since another order's request failed: {because}"));
                    NotSent::Mistake { error, tried_again_in: left }
                })?;
                continue;
            }
            if let Some(pass) = self.breaker.enter() {
                let action = action.to_owned();
                return Ok(Admitted { place, pass, action, trial: trial.flatten(), _turn: turn });
            }
            drop((turn, trial));
            self.breaker.wait(deadline).await.map_err(|CircuitOpen { because, .. }| {
                NotSent::NoTurn(super::shortened(&format!("the circuit is open, since {because}")))
            })?;
        }
    }

    /// Opens the circuit to an action, which has failed by a mistake.
    fn mistaken(&self, action: &str, trial: Option<Pass>, error: &str) -> Option<Change> {
        let breaker = lock(&self.mistakes).entry(action.to_owned()).or_default().clone();
        trial.or_else(|| breaker.enter())?.mistaken(error)
    }

    /// Whether an attempt would have a place, where each service may hold so many of the instance's
    /// drivers.
    pub fn has_room(&self, share: usize) -> bool {
        self.attempts.load(Ordering::Relaxed) < share.max(self.turns.most())
    }

    fn state(&self) -> ServiceState {
        let participants = lock(&self.names).iter().cloned().collect();
        let mistakes: Vec<_> = lock(&self.mistakes).iter().map(|(name, b)| (name.clone(), b.reading())).collect();
        ServiceState::of(participants, self.turns.taken(), self.breaker.reading(), mistakes)
    }

    fn log(&self, change: Change, error: &str) {
        let participants = lock(&self.names).iter().cloned().collect::<Vec<_>>().join(", ");
        match change {
            Change::Opened { pause } => {
                warn!(participants, error, pause_ms = pause.as_millis(), "the circuit is open: attempts wait");
            }
            // One warning for an outage, however long it lasts.
            Change::StaysOpen { pause } => {
                debug!(participants, error, pause_ms = pause.as_millis(), "the circuit stays open");
            }
            Change::Closed => info!(participants, "the circuit is closed: attempts go through"),
        }
    }
}

impl Admitted {
    /// Where it is admitted.
    pub(super) fn service(&self) -> &Service {
        &self.place.0
    }

    /// The service has answered, whatever it said.
    pub(super) fn answered(self) {
        let Self { place, pass, trial, _turn, .. } = self;
        for change in [pass.answered(), trial.and_then(Pass::answered)].into_iter().flatten() {
            place.0.log(change, "");
        }
    }

    /// It failed by a mistake that a person has to mend. The service itself is there.
    pub(super) fn mistaken(self, error: &str) {
        let Self { place, pass, action, trial, _turn } = self;
        let changes = [pass.answered(), place.0.mistaken(&action, trial, error)];
        for change in changes.into_iter().flatten() {
            place.0.log(change, error);
        }
    }

    /// It has not, or says that it cannot now.
    pub(super) fn failed(self, error: &str) {
        // The action's circuit stays open: this attempt does not show whether the mistake is
        // corrected; the next may.
        let Self { place, pass, .. } = self;
        if let Some(change) = pass.failed(error) {
            place.0.log(change, error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(max_calls: usize) -> Arc<Service> {
        Services::new(Settings::default(), max_calls).at("http://p")
    }

    fn text(not_sent: &NotSent) -> &str {
        match not_sent {
            NotSent::NoTurn(error) | NotSent::Mistake { error, .. } => error,
        }
    }

    fn soon() -> Instant {
        Instant::now() + std::time::Duration::from_secs(5)
    }

    #[tokio::test(start_paused = true)]
    async fn past_its_share_a_participant_has_no_place_and_its_turns_stay_its_own() {
        let service = service(2);
        let first = service.admit("go", soon(), Some(0)).await.unwrap();
        let _second = service.admit("go", soon(), Some(0)).await.unwrap();
        assert!(!service.has_room(0));
        assert!(service.has_room(3));
        let refused = service.admit("go", soon(), Some(0)).await.unwrap_err();
        assert!(text(&refused).contains("2 attempts"), "{refused:?}");
        first.answered();
        assert!(service.has_room(0));
        service.admit("go", soon(), Some(0)).await.unwrap().answered();
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_bound_an_attempt_waits_until_its_deadline_and_leaves_its_place() {
        let service = service(1);
        let _first = service.admit("go", soon(), None).await.unwrap();
        let refused = service.admit("go", soon(), None).await.unwrap_err();
        assert!(text(&refused).contains("no turn came in time"), "{refused:?}");
        assert_eq!(service.attempts.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn other_hosts_and_another_number_of_calls_count_for_known_services_too() {
        let services = Services::new(Settings::default(), 1);
        let service = services.at("http://p");
        let _first = service.admit("go", soon(), None).await.unwrap();
        let only = |host: &str| Destinations::new(vec![host.parse().unwrap()]);
        services.change(only("other"), 2);
        assert!(service.address_fault().is_some() && service.target("go").is_err());
        services.change(only("p"), 2);
        assert!(service.address_fault().is_none() && service.target("go").is_ok());
        let _second = service.admit("go", soon(), None).await.unwrap();
        assert_eq!(service.state().calls_in_flight, 2);
        assert_eq!(services.at("http://q").turns.most(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_circuit_lets_nothing_be_sent() {
        let service = service(1);
        for _ in 0..10 {
            service.admit("go", soon(), None).await.unwrap().failed("no answer in time");
        }
        let refused = service.admit("go", Instant::now(), None).await.unwrap_err();
        assert!(text(&refused).contains("the circuit is open, since no answer in time"), "{refused:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_mistake_holds_its_action_back_and_no_other_until_one_attempt_finds_it_mended() {
        let service = service(4);
        service.admit("go", soon(), None).await.unwrap().mistaken("answered 401 Unauthorized");
        let state = service.state();
        assert_eq!((state.circuit, state.cause), ("open", Some("misconfigured")));
        assert_eq!(state.last_error.as_deref(), Some("answered 401 Unauthorized"));
        assert_eq!(state.actions[0].action, "go");
        let held_back = service.admit("go", Instant::now(), None).await.unwrap_err();
        assert!(matches!(&held_back, NotSent::Mistake { error, .. } if error.contains("401")), "{held_back:?}");
        service.admit("stop", Instant::now(), None).await.unwrap().answered();

        let probe = service.admit("go", soon(), None).await.unwrap();
        assert_eq!(service.state().circuit, "half-open");
        probe.mistaken("answered 401 Unauthorized");
        // An attempt without a clear answer does not show whether the mistake is corrected.
        service.admit("go", soon(), None).await.unwrap().failed("no answer in time");
        assert_eq!(service.state().cause, Some("misconfigured"));
        service.admit("go", soon(), None).await.unwrap().answered();
        let state = service.state();
        assert_eq!((state.circuit, state.cause, state.actions), ("closed", None, Vec::new()));
    }

    #[tokio::test(start_paused = true)]
    async fn each_circuit_is_listed_once_and_the_worst_of_two_services_with_one_name_counts() {
        let services = Services::new(Settings::default(), 4);
        let (first, second) = (services.at("http://p"), services.at("http://q"));
        first.serves("pay");
        second.serves("pay");
        second.serves("ship");
        second.admit("go", soon(), None).await.unwrap().mistaken("answered 401 Unauthorized");
        let circuit = |participant: &str, action: Option<&str>, state| Circuit {
            participant: participant.to_owned(),
            action: action.map(str::to_owned),
            state,
        };
        let held_back = |state| {
            [("pay", None, CLOSED), ("pay", Some("go"), state), ("ship", None, CLOSED), ("ship", Some("go"), state)]
                .map(|(participant, action, state)| circuit(participant, action, state))
        };
        assert_eq!(services.circuits(), held_back(OPEN));
        second.admit("go", soon(), None).await.unwrap().answered();
        assert_eq!(services.circuits(), held_back(CLOSED));
        for _ in 0..10 {
            first.admit("go", soon(), None).await.unwrap().failed("no answer in time");
        }
        assert_eq!(services.circuits()[0], circuit("pay", None, OPEN));
    }
}
