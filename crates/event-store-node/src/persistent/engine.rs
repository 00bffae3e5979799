//! The task of one group: it reads, delivers, takes answers, parks, and writes checkpoints.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use super::books::{Books, place_name};
use super::consumer::{ConsumerId, ConsumerName};
use super::cursor::Cursor;
use super::group::{Group, Nack};
use super::measure::Measured;
use super::message::Message;
use super::settings::Entry;
use crate::reader::ReadFailure;

/// How many commands may wait for a group.
const COMMANDS: usize = 256;
/// How many events a consumer may have at a time.
const MAX_SLOTS: usize = 4096;
/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) enum Command {
    Connect {
        who: ConsumerName,
        slots: usize,
        answer: oneshot::Sender<Option<Connected>>,
    },
    Acknowledge {
        consumer: ConsumerId,
        ids: Vec<Uuid>,
    },
    Refuse {
        consumer: ConsumerId,
        ids: Vec<Uuid>,
        nack: Nack,
        reason: String,
    },
    Replay {
        most: Option<u64>,
        answer: oneshot::Sender<()>,
    },
    Describe {
        answer: oneshot::Sender<Description>,
    },
    /// Ends the group for good. The answer comes after the group has written its checkpoint.
    End {
        answer: oneshot::Sender<()>,
    },
}

/// A consumer's side of its connection to the group.
pub(crate) struct Connected {
    pub(crate) id: ConsumerId,
    pub(crate) events: Events,
}

/// The events for one consumer. They end when the group ends. A consumer leaves by dropping this.
/// No message is needed for that: the group notices the closed channel, and is only woken up.
pub(crate) struct Events {
    received: mpsc::Receiver<Message>,
    departures: Arc<Notify>,
}

impl Events {
    /// The next event. `None`: the group has ended.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        self.received.recv().await
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.received.close();
        self.departures.notify_one();
    }
}

/// The state of a group.
pub(crate) struct Description {
    pub(crate) entry: Entry,
    pub(crate) consumers: Vec<ConsumerDescription>,
    /// It has read all events.
    pub(crate) is_live: bool,
    pub(crate) is_replaying: bool,
    pub(crate) measured: Measured,
    pub(crate) checkpoint: Option<String>,
    pub(crate) last_read: Option<String>,
    pub(crate) waiting: usize,
    pub(crate) to_retry: usize,
    pub(crate) in_flight: usize,
    pub(crate) parked: u64,
}

pub(crate) struct ConsumerDescription {
    pub(crate) from: String,
    pub(crate) name: String,
    pub(crate) measured: Measured,
    pub(crate) free_slots: usize,
    pub(crate) in_flight: usize,
}

/// Sends commands to a running group.
pub(crate) type Handle = mpsc::Sender<Command>;

/// Parked events that are to be delivered again.
struct Replay {
    next: u64,
    end: u64,
}

pub(super) struct Engine {
    entry: Entry,
    books: Books,
    group: Group,
    cursor: Cursor,
    at_end: bool,
    parked: std::ops::Range<u64>,
    replays: Option<Replay>,
    /// Parked events before this revision were delivered again and are to be removed.
    forget_before: Option<u64>,
    outlets: HashMap<ConsumerId, mpsc::Sender<Message>>,
    next_consumer: ConsumerId,
    /// Notified when a consumer leaves.
    departures: Arc<Notify>,
    paused_until: Option<Instant>,
}

impl Engine {
    /// Loads a group from its records.
    pub(super) async fn new(entry: Entry, books: Books) -> Result<Self, ReadFailure> {
        let checkpoint = books.checkpoint(&entry.key).await?;
        let parked = books.parked(&entry.key).await?;
        let broken = |error: fancy_regex::Error| ReadFailure::Broken(error.to_string());
        let cursor = Cursor::new(books.reader.clone(), &entry, checkpoint).map_err(broken)?;
        Ok(Self {
            group: Group::new(entry.settings.clone(), checkpoint, Instant::now()),
            entry,
            books,
            cursor,
            at_end: false,
            parked,
            replays: None,
            forget_before: None,
            outlets: HashMap::new(),
            next_consumer: 1,
            departures: Arc::default(),
            paused_until: None,
        })
    }

