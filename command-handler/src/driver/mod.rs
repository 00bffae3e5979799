//! The driver of one order. It performs the attempts that its own appends started, records their
//! results, and decides the next step, append by append, until nothing is in progress. Then the
//! driver ends, and the order is idle.

mod attempt;
mod attempts;
mod error;
pub(crate) mod message;
mod second_person;
mod traced;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use domain::Timestamp;
use domain::ids::{OrderId, StepId};
use domain::order::{Answer, AttemptId, Command, DecideError, Direction, Event, HandOver, Reply};
use domain::trace::TraceContext;
use domain::workflow::Workflow;
use event_store::AppendError;
use tokio::sync::mpsc;
use tokio::task::{self, JoinError, JoinSet};
use tracing::{Instrument, error, warn};

use crate::clock::Clock;
use crate::deciding::decided;
use crate::log::Log;
use crate::orchestrator::shared::Shared;
use crate::orders::{Cause, LoadedOrder, SaveError, Saved};
use crate::participants::{NotSent, Participants};
use attempt::{Made, Making};
use error::{DriveError, MAX_CONFLICTS, command_error};
use message::{Message, Placed, Start};

/// How long the driver keeps an answer while the log cannot be reached. After that, its attempt
/// counts as lost.
const MAX_HOLD: TimeDelta = TimeDelta::seconds(60);
/// The wait before the next try to reach the log.
const HOLD_STEP: TimeDelta = TimeDelta::milliseconds(250);

/// How long after its own append a driver assumes that the order's history is complete.
const MAX_UNCHECKED: TimeDelta = TimeDelta::seconds(2);

/// The minimum wait before an unsent request is tried again.
const MIN_WAIT_FOR_TURN: Duration = Duration::from_secs(5);
/// The maximum wait, however long the participant has been silent.
const MAX_WAIT_FOR_TURN: Duration = Duration::from_mins(2);

/// One order's driver, and its messages.
pub(crate) struct Driver<L, P, C> {
    shared: Arc<Shared<L, P, C>>,
    id: OrderId,
    messages: mpsc::Receiver<Message>,
}

impl<L: Log, P: Participants, C: Clock> Driver<L, P, C> {
    pub fn new(shared: Arc<Shared<L, P, C>>, id: OrderId, messages: mpsc::Receiver<Message>) -> Self {
        Self { shared, id, messages }
    }

    /// Drives the order until nothing is in progress.
    pub async fn run(mut self, start: Start) {
        let mut active = match self.begin(start).await {
            Ok(active) => active,
            Err(error) => return self.break_off(&error).await,
        };
        let span = traced::of_order(&active.id, &active.trace, active.order.placed.id);
        self.drive(&mut active).instrument(span).await;
    }

    async fn drive(&mut self, active: &mut ActiveOrder<L, P, C>) {
        loop {
            active.hand_over().await;
            active.withdraw();
            let due = active.due_soon();
            if due.is_none() && active.attempts.is_empty() && self.rests(active) {
                return;
            }
            tokio::select! {
                // In this order, so that the same inputs lead to the same history. Results come
                // first.
                biased;
                Some(made) = active.attempts.join_next_with_id() => active.note(made).await,
                Some(message) = self.messages.recv() => active.take(message).await,
                () = sleep_until(&active.shared.clock, due), if due.is_some() => active.tick().await,
                // Then the driver does not wait for later work.
                () = self.shared.shutdown.leaving(), if due.is_some() => {}
                () = self.shared.shutdown.last_call(), if !active.attempts.is_empty() => active.give_up().await,
            }
        }
    }

    async fn begin(&self, start: Start) -> Result<ActiveOrder<L, P, C>, DriveError> {
        let (mut is_whole, mut saved_at) = (false, None);
        let Placed { order, workflow, events } = match start {
            Start::Placed(placed) => {
                saved_at = Some(self.shared.clock.now().at);
                *placed
            }
            Start::Asked => {
                let idle = self.shared.idle.pop(&self.id);
                let order = if let Some(order) = idle {
                    order
                } else {
                    is_whole = true;
                    self.load().await?
                };
                let reference = &order.state.placed.workflow;
                let workflow = self.shared.workflows.get(reference).await?;
                let workflow = workflow.ok_or_else(|| DriveError::NoWorkflow(reference.clone()))?;
                Placed { order, workflow, events: Vec::new() }
            }
        };
        let (shared, id) = (self.shared.clone(), self.id.clone());
        let trace = TraceContext::of_order(&id, order.traceparent.as_deref(), shared.options.sample_ratio);
        let mut active = ActiveOrder {
            shared,
            id,
            order,
            trace,
            workflow,
            attempts: JoinSet::new(),
            turns: HashMap::new(),
            attempt_by_task: HashMap::new(),
            unstarted: Vec::new(),
            deferred: false,
            is_whole,
            saved_at,
        };
        active.perform(&events);
        Ok(active)
    }

