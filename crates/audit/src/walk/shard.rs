//! A part of the orders, whose chains one thread follows.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher};

use domain::ids::OrderId;
use domain::proof::chain::{Fault, Head, follow};
use domain::proof::{Hash, merkle};
use event_store::RecordedEvent;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::super::error::AuditError;
use super::super::findings::{Finding, Findings};
use super::super::histories::raw;

/// What is handed over at once, whichever comes first.
const EVENTS: usize = 256;
const BYTES: usize = 1 << 20;
/// What may wait for a thread.
const WAITING: usize = 4;

/// What is kept of an order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub head: Head,
    /// Whether something is not as it was written.
    pub is_faulty: bool,
}

/// What a thread has found.
#[derive(Default)]
pub(super) struct Found {
    pub standings: HashMap<OrderId, Standing>,
    pub findings: Findings,
}

/// The leaves of some orders, and how many of these are faulty.
pub(super) struct Leaves {
    pub leaves: Vec<(OrderId, Hash)>,
    pub faulty: u64,
}

enum Task {
    Follow(Vec<RecordedEvent>),
    Leaves(oneshot::Sender<Leaves>),
}

/// A thread, and what it will be given next.
struct Shard {
    tasks: mpsc::Sender<Task>,
    thread: JoinHandle<Found>,
    events: Vec<RecordedEvent>,
    bytes: usize,
}

/// As many threads as there are cores, each with its own orders.
pub(super) struct Shards(Vec<Shard>);

impl Shards {
    pub fn start() -> Self {
        Self((0..cores()).map(|_| Shard::start()).collect())
    }

    /// Hands an event of an order to the thread that has the order.
    pub async fn add(&mut self, event: RecordedEvent) -> Result<(), AuditError> {
        let mut hasher = DefaultHasher::new();
        event.stream.hash(&mut hasher);
        #[expect(clippy::cast_possible_truncation, reason = "any part of a hash will do")]
        let index = hasher.finish() as usize % self.0.len();
        let shard = &mut self.0[index];
        shard.bytes += event.data.len() + event.metadata.len();
        shard.events.push(event);
        if shard.events.len() >= EVENTS || shard.bytes >= BYTES { shard.flush().await } else { Ok(()) }
    }

    /// All orders with their leaves, in the order of their ids, as they stand after what was handed over.
    pub async fn leaves(&mut self) -> Result<Leaves, AuditError> {
        let mut answers = Vec::new();
        for shard in &mut self.0 {
            shard.flush().await?;
            let (answer, answered) = oneshot::channel();
            shard.tasks.send(Task::Leaves(answer)).await.map_err(|_| ended())?;
            answers.push(answered);
        }
        let mut all = Leaves { leaves: Vec::new(), faulty: 0 };
        for answer in answers {
            let Leaves { leaves, faulty } = answer.await.map_err(|_| ended())?;
            all.leaves.extend(leaves);
            all.faulty += faulty;
        }
        all.leaves.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(all)
    }

    /// What was found, when everything was handed over.
    pub async fn finish(self) -> Result<Vec<Found>, AuditError> {
        let mut found = Vec::new();
        for mut shard in self.0 {
            shard.flush().await?;
            drop(shard.tasks);
            found.push(shard.thread.await.map_err(|error| AuditError::Broken(error.to_string()))?);
        }
        Ok(found)
    }
}

impl Shard {
    fn start() -> Self {
        let (tasks, received) = mpsc::channel(WAITING);
        let thread = tokio::task::spawn_blocking(move || work(received));
        Self { tasks, thread, events: Vec::new(), bytes: 0 }
    }

    async fn flush(&mut self) -> Result<(), AuditError> {
        self.bytes = 0;
        let events = std::mem::take(&mut self.events);
        self.tasks.send(Task::Follow(events)).await.map_err(|_| ended())
    }
}

fn work(mut tasks: mpsc::Receiver<Task>) -> Found {
    let mut found = Found::default();
    while let Some(task) = tasks.blocking_recv() {
        match task {
            Task::Follow(events) => events.iter().for_each(|event| found.follow(event)),
            // Who asked may be gone; then nobody wants to know.
            Task::Leaves(asked) => drop(asked.send(found.leaves())),
        }
    }
    found
}

impl Found {
    fn follow(&mut self, event: &RecordedEvent) {
        let Some(order) = OrderId::from_stream(&event.stream) else {
            let reason = format!("position {}: its name holds no order's id", event.position);
            self.findings.add(Finding::Stream { stream: event.stream.clone(), reason });
            return;
        };
        let before = self.standings.get(&order);
        let (head, flaw) = follow(&order, before.map(|standing| &standing.head), &raw(event));
        let is_faulty = flaw.is_some() || before.is_some_and(|standing| standing.is_faulty);
        let standing = Standing { head, is_faulty };
        if let Some(flaw) = flaw {
            let (event_id, position) = (Some(event.id), Some(event.position.commit));
            let fault = Fault { revision: event.revision, event_id, position, flaw };
            self.findings.add(Finding::Order { order: order.clone(), fault });
        }
        self.standings.insert(order, standing);
    }

    fn leaves(&self) -> Leaves {
        let leaves =
            self.standings.iter().map(|(order, standing)| (order.clone(), merkle::leaf(order, &standing.head)));
        let faulty = self.standings.values().filter(|standing| standing.is_faulty).count();
        Leaves { leaves: leaves.collect(), faulty: faulty as u64 }
    }
}

/// How much can be done at once.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn ended() -> AuditError {
    AuditError::Broken("a thread is gone".to_owned())
}