    /// Starts the group's task. It ends with the node, or on command.
    pub(super) fn start(self, closing: CancellationToken) -> (Handle, impl Future<Output = ()>) {
        let (commands, received) = mpsc::channel(COMMANDS);
        (commands, self.run(received, closing))
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>, closing: CancellationToken) {
        let ended = loop {
            self.advance().await;
            let wakes = self.wakes_at();
            let wants_more = self.at_end && self.group.room() > 0;
            let more_to_read =
                (!self.at_end || self.replays.is_some()) && self.group.room() > 0 && self.paused_until.is_none();
            tokio::select! {
                () = closing.cancelled() => break None,
                command = commands.recv() => match command {
                    Some(Command::End { answer }) => break Some(answer),
                    Some(command) => self.obey(command),
                    None => break None,
                },
                () = self.departures.notified() => self.disconnect_departed(),
                () = until(wakes) => self.paused_until = None,
                waited = self.cursor.wait(), if wants_more => match waited {
                    Ok(()) => self.at_end = false,
                    Err(_) => break None,
                },
                () = std::future::ready(()), if more_to_read => {}
            }
        };
        self.outlets.clear();
        self.write_checkpoint(self.group.finished_through()).await;
        if let Some(ended) = ended {
            let _ = ended.send(());
        }
    }

    /// Does all the work that is possible now.
    async fn advance(&mut self) {
        self.group.expire(Instant::now());
        self.hand_out();
        self.park().await;
        if self.group.checkpoint_due(Instant::now()).is_some() {
            self.write_checkpoint(self.group.finished_through()).await;
        }
        self.forget_parked().await;
        if self.group.room() > 0
            && self.paused_until.is_none()
            && let Err(failure) = self.read().await
        {
            warn!(group = %self.entry.key, %failure, "the group could not read more events");
            self.paused_until = Some(Instant::now() + PAUSE);
        }
        self.hand_out();
    }

    fn hand_out(&mut self) {
        for (consumer, message) in self.group.dispatch(Instant::now()) {
            // There is room for as many events as the consumer has slots. If it has left, it is
            // about to be removed.
            if let Some(outlet) = self.outlets.get(&consumer) {
                let _left = outlet.try_send(message);
            }
        }
    }

    async fn read(&mut self) -> Result<(), ReadFailure> {
        if let Some(replay) = &mut self.replays {
            let most = usize::try_from(replay.end - replay.next).unwrap_or(usize::MAX).min(self.group.room());
            let messages = self.books.read_parked(&self.entry.key, replay.next, most).await?;
            replay.next = messages.last().and_then(|last| last.parked_at).map_or(replay.end, |last| last + 1);
            self.parked.start = self.parked.start.max(replay.next);
            self.group.take(messages, None);
            if let Some(replay) = self.replays.take_if(|replay| replay.next >= replay.end) {
                self.forget_before = self.forget_before.max(Some(replay.end));
            }
        } else if !self.at_end {
            let page = self.cursor.read(self.group.room()).await?;
            self.at_end = page.at_end;
            self.group.take(page.messages, page.last_read);
        }
        Ok(())
    }

    async fn park(&mut self) {
        for (message, reason) in self.group.take_to_park() {
            match self.books.park(&self.entry.key, &message, &reason).await {
                Ok(revision) => {
                    if self.parked.is_empty() {
                        self.parked.start = revision;
                    }
                    self.parked.end = revision + 1;
                    self.group.done(&message);
                }
                Err(failure) => {
                    warn!(group = %self.entry.key, ?failure, "an event could not be parked");
                    self.group.keep(message);
                }
            }
        }
    }