    /// Loads the order. "No such order" is the answer only for messages that arrived before the
    /// read: the order may be placed meanwhile.
    async fn load(&self) -> Result<LoadedOrder, DriveError> {
        loop {
            let asked = self.messages.len();
            match self.shared.orders.load(&self.id).await? {
                Some(order) => return Ok(order),
                None if self.messages.len() > asked => {}
                None => return Err(DriveError::Unknown),
            }
        }
    }

    /// Ends the driver, unless a message has arrived. The registry is locked meanwhile, so no
    /// message is lost.
    fn rests(&self, active: &ActiveOrder<L, P, C>) -> bool {
        let leave = || {
            if !active.order.state.ended() && !active.order.may_be_readable_later() {
                self.shared.idle.put(self.id.clone(), active.order.clone());
            }
        };
        self.shared.drivers.remove_if_idle(&self.id, || self.messages.is_empty(), leave)
    }

    /// Ends a driver that cannot continue: each waiting caller receives the error.
    async fn break_off(mut self, error: &DriveError) {
        self.shared.drivers.remove(&self.id);
        self.messages.close();
        while let Some(message) = self.messages.recv().await {
            match message {
                Message::Command(_, _, answer) => {
                    // The caller may be gone. Then the answer is dropped.
                    let _ = answer.send(Err(command_error(&self.id, error)));
                }
                Message::Wake if error.is_of_the_history() => {
                    self.shared.postponed.add_broken(&self.id, error.to_string());
                }
                Message::Wake | Message::Placed(_) => {
                    error!(order = %self.id, %error, "an order cannot be driven now");
                }
            }
        }
    }
}

async fn sleep_until<C: Clock>(clock: &C, moment: Option<Timestamp>) {
    if let Some(moment) = moment {
        clock.sleep_until(moment).await;
    }
}

/// An order with a driver.
struct ActiveOrder<L, P: Participants, C> {
    shared: Arc<Shared<L, P, C>>,
    id: OrderId,
    order: LoadedOrder,
    trace: TraceContext,
    workflow: Arc<Workflow>,
    /// The attempts in progress here. They are tasks, so they continue while the driver waits for
    /// the log.
    attempts: JoinSet<Made<P::Turn>>,
    /// Turns that came too late for their attempts. The attempts that replace them use these turns.
    turns: HashMap<(StepId, Direction), P::Turn>,
    /// The attempt of each task.
    attempt_by_task: HashMap<task::Id, Making>,
    /// The attempts that this instance recorded and will not make.
    unstarted: Vec<AttemptId>,
    /// The due work cannot be done here now. The to-do list brings it back.
    deferred: bool,
    /// The order was just loaded, and its history is complete: the next decision need not check
    /// again.
    is_whole: bool,
    /// When this driver last appended to the order.
    saved_at: Option<Timestamp>,
}

impl<L: Log, P: Participants, C: Clock> ActiveOrder<L, P, C> {
    /// The time of the next due work, if it is near.
    fn due_soon(&self) -> Option<Timestamp> {
        if self.deferred || self.shared.shutdown.is_leaving() {
            return None;
        }
        let patience = TimeDelta::from_std(self.shared.options.patience).unwrap_or(TimeDelta::MAX);
        let horizon = self.shared.clock.now().at.checked_add_signed(patience)?;
        self.order.state.due_at().filter(|due| *due <= horizon)
    }

    /// The same, for events that were appended some time ago: another instance may have given up
    /// these attempts, or ended the order.
    async fn perform_what_is_left(&mut self, events: &[Event]) {
        match self.catch_up().await {
            Ok(_) => self.perform(events),
            Err(error) => warn!(%error, "attempts are not made, and count as lost"),
        }
    }

    /// Releases the attempts that this instance will not make, so that other instances need not
    /// wait for their deadlines.
    async fn hand_over(&mut self) {
        // An order in compensation may start its next undo, which is handed over next.
        while !self.unstarted.is_empty() {
            let attempts = std::mem::take(&mut self.unstarted);
            let revision = self.order.revision;
            let command = Command::HandOver(HandOver { attempts: attempts.clone(), now: self.shared.clock.now() });
            match self.decide(&command, &Cause::default()).await {
                // The next append hands over the attempts that had no room in this one.
                Ok(()) if self.order.revision > revision => {
                    let left = attempts.into_iter().filter(|attempt| self.order.state.is_in_flight(attempt));
                    self.unstarted.extend(left.collect::<Vec<_>>());
                }
                Ok(()) => {}
                Err(error) => {
                    warn!(%error, "attempts could not be handed over, and count as lost");
                }
            }
        }
    }

