//! The orchestrator: it accepts commands, and starts one driver for each active order.
//!
//! Within an instance, all messages about an order go through its driver, one after another.
//! Between instances, the expected revision of each append decides: the instance that loses reads
//! on and decides again.

mod drivers;
pub(crate) mod results;
pub(crate) mod shared;
mod shutdown;

use std::sync::Arc;
use std::time::Duration;

use access::SecondPerson;
use domain::ids::{OrderId, StepId};
use domain::order::{
    Command, DecideError, Direction, LateRefusal, Mode, NewOrder, Operate, OrderPlaced, Place, Refusal, Settle, Signal,
    Stage,
};
use domain::workflow::Workflow;
use event_store::{AppendError, Position};
use tokio::sync::mpsc::{self, Sender};
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::deciding::decided;
use crate::driver::Driver;
use crate::driver::message::{Message, Placed, Start};
use crate::idle_orders::IdleOrders;
use crate::instruction::Instruction;
use crate::keys::CustomerKeys;
use crate::log::Log;
use crate::order_figures::OrderFigures;
use crate::orders::{Cause, LoadError, LoadedOrder, Lost, Orders, SaveError, Saved, Unreadable};
use crate::participants::Participants;
use crate::permits::Permit;
use crate::postponed::PostponedOrders;
use crate::workflows::Workflows;
pub use results::{Accepted, Claim, CommandError, NoDriver, PlaceError, WaitingRequest};
pub use shared::OrchestratorOptions;

use drivers::Drivers;
use shared::Shared;
use shutdown::Shutdown;

/// The operation whose rules also hold for answers in place of a participant.
const SKIP: &str = "skip";
/// The limit of waiting messages for one driver.
const INBOX: usize = 16;

/// The origin of the id of an order that is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdOrigin {
    /// A client chose it, or an earlier request used it: the order may have been placed before.
    Given,
    /// This request generated it.
    Generated,
}

/// Who places an order.
#[derive(Debug, Clone, Default)]
pub(crate) struct By {
    /// The principal; `None`: callers are not authenticated.
    pub placed_by: Option<String>,
    /// W3C Trace Context.
    pub traceparent: Option<Arc<str>>,
}

/// Whose an order is: the principal that placed it, and the participants that were asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Belonging {
    /// `None`: callers were not authenticated.
    pub placed_by: Option<String>,
    /// The requests that were made.
    pub asked: Vec<Asked>,
}

