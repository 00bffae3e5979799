//! Orders in the log. To load an order folds its stream. To save a decision is one append at the
//! revision at which it was decided.
//!
//! A history is whole, or the order is refused. A deleted stream reads like one that never existed,
//! and only its metadata show the deletion. So the metadata are read first for each new order, each
//! command and each piece of due work. They are not read where they cannot differ: for an id that
//! the request itself generated, and within two seconds after the driver's own append. Every limit
//! in the metadata is refused, even one that hides nothing yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use chrono::TimeDelta;
use domain::ids::{OrderId, StepId};
use domain::order::{CustomerKey, Direction, Event, IllegalTransition, Order, OrderPlaced, RequestSettled, Settlement};
use domain::wire::{self, CHAIN_START, Context, Decoded, WireError};
use domain::workflow::Workflow;
use event_store::{AppendError, Expected, NewEvent, Position, ReadError, RecordedEvent, StreamLimits};
use order_stream::{FoldedOrder, OrderEvent, OrderFault, OrderStream, StreamError};
use uuid::Uuid;

use crate::clock::Clock;
use crate::keys::{CustomerKeys, KeyError};
use crate::lock::lock;
use crate::log::Log;
use crate::order_figures::{Decision, OrderFigures};
use crate::second_person::Asker;

/// After this time an append counts as late. It is less than the time after which an attempt
/// without an answer counts as lost.
pub(crate) const LATE: TimeDelta = TimeDelta::seconds(1);

/// An order, with the data that the next append needs.
#[derive(Debug, Clone)]
pub(crate) struct LoadedOrder {
    pub state: Order,
    /// Of its last event.
    pub revision: u64,
    /// Of its last event.
    pub position: Position,
    /// The append that placed the order. The answer to its placing has this position.
    pub placed: Placing,
    /// The hash of its last event.
    hash: String,
    /// The events that started the actions in progress. They are the causes of future answers.
    started: HashMap<(StepId, Direction), Uuid>,
    /// The event that split its last decision: it causes the rest.
    split: Option<Uuid>,
    /// W3C Trace Context of the order, if it came with one.
    pub traceparent: Option<Arc<str>>,
    /// Why its personal data cannot be read, if so. Participants would receive placeholders.
    pub unreadable: Option<Unreadable>,
}

/// Why the personal data of an order cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// The keys were lost, or restored from an older copy.
    #[error(
        "key {0} is missing; bring the keys back (tenuto keys import) and retry, cancel the order, or forget its customer"
    )]
    KeyMissing(Uuid),
    /// The stored bytes under this id are not the key.
    #[error("{0}; bring the right keys back (tenuto keys import) and retry, or cancel the order")]
    KeyWrong(String),
    /// Their key was destroyed, for good.
    #[error("they were erased; skip the step, or cancel the order")]
    Erased,
}

/// A decision in the log.
#[derive(Debug)]
pub(crate) struct Saved {
    /// The order after it.
    pub order: LoadedOrder,
    /// The log acknowledged the append late. Another instance may have read the order meanwhile,
    /// and continued it.
    pub late: bool,
}

/// The last event of the append that placed an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placing {
    /// The first event of the order.
    pub id: Uuid,
    pub revision: u64,
    pub position: Position,
}

impl LoadedOrder {
    /// Whether its personal data cannot be read now, but may be readable once their key is
    /// restored. Erased data never are.
    pub fn may_be_readable_later(&self) -> bool {
        match &self.unreadable {
            None | Some(Unreadable::Erased) => false,
            Some(Unreadable::KeyMissing(_) | Unreadable::KeyWrong(_)) => true,
        }
    }

    /// The event that started the action in progress of a step.
    pub fn start_of(&self, step: &str, direction: Direction) -> Option<Uuid> {
        self.started.get(&(step.to_owned(), direction)).copied()
    }
}

/// How an operator of the log has made an order's history incomplete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Lost {
    #[error("the stream was deleted for good")]
    Tombstoned,
    #[error("{0}")]
    Hidden(StreamLimits),
    #[error("its first event is revision {0}")]
    BeginsAt(u64),
    #[error("revisions {from} to {to} are missing")]
    Gap { from: u64, to: u64 },
}

/// Why an order could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Read(ReadError),
    /// Every further try fails until an operator of the log has restored the history.
    #[error(
        "the history of the order, stream {stream}, is incomplete: {lost}. Nothing is done with the order until it is restored"
    )]
    Incomplete { stream: String, lost: Lost },
    #[error(
        "event {revision} of {stream}, a {event_type:?}, was not written by Tenuto: nothing is done with the order"
    )]
    Foreign { stream: String, revision: u64, event_type: String },
    #[error("event {revision} of {stream} cannot be read: {source}")]
    Wire { stream: String, revision: u64, source: WireError },
    #[error("event {revision} of {stream} does not fit: {source}")]
    IllegalTransition { stream: String, revision: u64, source: IllegalTransition },
    #[error(transparent)]
    Keys(#[from] KeyError),
}

