//! What an instance counts of orders, for `/metrics`: each decision once it is in the log, and each
//! append. So the counters of all instances together equal what the log says.
//!
//! An append that the log did not acknowledge may be in the log nevertheless. Its decision is kept,
//! and counted if this instance reads the order again and finds its first event.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use domain::order::{Basis, Direction, Event, Order, Stage};
use domain::views::CallView;
use domain::workflow::Workflow;
use event_store::AppendError;
use metrics::{Counters, DescriptorEncoder, FAST, Histograms, Metric, SLOW};
use uuid::Uuid;

use crate::lock::lock;

metrics::metrics! {
    EVENTS: 1 = Metric::counter("tenuto_order_events", ["type"], "Events of orders that this instance has appended");
    PLACED: 2 = Metric::counter("tenuto_orders_placed", ["workflow", "version"], "Orders that were placed");
    REFUSED: 1 = Metric::counter("tenuto_orders_refused", ["reason"], "Requests to place an order that were refused");
    ENDED: 4 = Metric::counter(
        "tenuto_orders_ended",
        ["workflow", "version", "state", "status"],
        "Orders that ended, by state (COMPLETED or CANCELED) and by the business status of their workflow",
    );
    STUCK: 2 = Metric::counter(
        "tenuto_orders_stuck",
        ["workflow", "step"],
        "Orders that became stuck: something that must not fail has failed for good",
    );
    COMPENSATIONS: 1 = Metric::counter(
        "tenuto_compensations_started",
        ["workflow"],
        "Orders whose compensation has begun",
    );
    COMPENSATED: 1 = Metric::counter("tenuto_compensations_completed", ["workflow"], "Orders that were undone");
    FAILED_RESULTS: 0 = Metric::counter(
        "tenuto_failed_results",
        [],
        "Orders that were completed without the result that their workflow describes",
    );
    ORDER_TIME: 2 = Metric::histogram(
        "tenuto_order_duration_seconds",
        ["workflow", "state"],
        "Time from the placing of an order to its end",
    );
    STEP_TIME: 2 = Metric::histogram(
        "tenuto_step_duration_seconds",
        ["workflow", "step"],
        "Time from the start of a step to its final answer, with retries and waits",
    );
    HELD: 2 = Metric::counter(
        "tenuto_steps_held",
        ["workflow", "step"],
        "Steps that were held for an operator after a mistake of the deployment or of the definition",
    );
    ATTEMPTS: 4 = Metric::counter(
        "tenuto_attempts",
        ["workflow", "step", "participant", "direction"],
        "Requests to participants that were recorded; direction: do or undo",
    );
    RETRIES: 4 = Metric::counter(
        "tenuto_retries",
        ["workflow", "step", "participant", "direction"],
        "Attempts after the first one of the same action",
    );
    RESULTS: 5 = Metric::counter(
        "tenuto_attempt_results",
        ["workflow", "step", "participant", "direction", "class"],
        "What became of attempts: ok, accepted (the answer comes later, and counts again), transient, permanent, \
         timeout, misconfigured, lost, unsent, given_up",
    );
    CALL_TIME: 2 = Metric::histogram(
        "tenuto_call_duration_seconds",
        ["participant", "action"],
        "Time from the record of a request to the record of the participant's answer, without undos",
    );
    APPENDS: 1 = Metric::counter(
        "tenuto_appends",
        ["result"],
        "Appends of decisions: ok, conflict (another instance decided first), unavailable, too_large, refused, deleted",
    );
    APPEND_TIME: 0 = Metric::histogram(
        "tenuto_append_duration_seconds",
        [],
        "Time until the log acknowledged the append of a decision",
    );
    CLAIMED: 0 = Metric::counter("tenuto_leases_claimed", [], "Due orders that this instance claimed");
    TAKEN_OVER: 0 = Metric::counter(
        "tenuto_leases_taken_over",
        [],
        "Due orders that this instance claimed after the lease of another instance ended without progress",
    );
}

/// The most decisions without an acknowledgment that are kept.
const MAX_UNACKNOWLEDGED: usize = 1_000;

/// A decision: the order before and after it, and its events.
#[derive(Debug, Clone)]
pub(crate) struct Decision<'a> {
    pub workflow: &'a Arc<Workflow>,
    pub before: Option<&'a Order>,
    pub events: &'a [Event],
    pub after: &'a Order,
}

/// What an instance counts of orders.
pub(crate) struct OrderFigures {
    counts: Counts,
    unacknowledged: Mutex<HashMap<Uuid, Kept>>,
    /// How many of those there are: rarely any.
    kept: AtomicUsize,
}

/// A decision whose append was not acknowledged.
struct Kept {
    workflow: Arc<Workflow>,
    before: Option<Order>,
    events: Vec<Event>,
    after: Order,
}