    /// Stops waiting for the answers of requests in flight.
    async fn give_up(&mut self) {
        self.attempts.shutdown().await;
        self.unstarted.extend(self.attempt_by_task.drain().map(|(_, making)| making.attempt));
    }

    /// Handles the result of an attempt.
    async fn note(&mut self, made: Result<(task::Id, Made<P::Turn>), JoinError>) {
        match made {
            Ok((task, made)) => {
                self.attempt_by_task.remove(&task);
                match made {
                    Made::Answered(answer) => self.record(answer).await,
                    Made::NotSent(attempt, NotSent::NoTurn(error)) => {
                        let wait = self.wait_for_a_turn(&attempt);
                        self.record_not_sent(attempt, error, wait).await;
                    }
                    Made::NotSent(attempt, NotSent::Mistake { error, tried_again_in }) => {
                        let reply =
                            Reply::Misconfigured { error, retry_after: Some(tried_again_in), maybe_done: false };
                        self.record(Answer { attempt, reply, now: self.shared.clock.now() }).await;
                    }
                    Made::Late(attempt, turn) => {
                        let key = (attempt.step.clone(), attempt.direction);
                        self.turns.insert(key.clone(), turn);
                        let error = "its turn came late, and its exchange begins now".to_owned();
                        self.record_not_sent(attempt, error, Duration::ZERO).await;
                        // If the order does not use the turn, another attempt may have it.
                        self.turns.remove(&key);
                    }
                }
            }
            Err(error) => {
                self.attempt_by_task.remove(&error.id());
                error!(%error, "an attempt ended with a panic, and counts as lost");
            }
        }
    }

    /// The wait before an unsent request is tried again. It grows with the time that the request
    /// has waited, so that a silent participant does not fill the order's history.
    fn wait_for_a_turn(&self, attempt: &AttemptId) -> Duration {
        let now = self.shared.clock.now();
        let since = self.order.state.steps.get(&attempt.step).map(|step| step.unsent_since.unwrap_or(step.since));
        let age = since.and_then(|since| (now.at - since).to_std().ok()).unwrap_or_default();
        (age / 4).clamp(MIN_WAIT_FOR_TURN, MAX_WAIT_FOR_TURN).mul_f64(1.0 + now.jitter)
    }

    /// Records that a request was not sent. Without this record, the attempt would count as one
    /// that the participant may have received.
    async fn record_not_sent(&mut self, attempt: AttemptId, error: String, wait: Duration) {
        let cause = Cause::answer_to(&attempt.step, attempt.direction);
        let give_up = self.shared.clock.now().at + MAX_HOLD;
        let mut command = domain::order::NotSent { attempt, error, wait, now: self.shared.clock.now() };
        loop {
            match self.decide(&Command::NotSent(command.clone()), &cause).await {
                Ok(()) | Err(DriveError::Refused(_)) => return,
                Err(error)
                    if error.is_of_the_history() || command.now.at > give_up || self.shared.shutdown.is_leaving() =>
                {
                    return error!(%error, "an unsent request could not be recorded as unsent; its attempt counts as lost");
                }
                Err(error) => warn!(%error, "an unsent request could not be recorded as unsent yet"),
            }
            self.shared.clock.sleep_until(self.shared.clock.now().at + HOLD_STEP).await;
            command.now = self.shared.clock.now();
        }
    }

