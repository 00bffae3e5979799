//! A part of the orders, with one thread that follows their chains.

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

/// A batch of events for a thread is full at this many events or bytes.
const EVENTS: usize = 256;
const BYTES: usize = 1 << 20;
/// How many batches may wait for a thread.
const WAITING: usize = 4;

/// What is stored about an order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub head: Head,
    /// Whether the order has a difference.
    pub is_faulty: bool,
}

/// The findings of one thread.
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

/// A thread, and the batch that it gets next.
struct Shard {
    tasks: mpsc::Sender<Task>,
    thread: JoinHandle<Found>,
    events: Vec<RecordedEvent>,
    bytes: usize,
}

/// One thread for each core, each with its own orders.
pub(super) struct Shards(Vec<Shard>);

impl Shards {
    pub fn start() -> Self {
        Self((0..cores()).map(|_| Shard::start()).collect())
    }

    /// Gives an event of an order to the order's thread.
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

    /// All orders with their leaves, sorted by id, after all events so far.
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

    /// The findings of all threads, after the last event.
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
            // If the caller is gone, no one needs the answer.
            Task::Leaves(asked) => drop(asked.send(found.leaves())),
        }
    }
    found
}

impl Found {
    fn follow(&mut self, event: &RecordedEvent) {
        let Some(order) = OrderId::from_stream(&event.stream) else {
            let reason = format!("position {}: the stream's name has no valid order id", event.position);
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

/// How many threads can run in parallel.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn ended() -> AuditError {
    AuditError::Broken("a thread is gone".to_owned())
}
