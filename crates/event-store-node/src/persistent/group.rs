//! One group's bookkeeping: which event is with whom, what comes back, and how far everything has been dealt with. Knows no
//! clock and does nothing; what is to be done, its caller asks for.
//!
//! An event is *pending* from when it is read until it is acknowledged, skipped or parked. The checkpoint never passes the
//! first pending event, so that after a restart every event is delivered that was not dealt with, some of them again.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::measure::Measure;
use super::settings::{Settings, Strategy};
use super::strategy;
use crate::storage::{Event, Resolved};

pub(crate) type ConsumerId = u64;

/// As on a server: an answer counts until the next look for late events. Clients that send answers in batches rely on it.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// How many waiting events are looked at for one that a consumer may have.
const LOOK_AHEAD: usize = 1024;
/// How many events a group may hold, whatever it was asked to, and about how many bytes.
const MAX_HELD: usize = 4096;
const MAX_BYTES: usize = 16 << 20;

/// An event on its way through a group.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The id of the original, by which consumers answer.
    pub(crate) id: Uuid,
    pub(crate) event: Resolved,
    /// The event as it stands in what the group reads: the link, where one was followed.
    pub(super) original: Arc<Event>,
    /// Its revision or position in what the group reads; `None` for one that was parked before.
    pub(crate) place: Option<u64>,
    /// Its revision in the stream of parked events, if it comes from there.
    pub(crate) parked_at: Option<u64>,
    pub(crate) retries: u32,
}

/// What a consumer says about an event that it cannot deal with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nack {
    Retry,
    Park,
    Skip,
}

/// A consumer's address, and the name that it gives itself.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) from: String,
    pub(crate) name: String,
}

#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) id: ConsumerId,
    pub(super) from: String,
    /// What it calls itself.
    pub(super) name: String,
    /// How many events it takes at a time.
    pub(super) slots: usize,
    pub(super) in_flight: usize,
    pub(super) measure: Measure,
}

#[derive(Debug)]
struct InFlight {
    message: Message,
    consumer: ConsumerId,
    sent: Instant,
    deadline: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Group {
    settings: Settings,
    pub(super) consumers: Vec<Consumer>,
    /// Read and not handed out yet.
    waiting: VecDeque<Message>,
    /// Handed out before, and to be handed out again. Goes first.
    again: VecDeque<Message>,
    in_flight: HashMap<Uuid, InFlight>,
    /// To be parked, and why.
    to_park: Vec<(Message, String)>,
    /// Of all that is pending.
    bytes: usize,
    pending: BTreeSet<u64>,
    pending_parked: BTreeSet<u64>,
    /// The last place that was read, wanted or not.
    last_read: Option<u64>,
    checkpoint: Option<u64>,
    since_checkpoint: u32,
    checkpointed: Instant,
    began: Instant,
    last_turn: ConsumerId,
    pub(super) measure: Measure,
}

impl Group {
    pub(super) fn new(settings: Settings, checkpoint: Option<u64>, now: Instant) -> Self {
        Self {
            settings,
            consumers: Vec::new(),
            waiting: VecDeque::new(),
            again: VecDeque::new(),
            in_flight: HashMap::new(),
            to_park: Vec::new(),
            bytes: 0,
            pending: BTreeSet::new(),
            pending_parked: BTreeSet::new(),
            last_read: checkpoint,
            checkpoint,
            since_checkpoint: 0,
            checkpointed: now,
            began: now,
            last_turn: 0,
            measure: Measure::new(now),
        }
    }

    /// How many more events may be read.
    pub(super) fn room(&self) -> usize {
        if self.consumers.is_empty() {
            return 0;
        }
        if self.bytes >= MAX_BYTES {
            return 0;
        }
        let size = (self.settings.history_buffer_size as usize).clamp(1, MAX_HELD);
        let room = size.saturating_sub(self.waiting.len() + self.again.len());
        room.min(self.settings.read_batch_size.max(1) as usize)
    }

    /// Takes events that were read, up to a place that was looked at.
    pub(super) fn take(&mut self, messages: Vec<Message>, last_read: Option<u64>) {
        for message in messages {
            self.bytes += message.size();
            self.pending.extend(message.place);
            self.pending_parked.extend(message.parked_at);
            // What was parked is dealt with before anything new.
            if message.parked_at.is_some() { self.again.push_back(message) } else { self.waiting.push_back(message) }
        }
        self.last_read = last_read.max(self.last_read);
    }