    /// Records the result of an attempt. While the log cannot be reached, the driver keeps the
    /// answer for a limited time.
    async fn record(&mut self, mut answer: Answer) {
        let cause = Cause::answer_to(&answer.attempt.step, answer.attempt.direction);
        let give_up = answer.now.at + MAX_HOLD;
        loop {
            let now = self.shared.clock.now().at;
            match self.decide(&Command::Answer(answer.clone()), &cause).await {
                // Refused: another instance has recorded this attempt as lost, or the order has
                // moved on.
                Ok(()) | Err(DriveError::Refused(_)) => return,
                Err(error) if error.is_of_the_history() => {
                    return error!(%error, "an answer cannot be recorded any more");
                }
                // The participant would give the same answer to every further attempt, so this ends
                // here.
                Err(error) if error.is_for_good() && matches!(answer.reply, Reply::Done { .. }) => {
                    let error = format!("its answer cannot be recorded: {error}");
                    answer.reply = Reply::Unclear { error, retry_after: None };
                    continue;
                }
                Err(error) if now > give_up || self.shared.shutdown.is_leaving() => {
                    return error!(%error, "an answer could not be recorded; its attempt counts as lost");
                }
                Err(error) => warn!(%error, "an answer could not be recorded yet"),
            }
            self.shared.clock.sleep_until(now + HOLD_STEP).await;
        }
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Placed(events) => {
                self.is_whole = false;
                self.perform_what_is_left(&events).await;
            }
            Message::Wake => {
                self.deferred = false;
                // An order that was just loaded for this message has no newer events.
                if !self.is_whole
                    && let Err(error) = self.catch_up().await
                    && !error.is_of_the_history()
                {
                    warn!(%error, "an order that is due could not be read");
                }
                self.tick().await;
            }
            Message::Command(command, cause, answer) => {
                let command = self.carried_out_or_asked(*command, &cause);
                let decided = match self.may_answer(&cause) {
                    Ok(()) => self.decide_if_whole(&command, &cause).await,
                    Err(other) => Err(other),
                };
                let result = match decided {
                    Ok(()) => Ok(self.accepted(&command)),
                    Err(error) => Err(command_error(&self.id, &error)),
                };
                // The caller may be gone. Then the answer is dropped.
                let _ = answer.send(result);
            }
        }
    }

    /// Refuses an answer that a participant sends for another one, or for a person. If the workflow
    /// does not have the step, the decision says so.
    fn may_answer(&self, cause: &Cause) -> Result<(), DriveError> {
        let (Some(participant), Some((step, direction))) = (&cause.participant, &cause.step) else { return Ok(()) };
        let asked = self.action(step, *direction).map(|action| &action.participant);
        if asked == Some(participant) || self.workflow.step(step).is_none() {
            return Ok(());
        }
        Err(DriveError::OtherParticipant { step: step.clone(), participant: participant.clone() })
    }

    /// Does the due work, or leaves it to the to-do list.
    async fn tick(&mut self) {
        if self.shared.shutdown.is_leaving() {
            return;
        }
        let now = self.shared.clock.now();
        if self.finds_no_turn(now.at) {
            if self.finds_no_address(now.at) {
                self.shared.postponed.add_without_address(&self.id);
            }
            self.deferred = true;
            return;
        }
        let revision = self.order.revision;
        let result = self.decide_if_whole(&Command::Tick(now), &Cause::default()).await;
        match &result {
            Ok(()) => {}
            Err(error) if error.is_of_the_history() => self.shared.postponed.add_broken(&self.id, error.to_string()),
            Err(error) => warn!(%error, "due work could not be done"),
        }
        let in_vain = self.order.revision == revision && self.order.state.due_at().is_some_and(|due| due <= now.at);
        self.deferred = result.is_err() || in_vain;
    }

    /// Decides a command if the log has the order's complete history: an order in memory does not
    /// show that its stream was deleted. Work that is due right after an append of this driver
    /// needs no check.
    async fn decide_if_whole(&mut self, command: &Command, cause: &Cause) -> Result<(), DriveError> {
        let goes_on = match command {
            Command::Tick(now) => self.saved_at.is_some_and(|saved_at| now.at - saved_at <= MAX_UNCHECKED),
            _ => false,
        };
        if !std::mem::take(&mut self.is_whole) && !goes_on {
            self.shared.orders.require_whole(&self.id).await?;
        }
        self.decide(command, cause).await
    }

    /// Decides a command, appends its events, and performs the attempts that they start.
    async fn decide(&mut self, command: &Command, cause: &Cause) -> Result<(), DriveError> {
        for _ in 0..MAX_CONFLICTS {
            self.shared.orders.open_again(&mut self.order).await;
            let limits = self.shared.options.limits;
            let command = &self.as_decided_now(command);
            let (events, state) = match decided(&self.workflow, Some(&self.order.state), command, limits).await {
                Ok(decided) => decided,
                // A refusal holds only for the order as the log has it. But an attempt that has
                // ended stays ended.
                Err(DecideError::Refused(refusal)) => {
                    if !matches!(**command, Command::Answer(_)) && self.catch_up().await? {
                        continue;
                    }
                    return Err(refusal.into());
                }
                Err(error @ DecideError::Inconsistent(_)) => return Err(DriveError::Inconsistent(error)),
            };
            if events.is_empty() {
                return Ok(());
            }
            let decided = (events.as_slice(), state);
            match self.shared.orders.save(&self.id, Some(&self.order), decided, &self.workflow, cause).await {
                Ok(Saved { order, late }) => {
                    self.order = order;
                    self.deferred = false;
                    self.saved_at = Some(self.shared.clock.now().at);
                    if late {
                        self.perform_what_is_left(&events).await;
                    } else {
                        self.perform(&events);
                    }
                    return Ok(());
                }
                Err(SaveError::Append(AppendError::WrongExpectedRevision { .. })) => {
                    self.catch_up().await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(DriveError::Conflicts)
    }

    /// Reads the events that other instances have appended. Returns whether there were any.
    async fn catch_up(&mut self) -> Result<bool, DriveError> {
        let before = self.order.revision;
        self.order = self.shared.orders.catch_up(&self.id, &self.order).await?;
        Ok(self.order.revision > before)
    }
}