impl LoadError {
    /// The stream was deleted, or the log does not answer.
    fn unread(error: ReadError) -> Self {
        match error {
            ReadError::StreamDeleted(stream) => Self::Incomplete { stream, lost: Lost::Tombstoned },
            other => Self::Read(other),
        }
    }
}

impl From<OrderFault> for LoadError {
    fn from(fault: OrderFault) -> Self {
        match fault {
            OrderFault::Foreign { stream, revision, event_type, source: _ } => {
                Self::Foreign { stream, revision, event_type }
            }
            OrderFault::Undecodable { stream, revision, source } => Self::Wire { stream, revision, source },
            OrderFault::IllegalTransition { stream, revision, source } => {
                Self::IllegalTransition { stream, revision, source }
            }
            OrderFault::Missing { stream, from: 0, to } => Self::Incomplete { stream, lost: Lost::BeginsAt(to + 1) },
            OrderFault::Missing { stream, from, to } => Self::Incomplete { stream, lost: Lost::Gap { from, to } },
        }
    }
}

impl From<StreamError<ReadError>> for LoadError {
    fn from(error: StreamError<ReadError>) -> Self {
        match error {
            StreamError::Log(error) => Self::unread(error),
            StreamError::Order(fault) => fault.into(),
        }
    }
}

/// Why a decision could not be saved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SaveError {
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error("the decision cannot be written: {0}")]
    Encode(#[from] serde_json::Error),
    #[error(transparent)]
    Keys(#[from] KeyError),
}

/// The cause of a decision.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cause {
    /// The step whose start an answer belongs to.
    pub step: Option<(StepId, Direction)>,
    /// The participant that sent the answer, if it is known: only the participant of the step's
    /// action may answer it.
    pub participant: Option<String>,
    /// For the first decision: W3C Trace Context.
    pub traceparent: Option<Arc<str>>,
    /// The person who requested it, and the reason, if a person did.
    pub attribution: Option<Attribution>,
    /// For an operator's command: who sends it, if a second person may have to approve it.
    pub asker: Option<Asker>,
}

/// The person who requested a decision, and the reason.
#[derive(Debug, Clone)]
pub(crate) struct Attribution {
    actor: String,
    /// The second person, if one approved it.
    approved_by: Option<String>,
    reason: Option<String>,
}

impl Cause {
    /// The cause of an answer is the event that started the attempt.
    pub fn answer_to(step: &str, direction: Direction) -> Self {
        Self { step: Some((step.to_owned(), direction)), ..Self::default() }
    }

    /// The cause of an operation is an operator.
    pub fn attributed_to(actor: &str, reason: &str) -> Self {
        Self::default().by(actor.to_owned(), Some(reason.to_owned()))
    }

    /// The same, sent by this participant.
    pub fn of_participant(self, participant: String) -> Self {
        Self { participant: Some(participant), ..self }
    }

    /// The same, on a person's account.
    pub fn by(self, actor: String, reason: Option<String>) -> Self {
        Self { attribution: Some(Attribution { actor, approved_by: None, reason }), ..self }
    }

    /// The same, after this second person approved it.
    pub fn approved_by(mut self, second: Option<String>) -> Self {
        if let Some(attribution) = &mut self.attribution {
            attribution.approved_by = second;
        }
        self
    }

    /// The same, unless a second person has to approve it.
    pub fn asked_by(self, asker: Option<Asker>) -> Self {
        Self { asker, ..self }
    }
}

/// The orders of a log.
#[derive(Debug, Clone)]
pub(crate) struct Orders<L, C> {
    log: L,
    clock: C,
    keys: Arc<dyn CustomerKeys>,
    last_saved: Arc<Mutex<Option<Position>>>,
    figures: Arc<OrderFigures>,
}

impl<L: Log, C: Clock> Orders<L, C> {
    pub fn new(log: L, clock: C, keys: Arc<dyn CustomerKeys>) -> Self {
        Self { log, clock, keys, last_saved: Arc::default(), figures: Arc::default() }
    }

    /// The position of the last decision saved here.
    pub fn last_saved(&self) -> Option<Position> {
        *lock(&self.last_saved)
    }

    /// What is counted of them.
    pub fn figures(&self) -> &OrderFigures {
        &self.figures
    }

    /// The order, folded from its stream; `None`: it was never placed.
    pub async fn load(&self, id: &OrderId) -> Result<Option<LoadedOrder>, LoadError> {
        self.require_whole(id).await?;
        self.fold(id, None).await
    }