    /// A new consumer; refused when there are as many as there may be.
    pub(super) fn connect(&mut self, id: ConsumerId, who: Who, slots: usize, now: Instant) -> bool {
        let most = self.settings.max_subscriber_count as usize;
        if most > 0 && self.consumers.len() >= most {
            return false;
        }
        let Who { from, name } = who;
        let measure = Measure::new(now);
        self.consumers.push(Consumer { id, from, name, slots: slots.max(1), in_flight: 0, measure });
        true
    }

    /// A consumer has left; what it had goes to others.
    pub(super) fn disconnect(&mut self, id: ConsumerId) {
        self.consumers.retain(|consumer| consumer.id != id);
        let mut left: Vec<_> = self.in_flight.extract_if(|_, flight| flight.consumer == id).collect();
        left.sort_by_key(|(_, flight)| flight.message.place);
        for (_, InFlight { message, .. }) in left.into_iter().rev() {
            self.again.push_front(Message { retries: message.retries + 1, ..message });
        }
    }

    pub(super) fn acknowledge(&mut self, consumer: ConsumerId, id: Uuid, now: Instant) {
        if self.settings.extra_statistics
            && let Some(flight) = self.in_flight.get(&id).filter(|flight| flight.consumer == consumer)
            && let Some(consumer) = self.consumers.iter_mut().find(|one| one.id == consumer)
        {
            consumer.measure.answered(now.saturating_duration_since(flight.sent));
        }
        if let Some(message) = self.land(consumer, id) {
            self.done(&message);
        }
    }

    pub(super) fn refuse(&mut self, consumer: ConsumerId, id: Uuid, nack: Nack, reason: &str) {
        let Some(message) = self.land(consumer, id) else { return };
        let reason = || format!("Client explicitly NAK'ed message.\n{reason}");
        match nack {
            Nack::Skip => self.done(&message),
            Nack::Park => self.to_park.push((message, reason())),
            Nack::Retry => self.try_again(message, reason),
        }
    }

    /// Takes back what consumers have had for too long.
    pub(super) fn expire(&mut self, now: Instant) {
        let late = |flight: &InFlight| flight.deadline.is_some_and(|deadline| deadline <= now);
        let late: Vec<_> = self.in_flight.iter().filter(|(_, flight)| late(flight)).map(|(id, _)| *id).collect();
        for id in late {
            let Some(consumer) = self.in_flight.get(&id).map(|flight| flight.consumer) else { continue };
            if let Some(message) = self.land(consumer, id) {
                self.try_again(message, || "The consumer did not answer in time.".into());
            }
        }
    }

    /// When the next event is late, if nobody answers until then.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.in_flight.values().filter_map(|flight| flight.deadline).min()
    }

    /// Hands out what consumers have room for.
    pub(super) fn dispatch(&mut self, now: Instant) -> Vec<(ConsumerId, Message)> {
        let mut handed_out = Vec::new();
        for again in [true, false] {
            let mut index = 0;
            loop {
                let queue = if again { &self.again } else { &self.waiting };
                if index >= queue.len().min(LOOK_AHEAD) || self.consumers.iter().all(|one| one.in_flight >= one.slots) {
                    break;
                }
                // Two events may have one id: consumers answer by it, so they get one at a time.
                let is_out = self.in_flight.contains_key(&queue[index].id);
                let strategy = self.settings.named_consumer_strategy;
                let chosen = if is_out {
                    None
                } else {
                    strategy::choose(strategy, &self.consumers, self.last_turn, &queue[index])
                };
                let Some(consumer) = chosen else {
                    if !is_out && matches!(strategy, Strategy::DispatchToSingle | Strategy::RoundRobin) {
                        break;
                    }
                    index += 1;
                    continue;
                };
                let queue = if again { &mut self.again } else { &mut self.waiting };
                let Some(message) = queue.remove(index) else { break };
                handed_out.push((consumer, self.launch(consumer, message, now)));
            }
        }
        handed_out
    }

    fn launch(&mut self, consumer: ConsumerId, message: Message, now: Instant) -> Message {
        self.last_turn = consumer;
        self.measure.count();
        if let Some(consumer) = self.consumers.iter_mut().find(|one| one.id == consumer) {
            consumer.in_flight += 1;
            consumer.measure.count();
        }
        let deadline = self.settings.message_timeout().map(|timeout| self.next_look(now + timeout));
        self.in_flight.insert(message.id, InFlight { message: message.clone(), consumer, sent: now, deadline });
        message
    }

