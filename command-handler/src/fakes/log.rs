//! A log in memory, with the semantics of the real one, and with the trouble that a real one makes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use chrono::DateTime;
use event_store::{AppendError, Appended, Expected, NewEvent, Position, ReadError, RecordedEvent, StreamLimits};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::gate::Gate;
use super::life::Life;
use crate::lock::lock;
use crate::log::Log;

/// The log of a world, as one instance (or the test itself) reaches it.
#[derive(Debug, Clone)]
pub struct SimulatedLog {
    streams: Arc<Mutex<Streams>>,
    weather: Arc<Mutex<Weather>>,
    calls: Arc<Mutex<Calls>>,
    life: Life,
}

/// How often instances called the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// Reads of events.
    pub reads: usize,
    /// Reads of a stream's metadata.
    pub limits: usize,
    /// Appends.
    pub appends: usize,
}

/// What happens to an append.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// It fails, and nothing is appended.
    Unavailable,
    /// It is refused for its size.
    TooLarge,
    /// The append succeeds, but its caller receives "unavailable".
    ReplyLost,
    /// It is carried out once the gate opens.
    HeldBack(Gate),
    /// It is carried out at once, and answered once the gate opens.
    ReplyHeldBack(Gate),
}

#[derive(Debug, Default)]
struct Weather {
    down: bool,
    /// Calls about streams whose names begin with this are never answered.
    frozen: Option<String>,
    /// For the next append that has an event of that type.
    awaited: Vec<(&'static str, Trouble)>,
    /// For the next read.
    slow_reads: Vec<Gate>,
    /// The dice that say how long a call takes.
    dawdling: Option<StdRng>,
}

impl SimulatedLog {
    pub fn new() -> Self {
        Self { streams: Arc::default(), weather: Arc::default(), calls: Arc::default(), life: Life::long() }
    }

    /// As an instance reaches it.
    pub fn of(&self, life: &Life) -> Self {
        Self { life: life.clone(), ..self.clone() }
    }

    /// The log goes down, or comes back.
    pub fn set_down(&self, down: bool) {
        lock(&self.weather).down = down;
    }

    /// From now on, no call about a stream whose name begins with this is answered.
    pub fn freeze(&self, prefix: &str) {
        lock(&self.weather).frozen = Some(prefix.to_owned());
    }

    async fn unless_frozen(&self, stream: &str) {
        let is_frozen = lock(&self.weather).frozen.as_ref().is_some_and(|prefix| stream.starts_with(prefix));
        if is_frozen {
            std::future::pending::<()>().await;
        }
    }

    /// What happens to the next append that has an event of this type.
    pub fn trouble(&self, event_type: &'static str, trouble: Trouble) {
        lock(&self.weather).awaited.push((event_type, trouble));
    }

    /// Holds back the next append that has an event of this type.
    pub fn hold_back(&self, event_type: &'static str) -> Gate {
        let gate = Gate::default();
        self.trouble(event_type, Trouble::HeldBack(gate.clone()));
        gate
    }

    /// Has the next read answered only once the gate opens, with what is there when it is made.
    pub fn hold_back_read(&self) -> Gate {
        let gate = Gate::default();
        lock(&self.weather).slow_reads.push(gate.clone());
        gate
    }

    /// From now on, all calls take more or less long.
    pub fn dawdle_from_now_on(&self, seed: u64) {
        lock(&self.weather).dawdling = Some(StdRng::seed_from_u64(seed));
    }

    /// The calls since `take_calls` was last called.
    pub fn take_calls(&self) -> Calls {
        std::mem::take(&mut lock(&self.calls))
    }

    /// Everything in a stream.
    pub fn stream(&self, name: &str) -> Vec<RecordedEvent> {
        lock(&self.streams).by_name.get(name).cloned().unwrap_or_default()
    }

