//! The ports as one instance has them: the clock that it believes, the log and the participants
//! over a network.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{SubsecRound, TimeDelta};
use domain::Timestamp;
use domain::order::{Now, Reply};
use domain::testing::unclear;
use domain::workflow::Participant;
use event_store::{AppendError, Appended, Expected, NewEvent, Position, ReadError, RecordedEvent, StreamLimits};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use uuid::{Builder, Uuid};

use super::bug::Bug;
use super::faults::Fault;
use super::network::exchange;
use super::record::Asked;
use super::response::Response;
use super::services::Services;
use super::simulation::Simulation;
use crate::clock::Clock;
use crate::fakes::life::Life;
use crate::log::Log;
use crate::participants::{ActionRequest, NotSent, Participants};

/// What an instance is, as far as its ports are concerned.
#[derive(Debug, Clone)]
pub struct Being {
    pub simulation: Simulation,
    pub name: Arc<str>,
    pub life: Life,
    /// How far its clock is ahead of the true time, in milliseconds.
    pub ahead_ms: Arc<AtomicI64>,
}

impl Being {
    /// The time that it believes.
    pub fn time(&self) -> Timestamp {
        let ahead = TimeDelta::milliseconds(self.ahead_ms.load(Ordering::Relaxed));
        (self.simulation.now() + ahead).trunc_subsecs(3)
    }
}

impl Clock for Being {
    fn now(&self) -> Now {
        Now { at: self.time(), jitter: self.simulation.dice.fraction() }
    }

    fn id(&self) -> Uuid {
        let milliseconds = u64::try_from(self.time().timestamp_millis()).expect("later than 1970");
        Builder::from_unix_timestamp_millis(milliseconds, &self.simulation.dice.bytes()).into_uuid()
    }

    async fn sleep_until(&self, moment: Timestamp) {
        // As a real one: a clock that is set meanwhile changes nothing about the wait.
        let wait = (moment - self.time()).to_std().unwrap_or(Duration::ZERO);
        self.life.lead(sleep(wait)).await;
    }
}

/// The log, as an instance reaches it.
#[derive(Debug, Clone)]
pub struct RemoteLog(pub Being);

fn unavailable() -> AppendError {
    AppendError::Unavailable("as chance has it".to_owned())
}

impl Log for RemoteLog {
    async fn read(&self, stream: &str, from: u64, max: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        let simulation = &self.0.simulation;
        let call = async {
            simulation.travel().await;
            if simulation.happens(Fault::ReadFailure) {
                return Err(ReadError::Unavailable("as chance has it".to_owned()));
            }
            let page = simulation.log.page(stream, usize::try_from(from).unwrap(), max);
            simulation.travel().await;
            Ok(page)
        };
        self.0.life.lead(call).await
    }

    async fn limits(&self, stream: &str) -> Result<StreamLimits, ReadError> {
        self.0.life.lead(self.0.simulation.log.limits(stream)).await
    }

    async fn append(&self, stream: &str, expected: Expected, events: Vec<NewEvent>) -> Result<Appended, AppendError> {
        self.0.life.lead(self.send_append(stream.to_owned(), expected, events)).await
    }
}

impl RemoteLog {
    async fn send_append(
        &self,
        stream: String,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, AppendError> {
        let simulation = self.0.simulation.clone();
        let hasty = (simulation.bug == Some(Bug::PerformsBeforeAppending)).then(|| as_if_done(expected, events.len()));
        if simulation.happens(Fault::AppendFailure) {
            simulation.travel().await;
            return hasty.ok_or_else(unavailable);
        }
        let is_late = simulation.happens(Fault::AppendLate);
        let (answer, answered) = oneshot::channel();
        let name = self.0.name.clone();
        // What was sent is on its way, whatever becomes of the sender.
        tokio::spawn(async move {
            simulation.travel().await;
            if is_late {
                sleep(simulation.dice.up_to(Duration::from_secs(20))).await;
            }
            let result = simulation.write(&stream, expected, &events);
            let types: Vec<&str> = events.iter().map(|event| event.event_type.as_str()).collect();
            simulation.tell(format_args!("{name} appends {types:?} to {stream}: {result:?}"));
            simulation.travel().await;
            let unknown = simulation.happens(Fault::AppendUnknown);
            // The caller may be gone. Then the answer is dropped.
            let _ = answer.send(if unknown { Err(unavailable()) } else { result });
        });
        match hasty {
            Some(appended) => Ok(appended),
            None if is_late => Err(unavailable()),
            None => answered.await.unwrap_or_else(|_| Err(unavailable())),
        }
    }
}

/// What an append would give that went well.
fn as_if_done(expected: Expected, count: usize) -> Appended {
    let count = u64::try_from(count).unwrap();
    let revision = match expected {
        Expected::Revision(revision) => revision + count,
        Expected::Any | Expected::NoStream | Expected::Exists => count - 1,
    };
    Appended { revision, position: Position { commit: 0, prepare: 0 } }
}

/// The participants, as an instance reaches them.
#[derive(Debug, Clone)]
pub struct RemoteParticipants(pub Being, pub Services);

impl Participants for RemoteParticipants {
    type Turn = ();