/// A request that was made: for the action of a step, or for its undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub step: StepId,
    pub direction: Direction,
    pub participant: String,
}

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
            drivers: Drivers::new(options.max_active, options.reserve),
            idle: IdleOrders::new(options.max_idle),
            postponed: PostponedOrders::default(),
            shutdown: Shutdown::default(),
            options,
        }))
    }

    /// The registered definitions.
    pub fn workflows(&self) -> &Workflows<L, C> {
        &self.0.workflows
    }

    /// The participants.
    pub fn participants(&self) -> &P {
        &self.0.participants
    }

    /// Time and randomness.
    pub fn clock(&self) -> &C {
        &self.0.clock
    }

    /// The position of this instance's last append.
    pub(crate) fn last_saved(&self) -> Option<Position> {
        self.0.orders.last_saved()
    }

    /// What this instance counts of orders.
    pub(crate) fn figures(&self) -> &OrderFigures {
        self.0.orders.figures()
    }

    /// From now on, this instance drives at most so many orders.
    pub(crate) fn resize(&self, max_active: usize) {
        self.0.drivers.resize(max_active);
    }

    /// How many orders this instance drives now.
    pub(crate) fn in_flight(&self) -> usize {
        self.0.drivers.len()
    }

    /// How many more drivers may start.
    pub fn free(&self) -> usize {
        self.0.drivers.free()
    }

    /// Whether enough drivers are free for work from the to-do list.
    pub(crate) fn has_room(&self) -> bool {
        self.0.drivers.has_room()
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
        let by = By { placed_by: None, traceparent };
        self.place_on(workflow, order_id, IdOrigin::Given, order, by).await
    }

    /// The definition that a new order follows.
    pub(crate) async fn workflow_for(&self, order: &NewOrder) -> Result<Arc<Workflow>, PlaceError> {
        let workflow = self.0.workflows.latest(&order.workflow).await.map_err(|e| PlaceError::Failed(e.to_string()))?;
        workflow.ok_or_else(|| PlaceError::UnknownWorkflow(order.workflow.clone()))
    }

    /// Places an order: once this returns, the order is in the log and will come to its end. The
    /// same order again gives the same answer. The stream of an id that was generated just now
    /// cannot have been deleted, so this does not check it.
    pub(crate) async fn place_on(
        &self,
        workflow: Arc<Workflow>,
        order_id: OrderId,
        origin: IdOrigin,
        order: NewOrder,
        By { placed_by, traceparent }: By,
    ) -> Result<Accepted, PlaceError> {
        let permit = self.unless_leaving(Drivers::permit)?;
        if origin == IdOrigin::Given {
            self.0.orders.require_whole(&order_id).await?;
        }
        if let Some(cannot) = self.0.participants.without_address(&workflow).into_iter().next() {
            // An order that was placed before gets the same answer again, even if its participants
            // have no address now.
            if origin == IdOrigin::Generated || !matches!(self.0.orders.load(&order_id).await, Ok(Some(_))) {
                return Err(PlaceError::NoAddress { workflow: workflow.name.clone(), cannot });
            }
        }
        let place = Place { order_id: order_id.clone(), order, placed_by, now: self.0.clock.now() };
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
        match self.0.orders.save(&order_id, None, (&events, state), &workflow, &cause).await {
            // The stream was deleted after the check: the order does not begin at revision 0.
            Ok(Saved { order, .. }) if order.revision >= count => {
                let begins_at = order.revision + 1 - count;
                Err(PlaceError::from(LoadError::Incomplete {
                    stream: order_id.stream(),
                    lost: Lost::BeginsAt(begins_at),
                }))
            }
            Ok(Saved { order, late }) => {
                let (revision, position) = (order.revision, order.position);
                let accepted = Accepted { order_id: order_id.clone(), revision, position, request: None };
                self.begin(order_id, Placed { order, workflow, events }, late, permit);
                Ok(accepted)
            }
            Err(SaveError::Append(AppendError::WrongExpectedRevision { .. })) => {
                self.placed_before(order_id, &placed).await
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

    async fn placed_before(&self, order_id: OrderId, placed: &OrderPlaced) -> Result<Accepted, PlaceError> {
        match self.0.orders.load(&order_id).await {
            Ok(Some(LoadedOrder { unreadable: Some(why), .. })) if why != Unreadable::Erased => {
                Err(PlaceError::Unreadable(order_id, why.to_string()))
            }
            // Another principal does not learn whether it is the same content.
            Ok(Some(order)) if order.state.placed.placed_by != placed.placed_by => {
                Err(PlaceError::OtherContent(order_id))
            }
            Ok(Some(order)) if order.state.placed.fingerprint == placed.fingerprint => {
                let (revision, position) = (order.placed.revision, order.placed.position);
                Ok(Accepted { order_id, revision, position, request: None })
            }
            Ok(Some(_)) => Err(PlaceError::OtherContent(order_id)),
            Ok(None) => Err(PlaceError::Failed(format!("the stream of order {order_id} exists and has no events"))),
            Err(error) => Err(error.into()),
        }
    }

    /// Whose an order is.
    pub(crate) async fn belonging(&self, order_id: &OrderId) -> Result<Belonging, CommandError> {
        let loaded = self.0.orders.load(order_id).await.map_err(|error| CommandError::from(&error))?;
        let order = loaded.ok_or_else(|| CommandError::UnknownOrder(order_id.clone()))?;
        let workflow = self.0.workflows.get(&order.state.placed.workflow).await;
        let workflow = workflow.map_err(|error| CommandError::Failed(error.to_string()))?;
        let of_step = |step: &StepId, direction| {
            let participant = order.state.asked(step, direction, workflow.as_deref())?.to_owned();
            Some(Asked { step: step.clone(), direction, participant })
        };
        let steps = order.state.steps.keys();
        let asked = steps.flat_map(|step| [Direction::Do, Direction::Undo].map(|direction| of_step(step, direction)));
        Ok(Belonging { placed_by: order.state.placed.placed_by.clone(), asked: asked.flatten().collect() })
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

    /// Whether a step waits for the answer to its last request.
    pub(crate) async fn waits_for(
        &self,
        order_id: &OrderId,
        step: &str,
        direction: Direction,
    ) -> Result<bool, CommandError> {
        match self.0.orders.load(order_id).await {
            Ok(Some(order)) => {
                let stage = order.state.steps.get(step).map(|step| step.stage);
                let waits = |stage| matches!(stage, Stage::Awaiting { direction: of, .. } | Stage::InFlight { direction: of, .. } if of == direction);
                Ok(stage.is_some_and(waits))
            }
            Ok(None) => Ok(false),
            Err(error) => Err(CommandError::from(&error)),
        }
    }

    /// Whether a person who answers this step acts in place of a participant, and a second person
    /// would have to approve a skip of it.
    pub(crate) async fn answer_needs_approval(
        &self,
        order_id: &OrderId,
        step: &str,
        rules: &SecondPerson,
    ) -> Result<bool, CommandError> {
        if rules.is_empty() {
            return Ok(false);
        }
        let Some(order) = self.0.orders.load(order_id).await.map_err(|error| CommandError::from(&error))? else {
            return Ok(false);
        };
        let OrderPlaced { workflow, total, .. } = &*order.state.placed;
        let of_a_person = order.state.steps.get(step).is_some_and(|step| step.mode == Some(Mode::Await));
        Ok(!of_a_person && rules.of_order(SKIP, &workflow.name, *total).is_some())
    }

    /// Records a later answer of a participant or a person.
    pub async fn signal(&self, order_id: OrderId, signal: Signal) -> Result<Accepted, CommandError> {
        let cause = Cause::answer_to(&signal.step, signal.direction);
        self.command(order_id, Command::Signal(signal), cause).await
    }

    /// Records the answer of a person, with the person's name.
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

    /// Records a later answer of this participant, if the step's action is one of it.
    pub async fn signal_from(
        &self,
        participant: String,
        order_id: OrderId,
        signal: Signal,
    ) -> Result<Accepted, CommandError> {
        let cause = Cause::answer_to(&signal.step, signal.direction).of_participant(participant);
        self.command(order_id, Command::Signal(signal), cause).await
    }

    /// Records a later refusal of this participant, if the step's action is one of it.
    pub async fn refuse_from(
        &self,
        participant: String,
        order_id: OrderId,
        refusal: LateRefusal,
    ) -> Result<Accepted, CommandError> {
        let cause = Cause::answer_to(&refusal.step, refusal.direction).of_participant(participant);
        self.command(order_id, Command::Refuse(refusal), cause).await
    }

    /// Performs an operator's operation.
    pub async fn operate(&self, order_id: OrderId, operate: Operate) -> Result<Accepted, CommandError> {
        let cause = Cause::attributed_to(&operate.actor, &operate.reason);
        self.command(order_id, Command::Operate(operate), cause).await
    }

    /// Carries out an operator's instruction, or asks for it if a second person has to approve it.
    pub(crate) async fn carry_out(
        &self,
        order_id: OrderId,
        instruction: &Instruction,
    ) -> Result<Accepted, CommandError> {
        let command = Command::Operate(instruction.command(self.clock().now()));
        self.command(order_id, command, instruction.cause()).await
    }

    /// Approves what another person asked for, declines it, or withdraws it.
    pub(crate) async fn settle(
        &self,
        order_id: OrderId,
        settle: Settle,
        reason: Option<String>,
    ) -> Result<Accepted, CommandError> {
        let cause = Cause::default().by(settle.by.clone(), reason);
        self.command(order_id, Command::Settle(settle), cause).await
    }

    async fn command(&self, order_id: OrderId, command: Command, cause: Cause) -> Result<Accepted, CommandError> {
        let (answer, answered) = oneshot::channel();
        let message = Message::Command(Box::new(command), cause, answer);
        self.deliver(order_id, message)?;
        answered.await.unwrap_or_else(|_| Err(CommandError::Failed("the instance is shutting down".to_owned())))
    }

    /// Wakes the driver of an order that is due by the to-do list.
    pub(crate) fn wake(&self, order_id: OrderId) -> Result<(), NoDriver> {
        self.deliver(order_id, Message::Wake)
    }

    /// Orders that were due and have a broken history. The to-do list postpones them.
    pub(crate) fn take_put_off(&self) -> Vec<OrderId> {
        self.0.postponed.take_broken()
    }

    /// Orders that were due and only wait for participants without an address here. The to-do list
    /// postpones them.
    pub(crate) fn take_without_address(&self) -> Vec<OrderId> {
        self.0.postponed.take_without_address()
    }

    /// Starts nothing new. Requests in flight get `patience` for their answers. The log and the
    /// to-do list hand over the rest.
    pub async fn shutdown(&self, patience: Duration) {
        self.0.shutdown.run(patience).await;
    }

    /// Starts the driver of an order that was just placed.
    fn begin(&self, order_id: OrderId, placed: Placed, late: bool, permit: Permit) {
        let id = order_id.clone();
        self.0.drivers.deliver_placed(order_id, placed, late, |start| self.start(id, start, permit));
    }

    /// Delivers a message to the order's driver; starts one if the order has none.
    fn deliver(&self, order_id: OrderId, message: Message) -> Result<(), NoDriver> {
        let id = order_id.clone();
        self.0.drivers.deliver(order_id, message, |message| {
            let permit = match message {
                Message::Command(command, ..) if matches!(**command, Command::Operate(_) | Command::Settle(_)) => {
                    self.unless_leaving(Drivers::permit_for_operator)?
                }
                Message::Command(..) | Message::Wake | Message::Placed(_) => self.unless_leaving(Drivers::permit)?,
            };
            Ok(self.start(id, Start::Asked, permit))
        })
    }

    /// Starts a driver. The registry of drivers calls this while it is locked.
    fn start(&self, order_id: OrderId, start: Start, permit: Permit) -> Sender<Message> {
        let (inbox, messages) = mpsc::channel(INBOX);
        let driver = Driver::new(self.0.clone(), order_id, messages);
        // Boxed, since a runtime moves a task several times until it is done, and this one has 11
        // KiB.
        self.0.shutdown.spawn(Box::pin(async move {
            driver.run(start).await;
            drop(permit);
        }));
        inbox
    }

    fn unless_leaving(&self, permit: impl FnOnce(&Drivers) -> Result<Permit, NoDriver>) -> Result<Permit, NoDriver> {
        if self.0.shutdown.is_leaving() { Err(NoDriver::Leaving) } else { permit(&self.0.drivers) }
    }
}