    /// Events of a stream, from the first that is named, at most so many.
    pub fn page(&self, name: &str, from: usize, max: usize) -> Vec<RecordedEvent> {
        let streams = lock(&self.streams);
        let hidden = streams.limits.get(name).and_then(|limits| limits.truncate_before);
        let first = hidden.max(streams.gone.get(name).copied()).unwrap_or(0);
        let first = from.max(usize::try_from(first).unwrap());
        streams.by_name.get(name).into_iter().flatten().skip(first).take(max).cloned().collect()
    }

    /// How many events a stream has.
    pub fn length(&self, name: &str) -> usize {
        lock(&self.streams).by_name.get(name).map_or(0, Vec::len)
    }

    /// The names of the streams that begin like that.
    pub fn names(&self, prefix: &str) -> Vec<String> {
        lock(&self.streams).by_name.keys().filter(|name| name.starts_with(prefix)).cloned().collect()
    }

    /// Takes a stream away, as if it had never been.
    pub fn remove(&self, stream: &str) {
        lock(&self.streams).by_name.remove(stream);
    }

    /// An operator of the log sets a stream's metadata.
    pub fn set_metadata(&self, stream: &str, metadata: &str) {
        let mut streams = lock(&self.streams);
        streams.limits.insert(stream.to_owned(), StreamLimits::in_metadata(metadata.as_bytes()));
    }

    /// An operator of the log deletes a stream, so that it can be restored.
    pub fn delete(&self, stream: &str) {
        self.set_metadata(stream, r#"{"$tb":9223372036854775807}"#);
    }

    /// An operator of the log deletes a stream for good.
    pub fn tombstone(&self, stream: &str) {
        lock(&self.streams).tombstones.insert(stream.to_owned());
    }

    /// A scavenge removes the first events of a stream, and leaves no record of them.
    pub fn scavenge_before(&self, stream: &str, revision: u64) {
        lock(&self.streams).gone.insert(stream.to_owned(), revision);
    }

    /// Appends whatever the weather.
    pub fn put(&self, stream: &str, expected: Expected, events: &[NewEvent]) -> Result<Appended, AppendError> {
        lock(&self.streams).append(stream, expected, events)
    }

    fn weather_for(&self, events: &[NewEvent]) -> Option<Trouble> {
        let mut weather = lock(&self.weather);
        if weather.down {
            return Some(Trouble::Unavailable);
        }
        let concerns = |(event_type, _): &(&str, Trouble)| events.iter().any(|event| event.event_type == *event_type);
        let index = weather.awaited.iter().position(concerns)?;
        Some(weather.awaited.remove(index).1)
    }

    /// Whether a stream can be read.
    fn readable(&self, stream: &str) -> Result<(), ReadError> {
        if lock(&self.weather).down {
            return Err(ReadError::Unavailable("as the test has it".to_owned()));
        }
        if lock(&self.streams).tombstones.contains(stream) {
            return Err(ReadError::StreamDeleted(stream.to_owned()));
        }
        Ok(())
    }

    /// Lets others go first, more or less often.
    async fn dawdle(&self) {
        let rounds = lock(&self.weather).dawdling.as_mut().map_or(0, |dice| dice.random_range(0..4));
        for _ in 0..rounds {
            tokio::task::yield_now().await;
        }
    }
}

fn unavailable() -> AppendError {
    AppendError::Unavailable("as the test has it".to_owned())
}

impl Log for SimulatedLog {
    async fn read(&self, stream: &str, from: u64, max: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        lock(&self.calls).reads += 1;
        self.unless_frozen(stream).await;
        let call = async {
            self.dawdle().await;
            self.readable(stream)?;
            let page = self.page(stream, usize::try_from(from).unwrap(), max);
            let slow = lock(&self.weather).slow_reads.pop();
            if let Some(gate) = slow {
                gate.pass().await;
            }
            self.dawdle().await;
            Ok::<_, ReadError>(page)
        };
        self.life.lead(call).await
    }

    async fn limits(&self, stream: &str) -> Result<StreamLimits, ReadError> {
        lock(&self.calls).limits += 1;
        self.unless_frozen(stream).await;
        self.readable(stream)?;
        Ok(lock(&self.streams).limits.get(stream).copied().unwrap_or_default())
    }

