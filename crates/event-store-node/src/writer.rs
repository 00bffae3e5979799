//! The single writer: group commit.
//!
//! One thread takes all waiting changes, decides on each, writes them in one synced batch, and only
//! then answers. While it waits for the disk, the next group gathers. So the higher the load, the
//! lower the cost of each change. The queue is bounded in changes and in bytes. Beyond a bound a
//! caller is refused at once.
//!
//! While the disk is nearly full, changes are refused and reads continue. After a failed write the
//! log is reopened without the events that were not acknowledged. This is repeated until it
//! succeeds.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use event_store_protocol::scavenge::{Removed, is_of_scavenges};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tracing::{error, info, warn};

use super::change::{Change, Failure, Intent, Outcome, Proposed};
use super::figures::Figures;
use super::group::Group;
use super::log::Log;
use super::recent::Recent;
use super::storage::StorageError;

/// How many changes may wait.
const QUEUE: usize = 4096;
/// How many changes go to disk together.
const GROUP: usize = 1024;
/// The pause between two attempts at reopening the log.
const PAUSE: Duration = Duration::from_millis(500);
/// How often the thread checks for new changes while the log is reopened.
const CHECK_INTERVAL: Duration = Duration::from_millis(5);

type Answer = Result<Outcome, Failure>;

struct Job {
    intent: Intent,
    answer: oneshot::Sender<Answer>,
    /// Released when the change has been answered.
    room: OwnedSemaphorePermit,
}

/// Hands changes to the writer thread, which ends when the last of these is dropped.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
    bytes: u32,
}

impl Writer {
    /// Starts the thread. `head` receives the last position after each commit.
    pub(crate) fn start(
        log: Arc<Log>,
        recent: Arc<Recent>,
        head: watch::Sender<u64>,
        queue_bytes: u32,
        figures: Arc<Figures>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let writing = WriterThread { log, recent, head, jobs, figures, is_full: false };
        let thread = Builder::new().name("event-store-writer".into()).spawn(move || writing.run())?;
        Ok((Self { queue, room: Arc::new(Semaphore::new(queue_bytes as usize)), bytes: queue_bytes }, thread))
    }

    /// Makes a change, or refuses at once when too many wait.
    pub(crate) async fn change(&self, intent: Intent) -> Answer {
        let room = self.room.clone().try_acquire_many_owned(self.room_for(&intent)).map_err(|_| Failure::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Job { intent, answer, room }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Failure::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Failure::Closed,
        })?;
        answered.await.unwrap_or(Err(Failure::Closed))
    }

    /// Waits for room and queues a change. The answer comes later. The changes of one caller are
    /// made in the order in which they were queued.
    pub(crate) async fn enqueue(&self, intent: Intent) -> Result<oneshot::Receiver<Answer>, Failure> {
        let room = self.room.clone().acquire_many_owned(self.room_for(&intent)).await.map_err(|_| Failure::Closed)?;
        let (answer, answered) = oneshot::channel();
        self.queue.send(Job { intent, answer, room }).await.map_err(|_| Failure::Closed)?;
        Ok(answered)
    }

    fn room_for(&self, intent: &Intent) -> u32 {
        let size = match &intent.change {
            Change::Append(events) => events.iter().map(Proposed::footprint).sum(),
            Change::Links(links) => links.iter().map(|(stream, link)| stream.len() + link.footprint()).sum(),
            Change::Delete | Change::Tombstone => 0,
        };
        u32::try_from(size).unwrap_or(u32::MAX).min(self.bytes)
    }
}

/// The state of the writer thread.
struct WriterThread {
    log: Arc<Log>,
    recent: Arc<Recent>,
    head: watch::Sender<u64>,
    jobs: mpsc::Receiver<Job>,
    figures: Arc<Figures>,
    /// The disk had no room at the last check.
    is_full: bool,
}