struct Counts {
    events: Counters<1>,
    placed: Counters<2>,
    refused: Counters<1>,
    ended: Counters<4>,
    stuck: Counters<2>,
    compensations: Counters<1>,
    compensated: Counters<1>,
    failed_results: Counters<0>,
    order_time: Histograms<2>,
    step_time: Histograms<2>,
    held: Counters<2>,
    attempts: Counters<4>,
    retries: Counters<4>,
    results: Counters<5>,
    call_time: Histograms<2>,
    appends: Counters<1>,
    append_time: Histograms<0>,
    claimed: Counters<0>,
    taken_over: Counters<0>,
}

impl fmt::Debug for OrderFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderFigures").finish_non_exhaustive()
    }
}

impl Default for OrderFigures {
    fn default() -> Self {
        let counts = Counts {
            events: Counters::new(&EVENTS),
            placed: Counters::new(&PLACED),
            refused: Counters::new(&REFUSED),
            ended: Counters::new(&ENDED),
            stuck: Counters::new(&STUCK),
            compensations: Counters::new(&COMPENSATIONS),
            compensated: Counters::new(&COMPENSATED),
            failed_results: Counters::new(&FAILED_RESULTS),
            order_time: Histograms::new(&ORDER_TIME, SLOW),
            step_time: Histograms::new(&STEP_TIME, SLOW),
            held: Counters::new(&HELD),
            attempts: Counters::new(&ATTEMPTS),
            retries: Counters::new(&RETRIES),
            results: Counters::new(&RESULTS),
            call_time: Histograms::new(&CALL_TIME, FAST),
            appends: Counters::new(&APPENDS),
            append_time: Histograms::new(&APPEND_TIME, FAST),
            claimed: Counters::new(&CLAIMED),
            taken_over: Counters::new(&TAKEN_OVER),
        };
        Self { counts, unacknowledged: Mutex::default(), kept: AtomicUsize::new(0) }
    }
}

impl OrderFigures {
    /// The log acknowledged a decision after this time.
    pub fn appended(&self, decision: &Decision<'_>, took: TimeDelta) {
        self.counts.appends.add_one(["ok"]);
        self.counts.append_time.observe([], seconds(took));
        self.counts.decided(decision);
    }

    /// The log did not acknowledge a decision. `first`: the id of its first event.
    pub fn not_appended(&self, error: &AppendError, first: Uuid, decision: &Decision<'_>) {
        let result = match error {
            AppendError::WrongExpectedRevision { .. } => "conflict",
            AppendError::Unavailable(_) => "unavailable",
            AppendError::TooLarge(_) => "too_large",
            AppendError::StreamDeleted(_) => "deleted",
            AppendError::Refused(_) => "refused",
        };
        self.counts.appends.add_one([result]);
        if matches!(error, AppendError::Unavailable(_)) {
            let mut unacknowledged = lock(&self.unacknowledged);
            if unacknowledged.len() < MAX_UNACKNOWLEDGED {
                let kept = Kept {
                    workflow: decision.workflow.clone(),
                    before: decision.before.cloned(),
                    events: decision.events.to_vec(),
                    after: decision.after.clone(),
                };
                unacknowledged.insert(first, kept);
                self.kept.store(unacknowledged.len(), Ordering::Relaxed);
            }
        }
    }

    /// An event was read from the log. If it is the first one of a decision without an
    /// acknowledgment, that decision counts now.
    pub fn found(&self, event: Uuid) {
        if self.kept.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut unacknowledged = lock(&self.unacknowledged);
        if let Some(Kept { workflow, before, events, after }) = unacknowledged.remove(&event) {
            self.kept.store(unacknowledged.len(), Ordering::Relaxed);
            let decision = Decision { workflow: &workflow, before: before.as_ref(), events: &events, after: &after };
            self.counts.decided(&decision);
        }
    }

    /// A request to place an order was refused.
    pub fn refused(&self, reason: &str) {
        self.counts.refused.add_one([reason]);
    }

    /// This instance claimed due orders, some of them from other instances.
    pub fn claimed(&self, orders: usize, taken_over: usize) {
        self.counts.claimed.add([], orders as u64);
        self.counts.taken_over.add([], taken_over as u64);
    }

    /// Writes them.
    pub fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        self.counts.encode(encoder)
    }
}

impl Counts {
    fn decided(&self, decision: &Decision<'_>) {
        for (index, event) in decision.events.iter().enumerate() {
            self.events.add_one([event.type_name()]);
            self.event(event, &decision.events[..index], decision);
        }
    }

