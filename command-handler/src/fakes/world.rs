//! A world to test in: one log, one clock, all participants, and any number of instances. At its
//! end, nothing may be left running.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::Timestamp;
use domain::ids::OrderId;
use domain::order::{Event, NewOrder, Operate, Operation, Order, Signal, evolve, summary};
use domain::testing::done;
use domain::wire::{self, CHAIN_START, WORKFLOW_STREAM_PREFIX, WorkflowRegistered};
use domain::workflow::Workflow;
use event_store::{Expected, NewEvent};
use serde_json::{Value, json};
use uuid::Uuid;

use super::clock::SimulatedClock;
use super::gate::Gate;
use super::keys::SimulatedKeys;
use super::life::Life;
use super::log::SimulatedLog;
use super::participants::SimulatedParticipants;
use crate::clock::Clock;
use crate::orchestrator::{Orchestrator, OrchestratorOptions};

/// The two workflows that ship.
pub const WITH_BACKORDER: &str = include_str!("../../../workflows/order-fulfilment.yaml");
pub const WITHOUT_BACKORDER: &str = include_str!("../../../workflows/order-fulfilment-without-backorder.yaml");

/// See the head of this file.
pub struct World {
    pub log: SimulatedLog,
    pub clock: SimulatedClock,
    pub participants: SimulatedParticipants,
    pub keys: Arc<SimulatedKeys>,
    instances: RefCell<Vec<Instance>>,
    /// States, and the number of events that they are folded from.
    folded: RefCell<HashMap<OrderId, (usize, Order)>>,
}

/// One process, so to speak.
#[derive(Debug, Clone)]
pub struct Instance {
    orchestrator: Orchestrator<SimulatedLog, SimulatedParticipants, SimulatedClock>,
    pub life: Life,
}

impl Deref for Instance {
    type Target = Orchestrator<SimulatedLog, SimulatedParticipants, SimulatedClock>;

    fn deref(&self) -> &Self::Target {
        &self.orchestrator
    }
}

impl Instance {
    /// How many orders have a driver.
    pub fn drivers(&self) -> usize {
        self.orchestrator.0.drivers.len()
    }

    /// How many orders are kept in memory without one.
    pub fn idle(&self) -> usize {
        self.orchestrator.0.idle.len()
    }
}

/// Runs a test in its own world, and checks what remains. Time in Tokio's own sense stands still
/// while anything can go on, which is how [`World::settle`] knows.
pub fn simulate(test: impl AsyncFnOnce(&World)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = World::new();
        test(&world).await;
        world.settle().await;
        world.assert_at_rest();
    });
}

impl World {
    pub fn new() -> Self {
        let log = SimulatedLog::new();
        let participants = SimulatedParticipants::new(&log);
        let world = Self {
            log,
            clock: SimulatedClock::new(),
            participants,
            keys: Arc::default(),
            instances: RefCell::default(),
            folded: RefCell::default(),
        };
        for workflow in [WITH_BACKORDER, WITHOUT_BACKORDER] {
            world.register(workflow);
        }
        world
    }

    /// Puts a workflow into the log.
    pub fn register(&self, source: &str) {
        let (stream, event) = registration(source, self.clock.time(), Uuid::now_v7());
        self.log.put(&stream, Expected::NoStream, &[event]).unwrap();
    }

    /// Registers a workflow of these steps, under the name `w`, with one participant `p`.
    pub fn register_steps(&self, steps: &str) {
        let source = format!("workflow: w\nversion: 1\nparticipants: {{ p: {{ url: 'http://p' }} }}\n{steps}\n");
        Workflow::parse(&source).unwrap_or_else(|faults| panic!("{faults}"));
        self.register(&source);
    }

    /// Starts an instance.
    pub fn instance(&self) -> Instance {
        self.instance_with(Life::long(), OrchestratorOptions::default(), &self.participants)
    }

    /// Starts an instance that lives so long.
    pub fn instance_of(&self, life: Life) -> Instance {
        self.instance_with(life, OrchestratorOptions::default(), &self.participants)
    }

    /// Starts an instance that drives few orders at once.
    pub fn instance_for(&self, max_active: usize) -> Instance {
        self.instance_with(Life::long(), options(max_active), &self.participants)
    }

    /// Starts an instance.
    pub fn instance_with(
        &self,
        life: Life,
        options: OrchestratorOptions,
        participants: &SimulatedParticipants,
    ) -> Instance {
        let clock = self.clock.of(&life);
        let orchestrator =
            Orchestrator::new(self.log.of(&life), participants.of(&life), self.keys.clone(), clock, options);
        let instance = Instance { orchestrator, life };
        self.instances.borrow_mut().push(instance.clone());
        instance
    }

    /// Places an order under the id 1, and waits for the result.
    pub async fn begin(&self, instance: &Instance, order: NewOrder) {
        instance.place(id("1"), order, None).await.unwrap();
        self.settle().await;
    }

    /// Sends a later answer about it, and waits for the result.
    pub async fn send(&self, instance: &Instance, answer: Signal) {
        instance.signal(id("1"), answer).await.unwrap();
        self.settle().await;
    }

    /// Waits until nothing moves any more without the clock, or the test, moving it.
    pub async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    /// Moves the clock, and waits for the result.
    pub async fn pass(&self, time: Duration) {
        self.settle().await;
        self.clock.advance(time);
        self.settle().await;
    }

    /// What the to-do list does: wakes the orders that are due. Says when the next one will be.
    pub async fn wake_due(&self, instance: &Instance) -> Option<Timestamp> {
        self.settle().await;
        let mut next: Option<Timestamp> = None;
        for id in self.orders() {
            let Some(due) = self.state(&id).due_at() else { continue };
            if due <= self.clock.time() {
                let _ = instance.wake(id);
            } else {
                next = Some(next.map_or(due, |next| next.min(due)));
            }
        }
        self.settle().await;
        next
    }

