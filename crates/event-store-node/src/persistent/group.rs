//! The state of one group: which consumer has which event, which events are to be delivered again,
//! and up to where every event is finished. It is pure: it has no clock and performs nothing, and
//! its caller asks it what to do next.
//!
//! An event is *pending* from when it is read until it is acknowledged, skipped or parked. The
//! checkpoint never passes the first pending event. So after a restart every unfinished event is
//! delivered, and some finished ones again.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::consumer::{Consumer, ConsumerId, ConsumerName};
use super::measure::Measure;
use super::message::Message;
use super::settings::{Settings, Strategy};
use super::strategy;

/// As on a server: an answer is accepted until the next check for late events. Clients that send
/// answers in batches rely on it.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How many waiting events are examined to find one for a free consumer.
const LOOK_AHEAD: usize = 1024;
/// How many events a group may hold whatever its settings, and about how many bytes.
const MAX_HELD: usize = 4096;
const MAX_BYTES: usize = 16 << 20;

/// What a consumer wants done with an event that it cannot process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nack {
    Retry,
    Park,
    Skip,
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
    /// Read, and not delivered yet.
    waiting: VecDeque<Message>,
    /// Delivered before, and to be delivered again. These go first.
    again: VecDeque<Message>,
    in_flight: HashMap<Uuid, InFlight>,
    /// To be parked, with the reason.
    to_park: Vec<(Message, String)>,
    /// The size of all pending events.
    bytes: usize,
    pending: BTreeSet<u64>,
    pending_parked: BTreeSet<u64>,
    /// The last place that was read, whether or not its event was wanted.
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

    /// Adds events that were read, and notes the last place that was examined.
    pub(super) fn take(&mut self, messages: Vec<Message>, last_read: Option<u64>) {
        for message in messages {
            self.bytes += message.size();
            self.pending.extend(message.place);
            self.pending_parked.extend(message.parked_at);
            // Parked events go before new ones.
            if message.parked_at.is_some() { self.again.push_back(message) } else { self.waiting.push_back(message) }
        }
        self.last_read = last_read.max(self.last_read);
    }

    /// Adds a consumer. Refused if the group has the largest allowed number.
    pub(super) fn connect(&mut self, id: ConsumerId, who: ConsumerName, slots: usize, now: Instant) -> bool {
        let most = self.settings.max_subscriber_count as usize;
        if most > 0 && self.consumers.len() >= most {
            return false;
        }
        let ConsumerName { from, name } = who;
        let measure = Measure::new(now);
        self.consumers.push(Consumer { id, from, name, slots: slots.max(1), in_flight: 0, measure });
        true
    }

    /// A consumer has left. Its events go to other consumers.
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

    /// Takes back events whose consumers did not answer in time.
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

    /// When the next event is late, if its consumer does not answer before.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.in_flight.values().filter_map(|flight| flight.deadline).min()
    }

    /// Delivers as many events as consumers have room for.
    pub(super) fn dispatch(&mut self, now: Instant) -> Vec<(ConsumerId, Message)> {
        let mut handed_out = Vec::new();
        for again in [true, false] {
            let mut index = 0;
            loop {
                let queue = if again { &self.again } else { &self.waiting };
                if index >= queue.len().min(LOOK_AHEAD) || self.consumers.iter().all(|one| one.in_flight >= one.slots) {
                    break;
                }
                // Two events may have the same id. Consumers answer by id, so only one of them is
                // delivered at a time.
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
        let deadline = self.settings.message_timeout().map(|timeout| self.next_check(now + timeout));
        self.in_flight.insert(message.id, InFlight { message: message.clone(), consumer, sent: now, deadline });
        message
    }

    /// The first check for late events at or after this moment.
    fn next_check(&self, at: Instant) -> Instant {
        let since = at.saturating_duration_since(self.began);
        let checks = since.as_nanos().div_ceil(CHECK_INTERVAL.as_nanos());
        self.began + CHECK_INTERVAL * u32::try_from(checks).unwrap_or(u32::MAX)
    }

    fn land(&mut self, consumer: ConsumerId, id: Uuid) -> Option<Message> {
        // An answer that arrives after the event was taken back is ignored.
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

    /// Takes the events that are to be parked. If one cannot be parked, the caller returns it with
    /// [`Self::keep`].
    pub(super) fn take_to_park(&mut self) -> Vec<(Message, String)> {
        std::mem::take(&mut self.to_park)
    }

    /// An event could not be parked: it is delivered again.
    pub(super) fn keep(&mut self, message: Message) {
        self.again.push_back(message);
    }

    /// An event is finished.
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

    /// The first unfinished event among the parked events that were delivered again.
    pub(super) fn first_parked_pending(&self) -> Option<u64> {
        self.pending_parked.first().copied()
    }

    /// The place up to which every event is finished.
    pub(super) fn finished_through(&self) -> Option<u64> {
        match self.pending.first() {
            Some(first) => first.checked_sub(1).max(self.checkpoint),
            None => self.last_read,
        }
    }

    /// The checkpoint to write now, if any.
    pub(super) fn checkpoint_due(&self, now: Instant) -> Option<u64> {
        let place = self.finished_through().filter(|place| Some(*place) > self.checkpoint)?;
        let enough = self.since_checkpoint >= self.settings.max_check_point_count.max(1);
        let some = self.since_checkpoint >= self.settings.min_check_point_count.max(1);
        (enough || (some && now >= self.checkpoint_time())).then_some(place)
    }

    /// The next time at which a checkpoint may be due.
    pub(super) fn checkpoint_time(&self) -> Instant {
        self.checkpointed + Duration::from_millis(self.settings.check_point_after.into())
    }

    /// Whether a checkpoint is due as soon as enough time has passed.
    pub(super) fn waits_for_checkpoint(&self) -> bool {
        self.since_checkpoint >= self.settings.min_check_point_count.max(1) && self.finished_through() > self.checkpoint
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