    /// Requires that the log has the order's complete stream. A deleted stream reads like one that
    /// never existed, and an append begins it again; only its metadata show the deletion.
    pub async fn require_whole(&self, id: &OrderId) -> Result<(), LoadError> {
        let stream = id.stream();
        let limits = self.log.limits(&stream).await.map_err(LoadError::unread)?;
        if limits.is_none() { Ok(()) } else { Err(LoadError::Incomplete { stream, lost: Lost::Hidden(limits) }) }
    }

    /// The order, with the events since it was loaded.
    pub async fn catch_up(&self, id: &OrderId, order: &LoadedOrder) -> Result<LoadedOrder, LoadError> {
        Ok(self.fold(id, Some(order.clone())).await?.unwrap_or_else(|| order.clone()))
    }

    async fn fold(&self, id: &OrderId, mut order: Option<LoadedOrder>) -> Result<Option<LoadedOrder>, LoadError> {
        let (stream, first) = (id.stream(), order.as_ref().map_or(0, |order| order.revision + 1));
        let mut events = OrderStream::new(|from, most| self.log.read(&stream, from, most)).starting_at(first);
        while let Some(OrderEvent { recorded, mut decoded }) = events.next().await? {
            self.figures.found(recorded.id);
            let mut unreadable = order.as_ref().and_then(|order| order.unreadable.clone());
            if let Event::OrderPlaced(placed) = &mut decoded.event {
                unreadable = self.open(placed).await?;
            }
            order = Some(LoadedOrder { unreadable, ..apply_recorded(order, &recorded, decoded)? });
        }
        Ok(order)
    }

    /// Opens the personal data of an order. Returns why they cannot be read, if they cannot.
    async fn open(&self, placed: &mut OrderPlaced) -> Result<Option<Unreadable>, KeyError> {
        let Some(sealed) = &placed.sealed else { return Ok(None) };
        match self.keys.by_id(sealed.key).await {
            Ok(Some(key)) => Ok(placed.open(&key).err().map(|error| Unreadable::KeyWrong(error.to_string()))),
            Ok(None) => Ok(Some(Unreadable::Erased)),
            Err(KeyError::Missing(id)) => Ok(Some(Unreadable::KeyMissing(id))),
            Err(KeyError::Wrong(error)) => Ok(Some(Unreadable::KeyWrong(error))),
            Err(error @ KeyError::Away(_)) => Err(error),
        }
    }

    /// Tries again to open personal data that could not be read, because the key may be restored.
    /// While the key store does not answer, nothing changes.
    pub async fn open_again(&self, order: &mut LoadedOrder) {
        if order.may_be_readable_later()
            && let Ok(unreadable) = self.open(Arc::make_mut(&mut order.state.placed)).await
        {
            order.unreadable = unreadable;
        }
    }

    /// The key that seals the personal data in these events, if they have any.
    async fn key_for(&self, events: &[Event]) -> Result<Option<CustomerKey>, KeyError> {
        let Some(Event::OrderPlaced(placed)) = events.first() else { return Ok(None) };
        if placed.personal.is_empty() {
            return Ok(None);
        }
        self.keys.of_customer(&placed.customer_id).await.map(Some)
    }

    /// Appends a decision by this workflow: its events, with the resulting state. `order` is `None`
    /// for the first decision. Returns the order after it.
    pub async fn save(
        &self,
        id: &OrderId,
        order: Option<&LoadedOrder>,
        (events, state): (&[Event], Order),
        workflow: &Arc<Workflow>,
        cause: &Cause,
    ) -> Result<Saved, SaveError> {
        let key = self.key_for(events).await?;
        let draft = Draft::new(id, order, events, cause, key.as_ref(), || self.clock.id())?;
        let expected = order.map_or(Expected::NoStream, |order| Expected::Revision(order.revision));
        let begun = self.clock.now().at;
        let appended = self.log.append(&id.stream(), expected, draft.events).await;
        let took = self.clock.now().at - begun;
        let decision = Decision { workflow, before: order.map(|order| &order.state), events, after: &state };
        let appended = match appended {
            Ok(appended) => appended,
            Err(error) => {
                self.figures.not_appended(&error, draft.first, &decision);
                return Err(error.into());
            }
        };
        self.figures.appended(&decision, took);
        {
            let mut last_saved = lock(&self.last_saved);
            *last_saved = (*last_saved).max(Some(appended.position));
        }
        let placed = order
            .map_or(Placing { id: draft.first, revision: appended.revision, position: appended.position }, |order| {
                order.placed
            });
        let order = LoadedOrder {
            state,
            revision: appended.revision,
            position: appended.position,
            placed,
            hash: draft.hash,
            started: draft.started,
            split: draft.split,
            traceparent: draft.traceparent,
            unreadable: order.and_then(|order| order.unreadable.clone()),
        };
        Ok(Saved { order, late: took > LATE })
    }
}