    /// Wakes orders that are due and moves the clock to the next due time, until no order is due.
    pub async fn wake_until_done(&self, instance: &Instance) {
        for _ in 0..500 {
            match self.wake_due(instance).await {
                Some(next) => self.clock.advance_to(next),
                None if self.orders().iter().all(|id| self.state(id).due_at().is_none()) => return,
                None => {}
            }
        }
        panic!("orders are due for ever: {:#?}", self.orders().iter().map(|id| self.told(id)).collect::<Vec<_>>());
    }

    /// The orders in the log.
    pub fn orders(&self) -> Vec<OrderId> {
        self.log.names(domain::stream_prefix::DEFAULT).iter().filter_map(|name| OrderId::from_stream(name)).collect()
    }

    /// What happened to an order, read and verified: every event can be read, and the chain of
    /// hashes has no break.
    pub fn history(&self, id: &OrderId) -> Vec<Event> {
        let mut previous = CHAIN_START.to_owned();
        let mut before = HashSet::new();
        let mut history = Vec::new();
        for recorded in self.log.stream(&id.stream()) {
            let decoded = wire::decode(&recorded.event_type, &recorded.data, &recorded.metadata).unwrap();
            let metadata: Value = serde_json::from_slice(&recorded.metadata).unwrap();
            let link = wire::link(&previous, recorded.id, &recorded.event_type, &recorded.data, &metadata);
            assert_eq!(decoded.metadata.hash, link, "the chain of order {id} breaks at {}", recorded.revision);
            let cause = decoded.metadata.causation_id;
            assert!(cause.is_none_or(|cause| before.contains(&cause)), "{recorded:?} is caused by nothing before it");
            before.insert(recorded.id);
            previous = link;
            history.push(decoded.event);
        }
        history
    }

    /// What happened to an order, in sentences.
    pub fn told(&self, id: &OrderId) -> Vec<String> {
        self.history(id).iter().map(summary).collect()
    }

    /// How often something happened to an order.
    pub fn count(&self, id: &OrderId, event_type: &str) -> usize {
        self.history(id).iter().filter(|event| event.type_name() == event_type).count()
    }

    /// Where an order stands, folded from its first event.
    pub fn state(&self, id: &OrderId) -> Order {
        let length = self.log.length(&id.stream());
        if let Some((_, state)) = self.folded.borrow().get(id).filter(|(folded, _)| *folded == length) {
            return state.clone();
        }
        let history = self.history(id);
        let state = history.iter().fold(None, |state, event| Some(evolve(state, event).unwrap())).expect("an order");
        self.folded.borrow_mut().insert(id.clone(), (history.len(), state.clone()));
        state
    }

    /// Nothing is left running, and nothing was asked that should not have been.
    pub fn assert_at_rest(&self) {
        for instance in self.instances.borrow().iter().filter(|instance| !instance.life.is_over()) {
            assert_eq!(instance.drivers(), 0, "orders are still being driven");
            assert_eq!(
                instance.free(),
                instance.0.options.max_active,
                "drivers have ended without freeing their place"
            );
        }
        assert_eq!(self.participants.faults(), Vec::<String>::new());
        for id in self.orders() {
            self.state(&id);
        }
    }

    /// What an operator wants done.
    pub fn operate(&self, operation: Operation) -> Operate {
        Operate { operation, actor: "ann".to_owned(), reason: "asked for".to_owned(), now: self.clock.now() }
    }

    /// A later answer of the shipping service.
    pub fn answer(&self, outcome: &str, key: Option<&str>) -> Signal {
        Signal {
            step: "ship".to_owned(),
            direction: domain::order::Direction::Do,
            outcome: Some(outcome.to_owned()),
            data: json!({ "tracking": "T-1" }),
            key: key.map(str::to_owned),
            now: self.clock.now(),
        }
    }
}

/// The event that registers a workflow, and the stream that it belongs to.
pub fn registration(source: &str, at: Timestamp, id: Uuid) -> (String, NewEvent) {
    let named = |key: &str| source.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim().to_owned();
    let (name, version) = (named("workflow:"), named("version:").parse().unwrap());
    let stream = format!("{WORKFLOW_STREAM_PREFIX}{name}");
    let event = WorkflowRegistered { name, version, source: source.to_owned(), at };
    let event = NewEvent {
        id,
        event_type: WorkflowRegistered::TYPE.to_owned(),
        data: Bytes::from(serde_json::to_vec(&event).unwrap()),
        metadata: Bytes::from_static(b"{}"),
    };
    (stream, event)
}

/// Few orders at once.
pub fn options(max_active: usize) -> OrchestratorOptions {
    OrchestratorOptions {
        max_active,
        reserve: 2,
        max_idle: NonZeroUsize::new(100).unwrap(),
        ..OrchestratorOptions::default()
    }
}

pub fn id(text: &str) -> OrderId {
    OrderId::new(text).unwrap()
}

/// A small order that follows this workflow.
pub fn order(workflow: &str) -> NewOrder {
    NewOrder { workflow: workflow.to_owned(), ..domain::testing::order() }
}

/// A small order that follows `order-fulfilment`.
pub fn fulfilment() -> NewOrder {
    order("order-fulfilment")
}

/// An order that is being charged for, until the gate opens, at its own instance.
pub async fn charging(world: &World) -> (Instance, Gate) {
    let instance = world.instance();
    let asking = world.participants.hangs("payments.charge", done());
    world.begin(&instance, fulfilment()).await;
    assert!(asking.is_reached());
    (instance, asking)
}