    async fn append(&self, stream: &str, expected: Expected, events: Vec<NewEvent>) -> Result<Appended, AppendError> {
        lock(&self.calls).appends += 1;
        self.unless_frozen(stream).await;
        let call = async {
            self.dawdle().await;
            let trouble = self.weather_for(&events);
            match &trouble {
                Some(Trouble::Unavailable) => return Err(unavailable()),
                Some(Trouble::TooLarge) => return Err(AppendError::TooLarge("as the test has it".to_owned())),
                Some(Trouble::HeldBack(gate)) => gate.pass().await,
                Some(Trouble::ReplyLost | Trouble::ReplyHeldBack(_)) | None => {}
            }
            let result = self.put(stream, expected, &events);
            match &trouble {
                Some(Trouble::ReplyLost) => return Err(unavailable()),
                Some(Trouble::ReplyHeldBack(gate)) => gate.pass().await,
                Some(Trouble::Unavailable | Trouble::TooLarge | Trouble::HeldBack(_)) | None => {}
            }
            self.dawdle().await;
            result
        };
        self.life.lead(call).await
    }
}

#[derive(Debug, Default)]
struct Streams {
    by_name: BTreeMap<String, Vec<RecordedEvent>>,
    /// The limits that the metadata of streams set.
    limits: BTreeMap<String, StreamLimits>,
    /// The first revisions of streams whose first events are gone.
    gone: BTreeMap<String, u64>,
    tombstones: BTreeSet<String>,
    end: u64,
}

impl Streams {
    fn append(&mut self, stream: &str, expected: Expected, events: &[NewEvent]) -> Result<Appended, AppendError> {
        if self.tombstones.contains(stream) {
            return Err(AppendError::StreamDeleted(stream.to_owned()));
        }
        let existing = self.by_name.entry(stream.to_owned()).or_default();
        let repeated = |there: &&RecordedEvent| events.iter().any(|event| event.id == there.id);
        if let (Expected::Any, Some(last)) = (expected, existing.iter().rfind(repeated)) {
            return Ok(Appended { revision: last.revision, position: last.position });
        }
        let actual = u64::try_from(existing.len()).unwrap().checked_sub(1);
        let deleted = self.limits.get(stream).is_some_and(StreamLimits::is_deleted);
        let fits = match expected {
            Expected::Any => true,
            Expected::NoStream => actual.is_none() || deleted,
            Expected::Exists => actual.is_some(),
            Expected::Revision(revision) => actual == Some(revision),
        };
        if !fits {
            // The very same events at the very same place: an append that was made before.
            let place = match expected {
                Expected::Revision(revision) => usize::try_from(revision).unwrap() + 1,
                Expected::Any | Expected::NoStream | Expected::Exists => 0,
            };
            let there = existing.get(place..place + events.len()).unwrap_or_default();
            return match there.last() {
                Some(last) if there.iter().map(|e| e.id).eq(events.iter().map(|e| e.id)) => {
                    Ok(Appended { revision: last.revision, position: last.position })
                }
                _ => Err(AppendError::WrongExpectedRevision { stream: stream.to_owned(), expected, actual }),
            };
        }
        if deleted {
            // The append recreates the stream, from its next revision on.
            let limits = StreamLimits { truncate_before: Some(existing.len() as u64), ..StreamLimits::default() };
            self.limits.insert(stream.to_owned(), limits);
        }
        for event in events {
            self.end += 100;
            existing.push(RecordedEvent {
                id: event.id,
                stream: stream.to_owned(),
                revision: u64::try_from(existing.len()).unwrap(),
                position: Position { commit: self.end, prepare: self.end },
                event_type: event.event_type.clone(),
                data: Bytes::clone(&event.data),
                metadata: Bytes::clone(&event.metadata),
                created: DateTime::UNIX_EPOCH,
            });
        }
        let last = existing.last().unwrap();
        Ok(Appended { revision: last.revision, position: last.position })
    }
}