/// A decision in the form of the log, and the data of the order after it.
struct Draft {
    events: Vec<NewEvent>,
    first: Uuid,
    hash: String,
    started: HashMap<(StepId, Direction), Uuid>,
    split: Option<Uuid>,
    traceparent: Option<Arc<str>>,
}

impl Draft {
    fn new(
        id: &OrderId,
        order: Option<&LoadedOrder>,
        events: &[Event],
        cause: &Cause,
        key: Option<&CustomerKey>,
        new_id: impl Fn() -> Uuid,
    ) -> Result<Self, SaveError> {
        let first = new_id();
        let mut started = order.map(|order| order.started.clone()).unwrap_or_default();
        let mut hash = order.map_or(CHAIN_START, |order| &order.hash).to_owned();
        let traceparent = order.map_or(&cause.traceparent, |order| &order.traceparent).clone();
        // If the last decision was split, a decision without an attribution is the rest of it.
        let rest = order.and_then(|order| order.split).filter(|_| cause.attribution.is_none());
        let mut causation_id = cause.step.as_ref().map_or(rest, |step| started.get(step).copied());
        let mut split = None;
        let mut drafted = Vec::with_capacity(events.len());
        for (index, event) in events.iter().enumerate() {
            let event_id = if index == 0 { first } else { new_id() };
            // A person requested the first event. The others are its consequences, except what the
            // first one approves.
            let attribution = match index {
                0 => cause.attribution.clone(),
                1 => approved(order, events, cause.attribution.as_ref()),
                _ => None,
            };
            let context = Context {
                correlation_id: id.to_string(),
                causation_id,
                traceparent: traceparent.as_deref().map(str::to_owned),
                actor: attribution.as_ref().map(|attribution| attribution.actor.clone()),
                approved_by: attribution.as_ref().and_then(|attribution| attribution.approved_by.clone()),
                reason: attribution.and_then(|attribution| attribution.reason),
                key: key.cloned(),
            };
            let encoded = wire::encode(event, event_id, &hash, &context)?;
            hash = encoded.hash;
            note_start(&mut started, event, event_id);
            split = matches!(event, Event::DecisionSplit(_)).then_some(event_id);
            drafted.push(NewEvent {
                id: event_id,
                event_type: encoded.event_type.to_owned(),
                data: Bytes::from(encoded.data),
                metadata: Bytes::from(encoded.metadata),
            });
            // The first event causes the others of the same decision.
            causation_id = Some(first);
        }
        Ok(Self { events: drafted, first, hash, started, split, traceparent })
    }
}

/// Whose the operation is that the first event approves.
fn approved(order: Option<&LoadedOrder>, events: &[Event], second: Option<&Attribution>) -> Option<Attribution> {
    let Some(Event::RequestSettled(RequestSettled { request, how: Settlement::Approved, .. })) = events.first() else {
        return None;
    };
    let open = order?.state.requests.get(request)?;
    let (actor, reason) = (open.requested_by.clone(), Some(open.reason.clone()));
    Some(Attribution { actor, approved_by: second.map(|second| second.actor.clone()), reason })
}

fn note_start(started: &mut HashMap<(StepId, Direction), Uuid>, event: &Event, id: Uuid) {
    if let Some(start) = event.start() {
        started.insert((start.step.clone(), start.direction), id);
    }
}

fn apply_recorded(
    order: Option<LoadedOrder>,
    recorded: &RecordedEvent,
    decoded: Decoded,
) -> Result<LoadedOrder, LoadError> {
    let revision = recorded.revision;
    let (state, mut placed, mut started, traceparent) = match order {
        None => {
            let placed = Placing { id: recorded.id, revision, position: recorded.position };
            (None, placed, HashMap::new(), decoded.metadata.traceparent.as_deref().map(Arc::from))
        }
        Some(order) => (Some(order.state), order.placed, order.started, order.traceparent),
    };
    // The append that placed the order ends where an event is not caused by the first one.
    if decoded.metadata.causation_id == Some(placed.id) && revision == placed.revision + 1 {
        placed = Placing { revision, position: recorded.position, ..placed };
    }
    note_start(&mut started, &decoded.event, recorded.id);
    let split = matches!(decoded.event, Event::DecisionSplit(_)).then_some(recorded.id);
    let FoldedOrder { state, revision, position } = FoldedOrder::after(state, recorded, &decoded)?;
    Ok(LoadedOrder {
        state,
        revision,
        position,
        placed,
        hash: decoded.metadata.hash,
        started,
        split,
        traceparent,
        unreadable: None,
    })
}