impl WriterThread {
    fn run(mut self) {
        let mut group = Vec::with_capacity(GROUP);
        while self.jobs.blocking_recv_many(&mut group, GROUP) > 0 {
            if let Err(failure) = self.room() {
                // A scavenge makes room, so it may write.
                let makes_no_room = |job: &mut Job| !is_of_scavenges(&job.intent.stream);
                self.refuse(group.extract_if(.., makes_no_room), &failure);
                if group.is_empty() {
                    continue;
                }
            }
            let (intents, answers): (Vec<_>, Vec<_>) =
                group.drain(..).map(|Job { intent, answer, room }| (intent, (answer, room))).unzip();
            match self.commit(intents) {
                Ok(outcomes) => {
                    for ((answer, _room), outcome) in answers.into_iter().zip(outcomes) {
                        self.figures.answered(&outcome);
                        // If the caller has left, no one needs the answer.
                        let _ = answer.send(outcome);
                    }
                }
                Err(failure) => {
                    error!(error = %failure, "the log could not be written");
                    let failure = Failure::Broken(failure.to_string());
                    for (answer, _room) in answers {
                        self.answer_with(answer, &failure);
                    }
                    self.reopen(&failure);
                }
            }
        }
    }

    fn room(&mut self) -> Result<(), Failure> {
        let room = self.log.room();
        match &room {
            Err(no_room) if !self.is_full => warn!(%no_room, "appends are refused until there is room"),
            Ok(()) if self.is_full => info!("there is room again: appends are accepted"),
            _ => {}
        }
        self.is_full = room.is_err();
        self.figures.is_full(self.is_full);
        room.map_err(|no_room| Failure::NoRoom(no_room.to_string()))
    }

    /// Makes a group of changes. Refusals are answered with the rest, because each depends on
    /// earlier changes of the group. If a change depends on an event that cannot be read, only that
    /// change fails.
    fn commit(&self, intents: Vec<Intent>) -> Result<Vec<Answer>, StorageError> {
        let (first, changes) = (*self.head.borrow() + 1, intents.len());
        self.log.with(|storage| {
            let mut group = Group::new(storage.view(), first);
            let mut answers = Vec::with_capacity(intents.len());
            for intent in intents {
                let before = group.len();
                answers.push(match group.add(intent) {
                    Ok(outcome) => Ok(outcome),
                    Err(unreadable) if group.len() == before => Err(Failure::Broken(unreadable.to_string())),
                    // A part of the change is in the group, so the group must not be written.
                    Err(unreadable) => return Err(unreadable),
                });
            }
            let batch = group.into_batch();
            if let Some((_, last)) = batch.events.last() {
                let begun = Instant::now();
                storage.commit(&batch)?;
                self.figures.synced(changes, &batch, begun.elapsed());
                self.recent.extend(batch.events.iter().map(|(_, event)| event.clone()));
                if let Some(removed) = batch.removed.iter().flat_map(Removed::each_position).max() {
                    self.recent.forget_through(removed);
                }
                self.head.send_replace(last.position);
            }
            Ok(answers)
        })
    }

    /// Reopens the log, with as many attempts as needed, and refuses changes meanwhile. Ends early
    /// when no caller is left.
    fn reopen(&mut self, failure: &Failure) {
        loop {
            let acknowledged = *self.head.borrow();
            if self.log.room().is_ok() {
                match self.log.reopen(acknowledged) {
                    Ok(()) => return info!(position = acknowledged, "the log was reopened"),
                    Err(error) => error!(%error, "the log could not be reopened"),
                }
            }
            let until = Instant::now() + PAUSE;
            while Instant::now() < until {
                match self.jobs.try_recv() {
                    Ok(job) => self.refuse([job], failure),
                    Err(mpsc::error::TryRecvError::Empty) => std::thread::sleep(CHECK_INTERVAL),
                    Err(mpsc::error::TryRecvError::Disconnected) => return,
                }
            }
        }
    }

    fn refuse(&self, jobs: impl IntoIterator<Item = Job>, failure: &Failure) {
        for job in jobs {
            self.answer_with(job.answer, failure);
        }
    }

    fn answer_with(&self, answer: oneshot::Sender<Answer>, failure: &Failure) {
        let failed = Err(failure.clone());
        self.figures.answered(&failed);
        let _ = answer.send(failed);
    }
}
