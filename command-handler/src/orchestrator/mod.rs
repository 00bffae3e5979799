//! The orchestrator: takes commands, and gives every order that something is happening to one driver.
//!
//! Within an instance, all that concerns an order goes through its driver, one thing after another. Between instances, the
//! expected revision of each append decides: whoever loses reads on and decides again.

pub(crate) mod results;
pub(crate) mod shared;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::ids::OrderId;
use domain::order::{Command, DecideError, LateRefusal, NewOrder, Operate, Place, Refusal, Signal};
use domain::workflow::Workflow;
use event_store::{AppendError, Position};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::clock::Clock;
use crate::deciding::decided;
use crate::driver::Driver;
use crate::driver::message::{Message, Placed, Start};
use crate::keys::CustomerKeys;
use crate::lock::lock;
use crate::log::Log;
use crate::orders::{Cause, LoadError, LoadedOrder, Lost, Orders, SaveError, Saved, Unreadable};
use crate::participants::Participants;
use crate::resting::Resting;
use crate::workflows::Workflows;
pub use results::{Accepted, Claim, CommandError, PlaceError};
pub use shared::OrchestratorOptions;
use shared::Shared;

/// How long an instance that is leaving may take to record what it hands over.
const MAX_HAND_OVER: Duration = Duration::from_secs(3);
/// How many messages wait for one order's driver.
const INBOX: usize = 16;

/// Where the id of an order that is placed comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdOrigin {
    /// A client chose it, or an earlier request had it: the order may have been placed before.
    Given,
    /// This very request generated it.
    Generated,
}

/// No driver is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// Drives orders. Cheap to clone.
#[derive(Debug)]
pub struct Orchestrator<L, P, C>(pub(crate) Arc<Shared<L, P, C>>);

impl<L, P, C> Clone for Orchestrator<L, P, C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<L: Log, P: Participants, C: Clock> Orchestrator<L, P, C> {
    /// An orchestrator on these ports.
    pub fn new(log: L, participants: P, keys: Arc<dyn CustomerKeys>, clock: C, options: OrchestratorOptions) -> Self {
        Self(Arc::new(Shared {
            orders: Orders::new(log.clone(), clock.clone(), keys),
            workflows: Workflows::new(log, clock.clone()),
            participants,
            clock,
            shutdown: CancellationToken::new(),
            last_call: CancellationToken::new(),
            broken: Mutex::default(),
            drivers: Mutex::default(),
            resting: Mutex::new(Resting::new(options.max_resting)),
            permits: Arc::new(Semaphore::new(options.max_active)),
            reserve: Arc::new(Semaphore::new(options.reserve)),
            tasks: TaskTracker::new(),
            options,
        }))
    }

    /// The registered definitions.
    pub fn workflows(&self) -> &Workflows<L, C> {
        &self.0.workflows
    }

    /// Whoever acts.
    pub fn participants(&self) -> &P {
        &self.0.participants
    }

    /// Time and dice.
    pub fn clock(&self) -> &C {
        &self.0.clock
    }

    /// How far the log goes that this instance has written about orders.
    pub(crate) fn last_saved(&self) -> Option<Position> {
        self.0.orders.last_saved()
    }

    /// How many orders this instance completed without the result that their workflow describes.
    pub fn failed_results(&self) -> u64 {
        self.0.orders.failed_results()
    }

    /// How many more orders may be driven at once.
    pub fn free(&self) -> usize {
        self.0.permits.available_permits()
    }

    /// Whether there is room for work that others should not have to wait for.
    pub(crate) fn has_room(&self) -> bool {
        self.free() >= self.0.options.max_active / 4
    }

    /// Places an order as [`Placing`](crate::placing::Placing) does it, under a given id.
    #[cfg(test)]
    pub async fn place(
        &self,
        order_id: OrderId,
        order: NewOrder,
        traceparent: Option<Arc<str>>,
    ) -> Result<Accepted, PlaceError> {
        let workflow = self.workflow_for(&order).await?;
        self.place_on(workflow, order_id, IdOrigin::Given, order, traceparent).await
    }

    /// The definition that a new order follows.
    pub(crate) async fn workflow_for(&self, order: &NewOrder) -> Result<Arc<Workflow>, PlaceError> {
        let workflow = self.0.workflows.latest(&order.workflow).await.map_err(|e| PlaceError::Failed(e.to_string()))?;
        workflow.ok_or_else(|| PlaceError::UnknownWorkflow(order.workflow.clone()))
    }