    fn event(&self, event: &Event, earlier: &[Event], decision: &Decision<'_>) {
        let Decision { workflow, after, .. } = *decision;
        let name = workflow.name.as_str();
        match event {
            Event::OrderPlaced(_) => self.placed.add_one([name, &workflow.version.to_string()]),
            Event::OrderCompleted(e) => {
                self.ended(event, decision);
                if e.result_error.is_some() {
                    self.failed_results.add_one([]);
                }
            }
            Event::OrderCanceled(_) => self.ended(event, decision),
            Event::OrderStuck(e) => self.stuck.add_one([name, &e.step]),
            Event::CompensationStarted(_) => self.compensations.add_one([name]),
            Event::CompensationCompleted(_) => self.compensated.add_one([name]),
            Event::StepStarted(e) => {
                let labels = [name, &e.step, &e.participant, e.direction.as_str()];
                self.attempts.add_one(labels);
                if e.attempt > 1 {
                    self.retries.add_one(labels);
                }
            }
            Event::StepAccepted(e) => self.result((event, earlier), decision, e.direction, Some("accepted")),
            Event::StepCompleted(e) => {
                let is_answer = e.basis == Basis::Answer;
                self.result((event, earlier), decision, e.direction, is_answer.then_some("ok"));
                let step = after.steps.get(&e.step).filter(|_| e.direction == Direction::Do && e.open_until.is_none());
                if let Some(step) = step {
                    self.step_time.observe([name, &e.step], seconds(e.at - step.started_at));
                }
            }
            Event::StepAttemptFailed(e) => {
                self.result((event, earlier), decision, e.direction, Some(e.class()));
            }
            Event::StepFailed(e) => {
                self.result((event, earlier), decision, e.direction, e.class());
                if after.steps.get(&e.step).is_some_and(|step| matches!(step.stage, Stage::Held { .. })) {
                    self.held.add_one([name, &e.step]);
                }
            }
            Event::WaitStarted(_)
            | Event::StepSkipped(_)
            | Event::StatusChanged(_)
            | Event::OrderNoted(_)
            | Event::OperationRequested(_)
            | Event::RequestSettled(_)
            | Event::OrderPaused(_)
            | Event::OrderResumed(_)
            | Event::DecisionSplit(_) => {}
        }
    }

    fn ended(&self, event: &Event, Decision { workflow, after, .. }: &Decision<'_>) {
        let state = after.state().as_str();
        self.ended.add_one([&workflow.name, &workflow.version.to_string(), state, &after.status]);
        self.order_time.observe([&workflow.name, state], seconds(event.at() - after.placed.at));
    }

    /// What became of an attempt, if the event says it of one: a wait has no participant, and a
    /// step may fail without an attempt.
    ///
    /// `earlier`: the events of the same decision before it, which the state before the decision
    /// does not show. After one of the same step, there is no attempt any more.
    fn result(
        &self,
        (event, earlier): (&Event, &[Event]),
        decision: &Decision<'_>,
        direction: Direction,
        class: Option<&str>,
    ) {
        let Decision { workflow, before: Some(before), after, .. } = *decision else { return };
        let (Some(class), Some(id)) = (class, event.step()) else { return };
        if earlier.iter().any(|earlier| earlier.step() == Some(id)) {
            return;
        }
        let waits_for = before.steps.get(id).and_then(|step| match step.stage {
            Stage::InFlight { direction, .. } | Stage::Awaiting { direction, .. } => Some(direction),
            Stage::BackingOff { .. }
            | Stage::Completed
            | Stage::Skipped
            | Stage::Failed { .. }
            | Stage::Held { .. }
            | Stage::Undone
            | Stage::UndoFailed => None,
        });
        if waits_for != Some(direction) {
            return;
        }
        // A request that was not sent is not in the state after it.
        let asked = before.asked(id, direction, Some(workflow)).or_else(|| after.asked(id, direction, Some(workflow)));
        let Some(participant) = asked else { return };
        self.results.add_one([&workflow.name, id, participant, direction.as_str(), class]);
        if let Some(CallView { requested, took }) = CallView::ended_by(event, before) {
            self.call_time.observe([&requested.participant, &requested.action], seconds(took));
        }
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Self { events, placed, refused, ended, stuck, compensations, compensated, failed_results, .. } = self;
        events.encode(encoder)?;
        placed.encode(encoder)?;
        refused.encode(encoder)?;
        ended.encode(encoder)?;
        stuck.encode(encoder)?;
        compensations.encode(encoder)?;
        compensated.encode(encoder)?;
        failed_results.encode(encoder)?;
        let Self { order_time, step_time, held, attempts, retries, results, call_time, .. } = self;
        order_time.encode(encoder)?;
        step_time.encode(encoder)?;
        held.encode(encoder)?;
        attempts.encode(encoder)?;
        retries.encode(encoder)?;
        results.encode(encoder)?;
        call_time.encode(encoder)?;
        let Self { appends, append_time, claimed, taken_over, .. } = self;
        appends.encode(encoder)?;
        append_time.encode(encoder)?;
        claimed.encode(encoder)?;
        taken_over.encode(encoder)
    }
}

fn seconds(time: TimeDelta) -> f64 {
    time.max(TimeDelta::zero()).as_seconds_f64()
}