    /// The first look for late events at or after this moment.
    fn next_look(&self, at: Instant) -> Instant {
        let since = at.saturating_duration_since(self.began);
        let looks = since.as_nanos().div_ceil(BETWEEN_LOOKS.as_nanos());
        self.began + BETWEEN_LOOKS * u32::try_from(looks).unwrap_or(u32::MAX)
    }

    fn land(&mut self, consumer: ConsumerId, id: Uuid) -> Option<Message> {
        // An answer that comes after the event was taken back is not one any more.
        self.in_flight.get(&id).filter(|flight| flight.consumer == consumer)?;
        let flight = self.in_flight.remove(&id)?;
        if let Some(consumer) = self.consumers.iter_mut().find(|one| one.id == consumer) {
            consumer.in_flight -= 1;
        }
        Some(flight.message)
    }

    fn try_again(&mut self, message: Message, reason: impl FnOnce() -> String) {
        if message.retries >= self.settings.max_retry_count {
            self.to_park.push((message, reason()));
        } else {
            self.again.push_back(Message { retries: message.retries + 1, ..message });
        }
    }

    /// What is to be parked, once: what could not be parked is given back with [`Self::keep`].
    pub(super) fn take_to_park(&mut self) -> Vec<(Message, String)> {
        std::mem::take(&mut self.to_park)
    }

    /// An event could not be parked: it is handed out again.
    pub(super) fn keep(&mut self, message: Message) {
        self.again.push_back(message);
    }

    /// An event has been dealt with.
    pub(super) fn done(&mut self, message: &Message) {
        self.bytes -= message.size();
        if let Some(place) = message.place {
            self.pending.remove(&place);
            self.since_checkpoint += 1;
        }
        if let Some(place) = message.parked_at {
            self.pending_parked.remove(&place);
        }
    }

    /// The first of the parked events handed out again that has not been dealt with.
    pub(super) fn first_parked_pending(&self) -> Option<u64> {
        self.pending_parked.first().copied()
    }

    /// The last place up to which everything has been dealt with.
    pub(super) fn dealt_with(&self) -> Option<u64> {
        match self.pending.first() {
            Some(first) => first.checked_sub(1).max(self.checkpoint),
            None => self.last_read,
        }
    }

    /// The checkpoint to write now, if there is one.
    pub(super) fn checkpoint_due(&self, now: Instant) -> Option<u64> {
        let place = self.dealt_with().filter(|place| Some(*place) > self.checkpoint)?;
        let enough = self.since_checkpoint >= self.settings.max_check_point_count.max(1);
        let some = self.since_checkpoint >= self.settings.min_check_point_count.max(1);
        (enough || (some && now >= self.checkpoint_time())).then_some(place)
    }

    /// When a checkpoint may next be due by time.
    pub(super) fn checkpoint_time(&self) -> Instant {
        self.checkpointed + Duration::from_millis(self.settings.check_point_after.into())
    }

    /// Whether a checkpoint waits for nothing but time.
    pub(super) fn waits_for_checkpoint(&self) -> bool {
        self.since_checkpoint >= self.settings.min_check_point_count.max(1) && self.dealt_with() > self.checkpoint
    }

    pub(super) fn checkpointed(&mut self, place: u64, now: Instant) {
        self.checkpoint = Some(place);
        self.checkpointed = now;
        self.since_checkpoint = 0;
    }

    pub(super) fn checkpoint(&self) -> Option<u64> {
        self.checkpoint
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn to_retry(&self) -> usize {
        self.again.len()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    pub(super) fn last_read(&self) -> Option<u64> {
        self.last_read
    }
}

impl Message {
    /// A message for an event that was read.
    pub(super) fn new(event: Resolved, place: Option<u64>, parked_at: Option<u64>) -> Option<Self> {
        let original = event.original()?.clone();
        let id = Uuid::from_slice(&original.record.id).unwrap_or_default();
        Some(Self { id, event, original, place, parked_at, retries: 0 })
    }

    fn size(&self) -> usize {
        let target = self.event.link.as_ref().and(self.event.event.as_ref());
        self.original.size() + target.map_or(0, |event| event.size())
    }
}