    /// Takes an order: once this returns, it is in the log and will come to its end. The same order
    /// again gives the same answer. The stream of an id that was generated just now cannot have been
    /// deleted, so the log is not asked about it.
    pub(crate) async fn place_on(
        &self,
        workflow: Arc<Workflow>,
        order_id: OrderId,
        origin: IdOrigin,
        order: NewOrder,
        traceparent: Option<Arc<str>>,
    ) -> Result<Accepted, PlaceError> {
        let permit = self.permit().map_err(|Full| PlaceError::Overloaded)?;
        if origin == IdOrigin::Given {
            self.0.orders.require_whole(&order_id).await?;
        }
        if let Some(cannot) = self.0.participants.without_address(&workflow).into_iter().next() {
            // An order that was placed before gets the same answer again, even if its participants cannot be asked now.
            if origin == IdOrigin::Generated || !matches!(self.0.orders.load(&order_id).await, Ok(Some(_))) {
                return Err(PlaceError::NoAddress { workflow: workflow.name.clone(), cannot });
            }
        }
        let place = Place { order_id: order_id.clone(), order, now: self.0.clock.now() };
        let command = Command::Place(Box::new(place));
        let (events, state) = match decided(&workflow, None, &command, self.0.options.limits).await {
            Ok(decided) => decided,
            Err(DecideError::Refused(refusal @ Refusal::TooLarge { .. })) => {
                return Err(PlaceError::TooLarge(refusal.to_string()));
            }
            Err(DecideError::Refused(refusal)) => return Err(refusal.into()),
            Err(error @ DecideError::Inconsistent(_)) => return Err(PlaceError::Failed(error.to_string())),
        };
        let (placed, count) = (state.placed.clone(), events.len() as u64);
        let cause = Cause { traceparent, ..Cause::default() };
        match self.0.orders.save(&order_id, None, (&events, state), &cause).await {
            // The stream was deleted after it was found whole: the order does not begin at revision 0.
            Ok(Saved { order, .. }) if order.revision >= count => {
                let begins_at = order.revision + 1 - count;
                Err(PlaceError::from(LoadError::Incomplete {
                    stream: order_id.stream(),
                    lost: Lost::BeginsAt(begins_at),
                }))
            }
            Ok(Saved { order, late }) => {
                let (revision, position) = (order.revision, order.position);
                let accepted = Accepted { order_id: order_id.clone(), revision, position };
                self.begin(order_id, Placed { order, workflow, events }, late, permit);
                Ok(accepted)
            }
            Err(SaveError::Append(AppendError::WrongExpectedRevision { .. })) => {
                self.placed_before(order_id, &placed.fingerprint).await
            }
            Err(SaveError::Append(AppendError::TooLarge(how))) => {
                Err(PlaceError::TooLarge(format!("the order is too large for the log: {how}")))
            }
            Err(SaveError::Append(AppendError::StreamDeleted(stream))) => {
                Err(PlaceError::from(LoadError::Incomplete { stream, lost: Lost::Tombstoned }))
            }
            Err(error) => Err(PlaceError::Failed(error.to_string())),
        }
    }

    async fn placed_before(&self, order_id: OrderId, fingerprint: &str) -> Result<Accepted, PlaceError> {
        match self.0.orders.load(&order_id).await {
            Ok(Some(LoadedOrder { unreadable: Some(why), .. })) if why != Unreadable::Erased => {
                Err(PlaceError::Unreadable(order_id, why.to_string()))
            }
            Ok(Some(order)) if order.state.placed.fingerprint == fingerprint => {
                Ok(Accepted { order_id, revision: order.placed.revision, position: order.placed.position })
            }
            Ok(Some(_)) => Err(PlaceError::OtherContent(order_id)),
            Ok(None) => Err(PlaceError::Failed(format!("the stream of order {order_id} exists and has no events"))),
            Err(error) => Err(error.into()),
        }
    }

    /// The personal data of an order.
    pub async fn personal_data(&self, order_id: &OrderId) -> Result<Claim, CommandError> {
        match self.0.orders.load(order_id).await {
            Ok(Some(LoadedOrder { unreadable: Some(Unreadable::Erased), .. })) => Ok(Claim::Erased),
            Ok(Some(LoadedOrder { unreadable: Some(why), .. })) => Ok(Claim::Unreadable(why.to_string())),
            Ok(Some(order)) => Ok(Claim::Readable(order.state.placed.personal.clone())),
            Ok(None) => Err(CommandError::UnknownOrder(order_id.clone())),
            Err(error) => Err(CommandError::from(&error)),
        }
    }

    /// Takes a later answer: a participant's, or a person's.
    pub async fn signal(&self, order_id: OrderId, signal: Signal) -> Result<Accepted, CommandError> {
        let cause = Cause::answer_to(&signal.step, signal.direction);
        self.command(order_id, Command::Signal(signal), cause).await
    }

    /// Takes the answer of a person, who is recorded with it.
    pub async fn signal_by(
        &self,
        order_id: OrderId,
        signal: Signal,
        actor: String,
        reason: Option<String>,
    ) -> Result<Accepted, CommandError> {
        let cause = Cause::answer_to(&signal.step, signal.direction).by(actor, reason);
        self.command(order_id, Command::Signal(signal), cause).await
    }