    async fn turn(&self, ask: &ActionRequest, _: Option<usize>) -> Result<(), NotSent> {
        self.0.life.lead(self.wait_for_turn(ask)).await
    }

    async fn ask(&self, ask: ActionRequest, (): ()) -> Reply {
        self.0.life.lead(self.send(ask)).await
    }

    fn has_room(&self, _: &Participant, _: usize) -> bool {
        true
    }
}

impl RemoteParticipants {
    /// As the real client: until the deadline on record at most.
    async fn wait_for_turn(&self, ask: &ActionRequest) -> Result<(), NotSent> {
        let simulation = &self.0.simulation;
        let left = (ask.attempt.deadline - self.0.time()).to_std().unwrap_or(Duration::ZERO);
        if self.1.are_away(&ask.order_id) {
            return Err(NotSent::NoTurn("its circuit is open".to_owned()));
        }
        if simulation.happens(Fault::LateTurn) {
            sleep(simulation.dice.up_to(left)).await;
        } else if simulation.happens(Fault::NoTurn) {
            sleep(left).await;
            return Err(NotSent::NoTurn("no turn came in time".to_owned()));
        }
        Ok(())
    }

    async fn send(&self, ask: ActionRequest) -> Reply {
        let simulation = &self.0.simulation;
        // As the real client: what is too late is not sent any more.
        let left = ask.attempt.time_left(self.0.time());
        if left.is_zero() {
            simulation.note(Fault::Timeout);
            return unclear("no answer in time");
        }
        let key = self.key(&ask);
        self.take_down(&ask, &key);
        if simulation.happens(Fault::ForeignRefusal) {
            simulation.travel().await;
            return Response::error(400, "answered 400 by something in between".to_owned()).read(&ask, simulation.bug);
        }
        let (services, asked) = (self.1.clone(), ask.clone());
        let answered = exchange(simulation, move || services.clone().serve(asked.clone(), key.clone()));
        match timeout(left, answered).await {
            Ok(Ok(Some(response))) => response.read(&ask, simulation.bug),
            Ok(Ok(None) | Err(_)) => unclear("the connection broke"),
            Err(_) => {
                simulation.note(Fault::Timeout);
                unclear("no answer in time")
            }
        }
    }

    fn key(&self, ask: &ActionRequest) -> String {
        match self.0.simulation.bug {
            Some(Bug::AKeyForEachAttempt) => format!("{}/{}", ask.idempotency_key(), ask.attempt.number),
            _ => ask.idempotency_key(),
        }
    }

    fn take_down(&self, ask: &ActionRequest, key: &str) {
        let simulation = &self.0.simulation;
        let told = match simulation.bug {
            Some(Bug::FillsPlaceholdersEverywhere) => ask.personal.fill_in(&ask.attempt.input, None),
            _ => ask.input(),
        };
        let told = told.into_owned();
        let by = &self.0.name;
        simulation.tell(format_args!("{by} asks {key} #{}: {}", ask.attempt.number, ask.action));
        let at = simulation.now();
        simulation.record(|record| {
            let events_before = record.orders.get(&ask.order_id).map_or(0, |history| history.entries.len());
            let (ask, key, by) = (ask.clone(), key.to_owned(), by.to_string());
            record.asks.push(Asked { ask, key, told, by, events_before, at });
        });
    }
}