    async fn write_checkpoint(&mut self, place: Option<u64>) {
        let Some(place) = place.filter(|place| Some(*place) > self.group.checkpoint()) else { return };
        let is_first = self.group.checkpoint().is_none();
        match self.books.write_checkpoint(&self.entry.key, place, is_first).await {
            Ok(()) => self.group.checkpointed(place, Instant::now()),
            Err(failure) => {
                warn!(group = %self.entry.key, ?failure, "a checkpoint could not be written");
                self.paused_until = Some(Instant::now() + PAUSE);
            }
        }
    }

    /// Removes parked events only after all of those that were delivered again are finished.
    /// Otherwise a crash would lose them.
    async fn forget_parked(&mut self) {
        let Some(before) = self.forget_before.filter(|_| self.group.first_parked_pending().is_none()) else { return };
        match self.books.forget_parked(&self.entry.key, before).await {
            Ok(()) => self.forget_before = None,
            Err(failure) => warn!(group = %self.entry.key, ?failure, "parked events could not be removed"),
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Connect { who, slots, answer } => {
                let _ = answer.send(self.connect(who, slots.clamp(1, MAX_SLOTS)));
            }
            Command::Acknowledge { consumer, ids } => {
                for id in ids {
                    self.group.acknowledge(consumer, id, Instant::now());
                }
            }
            Command::Refuse { consumer, ids, nack, reason } => {
                for id in ids {
                    self.group.refuse(consumer, id, nack, &reason);
                }
            }
            Command::Replay { most, answer } => {
                let Replay { next, .. } = self.replays.take().unwrap_or(Replay { next: self.parked.start, end: 0 });
                let end = most.map_or(self.parked.end, |most| next.saturating_add(most).min(self.parked.end));
                self.replays = Some(Replay { next, end }).filter(|replay| replay.next < replay.end);
                let _ = answer.send(());
            }
            Command::Describe { answer } => {
                let _ = answer.send(self.describe());
            }
            Command::End { .. } => {}
        }
    }

    fn connect(&mut self, who: ConsumerName, slots: usize) -> Option<Connected> {
        let id = self.next_consumer;
        if !self.group.connect(id, who, slots, Instant::now()) {
            return None;
        }
        self.next_consumer += 1;
        let (outlet, received) = mpsc::channel(slots);
        self.outlets.insert(id, outlet);
        Some(Connected { id, events: Events { received, departures: self.departures.clone() } })
    }

    fn disconnect_departed(&mut self) {
        let departed: Vec<_> = self.outlets.extract_if(|_, outlet| outlet.is_closed()).collect();
        for (consumer, _) in departed {
            self.group.disconnect(consumer);
        }
    }

    fn describe(&mut self) -> Description {
        let now = Instant::now();
        let measured = self.group.measure.look(now);
        let consumers = self.group.consumers.iter_mut().map(|consumer| ConsumerDescription {
            from: consumer.from.clone(),
            name: consumer.name.clone(),
            measured: consumer.measure.look(now),
            free_slots: consumer.slots.saturating_sub(consumer.in_flight),
            in_flight: consumer.in_flight,
        });
        let consumers = consumers.collect();
        let place = |place: Option<u64>| place.map(|place| place_name(&self.entry.key, place));
        Description {
            entry: self.entry.clone(),
            consumers,
            // A group without consumers reads nothing, and no consumer waits for it.
            is_live: self.at_end || self.outlets.is_empty(),
            is_replaying: self.replays.is_some(),
            measured,
            checkpoint: place(self.group.checkpoint()),
            last_read: place(self.group.last_read()),
            waiting: self.group.waiting(),
            to_retry: self.group.to_retry(),
            in_flight: self.group.in_flight(),
            parked: self.parked.end - self.parked.start,
        }
    }

    fn wakes_at(&self) -> Option<Instant> {
        let checkpoint = self.group.waits_for_checkpoint().then(|| self.group.checkpoint_time());
        let checkpoint = checkpoint.map(|time| self.paused_until.map_or(time, |pause| time.max(pause)));
        [self.group.next_deadline(), checkpoint, self.paused_until].into_iter().flatten().min()
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