    /// Takes a participant's later "no".
    pub async fn refuse(&self, order_id: OrderId, refusal: LateRefusal) -> Result<Accepted, CommandError> {
        let cause = Cause::answer_to(&refusal.step, refusal.direction);
        self.command(order_id, Command::Refuse(refusal), cause).await
    }

    /// Does what an operator wishes.
    pub async fn operate(&self, order_id: OrderId, operate: Operate) -> Result<Accepted, CommandError> {
        let cause = Cause::attributed_to(&operate.actor, &operate.reason);
        self.command(order_id, Command::Operate(operate), cause).await
    }

    async fn command(&self, order_id: OrderId, command: Command, cause: Cause) -> Result<Accepted, CommandError> {
        let (answer, answered) = oneshot::channel();
        let message = Message::Command(Box::new(command), cause, answer);
        self.deliver(order_id, message).map_err(|Full| CommandError::Overloaded)?;
        answered.await.unwrap_or_else(|_| Err(CommandError::Failed("the instance is shutting down".to_owned())))
    }

    /// Has somebody look at an order that the to-do list says is due.
    pub(crate) fn wake(&self, order_id: OrderId) -> Result<(), Full> {
        self.deliver(order_id, Message::Wake)
    }

    /// Orders that were due and cannot be driven, for the to-do list to put off.
    pub(crate) fn take_put_off(&self) -> Vec<OrderId> {
        lock(&self.0.broken).take()
    }

    /// Orders that were due and only wait for participants without an address here.
    pub(crate) fn take_without_address(&self) -> Vec<OrderId> {
        lock(&self.0.broken).take_without_address()
    }

    /// Begins nothing new, and gives what is under way so long to be answered. What is left is handed over, by the log and the
    /// to-do list.
    pub async fn shutdown(&self, patience: Duration) {
        self.0.shutdown.cancel();
        self.0.tasks.close();
        if tokio::time::timeout(patience, self.0.tasks.wait()).await.is_ok() {
            return;
        }
        self.0.last_call.cancel();
        if tokio::time::timeout(MAX_HAND_OVER, self.0.tasks.wait()).await.is_err() {
            warn!(
                orders = self.0.tasks.len(),
                "left without handing over: attempts under way will count as lost and be made again"
            );
        }
    }

    /// Has an order driven that was just placed.
    fn begin(&self, order_id: OrderId, placed: Placed, late: bool, permit: OwnedSemaphorePermit) {
        let mut drivers = lock(&self.0.drivers);
        let inbox = match drivers.get(&order_id).filter(|inbox| !inbox.is_closed()) {
            // Others heard of the order before its taker did.
            Some(inbox) => inbox.clone(),
            None if late => self.start(&mut drivers, order_id, Start::Asked, permit),
            None => return drop(self.start(&mut drivers, order_id, Start::Placed(Box::new(placed)), permit)),
        };
        // Were there no room, the attempts would count as lost.
        drop(inbox.try_send(Message::Placed(placed.events)));
    }

    /// Hands a message to the order's driver; starts one if there is none.
    fn deliver(&self, order_id: OrderId, message: Message) -> Result<(), Full> {
        let mut drivers = lock(&self.0.drivers);
        let message = match drivers.get(&order_id) {
            None => message,
            Some(inbox) => match inbox.try_send(message) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => return Err(Full),
                // Its driver broke down: another one takes the order over.
                Err(TrySendError::Closed(message)) => message,
            },
        };
        let permit = match &message {
            Message::Command(command, ..) if matches!(**command, Command::Operate(_)) => self.permit_for_operator()?,
            Message::Command(..) | Message::Wake | Message::Placed(_) => self.permit()?,
        };
        let inbox = self.start(&mut drivers, order_id, Start::Asked, permit);
        inbox.try_send(message).map_err(|_| Full)
    }

    fn start(
        &self,
        drivers: &mut HashMap<OrderId, mpsc::Sender<Message>>,
        order_id: OrderId,
        start: Start,
        permit: OwnedSemaphorePermit,
    ) -> mpsc::Sender<Message> {
        let (inbox, messages) = mpsc::channel(INBOX);
        drivers.insert(order_id.clone(), inbox.clone());
        let driver = Driver::new(self.0.clone(), order_id, messages);
        // Boxed, since a runtime moves a task several times until it is done, and this one has 11 KiB.
        self.0.tasks.spawn(Box::pin(async move {
            driver.run(start).await;
            drop(permit);
        }));
        inbox
    }

    fn permit_for_operator(&self) -> Result<OwnedSemaphorePermit, Full> {
        if self.0.shutdown.is_cancelled() {
            return Err(Full);
        }
        self.permit().or_else(|Full| self.0.reserve.clone().try_acquire_owned().map_err(|_| Full))
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, Full> {
        if self.0.shutdown.is_cancelled() {
            return Err(Full);
        }
        self.0.permits.clone().try_acquire_owned().map_err(|_| Full)
    }
}
