//! The single writer: group commit.
//!
//! One thread takes whatever is waiting, decides on each change, writes all of it in one synced batch, and only then
//! answers. While it waits for the disk the next group gathers, so that the more there is to do, the less each change
//! costs. What may wait is bounded in number and in bytes; beyond that a caller is refused at once.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tracing::error;

use super::change::{Change, Failure, Intent, Outcome};
use super::group::Group;
use super::recent::Recent;
use super::storage::{Storage, StorageError};

/// Changes that may wait.
const QUEUE: usize = 4096;
/// Changes that go to disk together.
const GROUP: usize = 1024;

type Answer = Result<Outcome, Failure>;

struct Job {
    intent: Intent,
    answer: oneshot::Sender<Answer>,
    /// Given back when the change has been answered.
    room: OwnedSemaphorePermit,
}

/// Hands changes to the writing thread, which ends when the last of these is gone.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
    bytes: u32,
}

impl Writer {
    /// Starts the thread. `head` is told the last position after each commit.
    pub(crate) fn start(
        storage: Arc<Storage>,
        recent: Arc<Recent>,
        head: watch::Sender<u64>,
        queue_bytes: u32,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let thread =
            Builder::new().name("event-store-writer".into()).spawn(move || run(&storage, &recent, &head, jobs))?;
        Ok((Self { queue, room: Arc::new(Semaphore::new(queue_bytes as usize)), bytes: queue_bytes }, thread))
    }

    /// Makes a change, or refuses at once when too much is waiting.
    pub(crate) async fn change(&self, intent: Intent) -> Answer {
        let room = self.room.clone().try_acquire_many_owned(self.room_for(&intent)).map_err(|_| Failure::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Job { intent, answer, room }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Failure::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Failure::Closed,
        })?;
        answered.await.unwrap_or(Err(Failure::Closed))
    }

    /// Waits for room and puts a change into the queue; what it leads to comes later. The changes of one caller are made
    /// in the order in which they were put there.
    pub(crate) async fn enqueue(&self, intent: Intent) -> Result<oneshot::Receiver<Answer>, Failure> {
        let room = self.room.clone().acquire_many_owned(self.room_for(&intent)).await.map_err(|_| Failure::Closed)?;
        let (answer, answered) = oneshot::channel();
        self.queue.send(Job { intent, answer, room }).await.map_err(|_| Failure::Closed)?;
        Ok(answered)
    }

    fn room_for(&self, intent: &Intent) -> u32 {
        let size = match &intent.change {
            Change::Append(events) => events.iter().map(super::change::Proposed::size).sum(),
            Change::Delete | Change::Tombstone => 0,
        };
        u32::try_from(size).unwrap_or(u32::MAX).min(self.bytes)
    }
}

fn run(storage: &Storage, recent: &Recent, head: &watch::Sender<u64>, mut jobs: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP);
    while jobs.blocking_recv_many(&mut group, GROUP) > 0 {
        let (intents, answers): (Vec<_>, Vec<_>) =
            group.drain(..).map(|Job { intent, answer, room }| (intent, (answer, room))).unzip();
        let outcomes = match commit(storage, recent, head, intents) {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(failure) => {
                error!(error = %failure, "the log could not be written");
                vec![Err(Failure::Broken(failure.to_string())); answers.len()]
            }
        };
        for ((answer, room), outcome) in answers.into_iter().zip(outcomes) {
            // A caller who has left has no use for the answer.
            let _ = answer.send(outcome);
            drop(room);
        }
    }
}

/// Makes a group of changes. The refusals are answered with the rest: each rests on what the group writes before it.
fn commit(
    storage: &Storage,
    recent: &Recent,
    head: &watch::Sender<u64>,
    intents: Vec<Intent>,
) -> Result<Vec<Outcome>, StorageError> {
    let mut group = Group::new(storage.view(), *head.borrow() + 1);
    let outcomes = intents.into_iter().map(|intent| group.add(intent)).collect::<Result<Vec<_>, _>>()?;
    let batch = group.into_batch();
    if let Some((_, last)) = batch.events.last() {
        storage.commit(&batch)?;
        recent.extend(batch.events.iter().map(|(_, event)| event.clone()));
        head.send_replace(last.position);
    }
    Ok(outcomes)
}
