//! The fold of an order's events into spans. It is total: an event that fits no open span is
//! ignored, or makes a span without length.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use uuid::Uuid;

use super::context::{SampleRatio, TraceContext};
use super::ids::SpanId;
use super::kind::Kind;
use super::span::{Attribute, Link, Span};
use crate::Timestamp;
use crate::ids::{OrderId, StepId};
use crate::order::{
    Basis, CompensationStarted, Direction, Event, Mode, OrderPlaced, OrderStuck, StepAttemptFailed, StepCompleted,
    StepFailed, StepStarted, WaitStarted,
};
use crate::replay::Recorded;

/// A wait of this length is followed by a link: tools split what they keep by time, and show the
/// parts of a long trace one at a time.
const LONG: TimeDelta = TimeDelta::hours(1);

/// The open spans of an order after some of its events.
#[derive(Debug, Clone)]
pub struct Tracer {
    order_id: OrderId,
    workflow: String,
    version: u32,
    context: TraceContext,
    /// The latest time so far. Clocks of instances differ, and a span must not end before it
    /// begins.
    now: Timestamp,
    status: String,
    /// `None`: the order has ended.
    order: Option<Span>,
    compensation: Option<Span>,
    steps: BTreeMap<(StepId, Direction), OpenStep>,
    pause: Option<Span>,
    stuck: Option<(StepId, Span)>,
    /// A long wait that ended, and that no later span links to yet.
    waited: Option<SpanId>,
    /// When an operator last acted. One action may have several events.
    operated: Option<Timestamp>,
    ended: Vec<Span>,
}

/// A step that is open, with what is open in it.
#[derive(Debug, Clone)]
struct OpenStep {
    span: Span,
    attempt: Option<Span>,
    wait: Option<Span>,
}

/// The spans of a history: those that have ended, and those that last. Empty: the history does not
/// begin with an order.
pub fn project(history: &[Recorded], ratio: SampleRatio) -> Vec<Span> {
    let Some((first, rest)) = history.split_first() else { return Vec::new() };
    let Some(mut tracer) = Tracer::begin(first, ratio) else { return Vec::new() };
    let mut spans: Vec<Span> = rest.iter().flat_map(|recorded| tracer.apply(recorded)).collect();
    spans.extend(tracer.into_open());
    spans
}

impl Tracer {
    /// Begins with the first event of an order; `None`: it is another event.
    pub fn begin(first: &Recorded, ratio: SampleRatio) -> Option<Self> {
        let Event::OrderPlaced(placed) = &first.event else { return None };
        let OrderPlaced { order_id, workflow, .. } = &**placed;
        let context = TraceContext::of_order(order_id, first.metadata.traceparent.as_deref(), ratio);
        let mut tracer = Self {
            order_id: order_id.clone(),
            workflow: workflow.name.clone(),
            version: workflow.version,
            context,
            now: placed.at,
            status: placed.status.clone(),
            order: None,
            compensation: None,
            steps: BTreeMap::new(),
            pause: None,
            stuck: None,
            waited: None,
            operated: None,
            ended: Vec::new(),
        };
        tracer.order = Some(tracer.open(first.id, Kind::Order, format!("order {}", workflow.name), context.parent));
        Some(tracer)
    }

    /// Whether the order has ended.
    pub fn has_ended(&self) -> bool {
        self.order.is_none()
    }

    /// Folds the next event. Returns the spans that it ends, parts before the whole.
    pub fn apply(&mut self, recorded: &Recorded) -> Vec<Span> {
        let Recorded { id, event, metadata, .. } = recorded;
        self.now = self.now.max(event.at());
        if metadata.actor.is_some() {
            self.operated(event);
        }
        match event {
            // A second first event belongs to no history; the last three are actions of operators.
            Event::OrderPlaced(_)
            | Event::DecisionSplit(_)
            | Event::OrderNoted(_)
            | Event::OperationRequested(_)
            | Event::RequestSettled(_) => {}
            Event::StepStarted(e) => self.started(*id, e),
            Event::WaitStarted(e) => self.waits(*id, e),
            Event::StepAccepted(e) => self.accepted(*id, &e.step, e.direction),
            Event::StepCompleted(e) => self.completed(*id, e),
            Event::StepAttemptFailed(e) => self.attempt_failed(e),
            Event::StepFailed(e) => self.failed(*id, e),
            Event::StepSkipped(e) => {
                self.unstick(&e.step);
                self.happened("step skipped", vec![Attribute::new("tenuto.step", e.step.as_str())]);
            }
            Event::StatusChanged(e) => {
                self.status.clone_from(&e.status);
                self.happened("status changed", vec![Attribute::new("tenuto.order.status", e.status.as_str())]);
            }
            Event::OrderPaused(_) => self.pause = Some(self.wait(*id, "paused", self.of_order())),
            Event::OrderResumed(_) => self.end_pause(),
            Event::CompensationStarted(e) => self.compensates(*id, e),
            Event::CompensationCompleted(_) => self.compensated(),
            Event::OrderCompleted(_) => self.end("COMPLETED"),
            Event::OrderCanceled(_) => self.end("CANCELED"),
            Event::OrderStuck(e) => self.is_stuck(*id, e),
        }
        std::mem::take(&mut self.ended)
    }

    /// The spans that last.
    pub fn into_open(self) -> Vec<Span> {
        let of_steps = self.steps.into_values().flat_map(|step| [step.attempt, step.wait, Some(step.span)]);
        let others = [self.pause, self.stuck.map(|(_, span)| span), self.compensation, self.order];
        of_steps.chain(others).flatten().collect()
    }

    fn started(&mut self, id: Uuid, e: &StepStarted) {
        self.unstick(&e.step);
        let mut step = self.take_step(id, &e.step, e.direction);
        self.finish(step.attempt.take(), None);
        self.finish(step.wait.take(), None);
        let name = format!("{}.{}", e.participant, e.action);
        let mut attempt = self.open(id, Kind::Attempt, name, Some(step.span.id));
        attempt.set("tenuto.step", e.step.as_str());
        attempt.set("tenuto.direction", e.direction.as_str());
        attempt.set("tenuto.participant", e.participant.as_str());
        attempt.set("tenuto.action", e.action.as_str());
        attempt.set("tenuto.attempt", e.attempt);
        attempt.set("tenuto.mode", e.mode.as_str());
        step.attempt = Some(attempt);
        self.steps.insert((e.step.clone(), e.direction), step);
    }

    fn waits(&mut self, id: Uuid, e: &WaitStarted) {
        let mut step = self.take_step(id, &e.step, Direction::Do);
        step.span.set("tenuto.mode", e.mode.as_str());
        let name = if e.mode == Mode::Await { "person awaited" } else { "time awaited" };
        step.wait = Some(self.wait(id, name, Some(step.span.id)));
        self.steps.insert((e.step.clone(), Direction::Do), step);
    }

    fn accepted(&mut self, id: Uuid, step: &StepId, direction: Direction) {
        let key = (step.clone(), direction);
        let Some(mut open) = self.steps.remove(&key) else { return };
        self.finish(open.attempt.take(), None);
        self.finish(open.wait.take(), None);
        open.wait = Some(self.wait(id, "answer awaited", Some(open.span.id)));
        self.steps.insert(key, open);
    }

    fn completed(&mut self, id: Uuid, e: &StepCompleted) {
        self.unstick(&e.step);
        let mut step = self.take_step(id, &e.step, e.direction);
        let answered = step.attempt.as_mut().or(step.wait.as_mut()).filter(|_| e.basis == Basis::Answer);
        if let Some(answered) = answered {
            answered.set("tenuto.outcome", e.outcome.as_str());
        }
        self.finish(step.attempt.take(), None);
        self.finish(step.wait.take(), None);
        if e.open_until.is_some() {
            let outcome = Attribute::new("tenuto.outcome", e.outcome.as_str());
            step.span.happened("interim outcome", self.now, vec![outcome]);
            step.wait = Some(self.wait(id, "answer awaited", Some(step.span.id)));
            self.steps.insert((e.step.clone(), e.direction), step);
            return;
        }
        step.span.set("tenuto.outcome", e.outcome.as_str());
        step.span.set("tenuto.outcome.basis", basis(e.basis));
        self.finish(Some(step.span), None);
    }

    fn attempt_failed(&mut self, e: &StepAttemptFailed) {
        let Some(mut step) = self.steps.remove(&(e.step.clone(), e.direction)) else { return };
        self.finish(step.attempt.take(), Some(e.class()));
        let retry_at = e.retry_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let attributes = vec![
            Attribute::new("tenuto.attempt", e.attempt),
            Attribute::new("error.type", e.class()),
            Attribute::new("tenuto.retry.at", retry_at),
        ];
        step.span.happened("retry planned", self.now, attributes);
        self.steps.insert((e.step.clone(), e.direction), step);
    }

    fn failed(&mut self, id: Uuid, e: &StepFailed) {
        let mut step = self.take_step(id, &e.step, e.direction);
        let class = Some(e.class().unwrap_or("no_value"));
        self.finish(step.attempt.take(), class);
        self.finish(step.wait.take(), class);
        self.finish(Some(step.span), class);
    }

    fn is_stuck(&mut self, id: Uuid, e: &OrderStuck) {
        let span = if let Some((_, span)) = self.stuck.take() {
            span
        } else {
            let mut span = self.wait(id, "stuck", self.of_order());
            span.set("tenuto.step", e.step.as_str());
            span.set("tenuto.direction", e.direction.as_str());
            span
        };
        self.stuck = Some((e.step.clone(), span));
    }

    /// The step at which the order was stuck continues.
    fn unstick(&mut self, step: &str) {
        if let Some((_, span)) = self.stuck.take_if(|(at, _)| at.as_str() == step) {
            self.finish(Some(span), Some("stuck"));
        }
    }

    fn compensates(&mut self, id: Uuid, e: &CompensationStarted) {
        self.end_pause();
        if let Some((_, span)) = self.stuck.take() {
            self.finish(Some(span), Some("stuck"));
        }
        let mut span = self.open(id, Kind::Compensation, "compensation".to_owned(), self.of_order());
        span.set("tenuto.canceled", e.step.is_none());
        if let Some(step) = &e.step {
            span.set("tenuto.step", step.as_str());
        }
        if let (Some(order), Some(_)) = (&mut self.order, &e.step) {
            order.error = Some("compensated");
        }
        self.compensation = Some(span);
    }

    fn compensated(&mut self) {
        self.end_steps(|direction| direction == Direction::Undo);
        let span = self.compensation.take();
        self.finish(span, None);
    }

    fn end_pause(&mut self) {
        let span = self.pause.take();
        self.finish(span, None);
    }

    /// The order has ended, and so has everything in it.
    fn end(&mut self, state: &'static str) {
        self.end_pause();
        if let Some((_, span)) = self.stuck.take() {
            self.finish(Some(span), Some("stuck"));
        }
        self.end_steps(|_| true);
        let compensation = self.compensation.take();
        self.finish(compensation, None);
        let Some(mut order) = self.order.take() else { return };
        order.set("tenuto.order.state", state);
        order.set("tenuto.order.status", self.status.as_str());
        let error = order.error;
        self.finish(Some(order), error);
    }

    /// Ends open steps without an answer.
    fn end_steps(&mut self, ends: impl Fn(Direction) -> bool) {
        for (key, step) in std::mem::take(&mut self.steps) {
            if ends(key.1) {
                self.finish(step.attempt, None);
                self.finish(step.wait, None);
                self.finish(Some(step.span), None);
            } else {
                self.steps.insert(key, step);
            }
        }
    }

    /// The open step, or a new one that this event begins.
    fn take_step(&mut self, id: Uuid, step: &StepId, direction: Direction) -> OpenStep {
        if let Some(open) = self.steps.remove(&(step.clone(), direction)) {
            return open;
        }
        let undone = self.compensation.as_ref().filter(|_| direction == Direction::Undo).map(|span| span.id);
        let name = if direction == Direction::Undo { format!("undo {step}") } else { format!("step {step}") };
        let mut span = self.open(id, Kind::Step, name, undone.or(self.of_order()));
        span.set("tenuto.step", step.as_str());
        span.set("tenuto.direction", direction.as_str());
        OpenStep { span, attempt: None, wait: None }
    }

    fn wait(&mut self, id: Uuid, name: &str, parent: Option<SpanId>) -> Span {
        self.open(id, Kind::Wait, name.to_owned(), parent)
    }

    /// The span of the order.
    fn of_order(&self) -> Option<SpanId> {
        self.order.as_ref().map(|order| order.id)
    }

    fn open(&mut self, id: Uuid, kind: Kind, name: String, parent: Option<SpanId>) -> Span {
        let mut span = Span {
            trace: self.context.trace,
            id: SpanId::of(&self.order_id, kind, id),
            parent,
            kind,
            name,
            start: self.now,
            end: None,
            error: None,
            attributes: Vec::with_capacity(8),
            events: Vec::new(),
            dropped_events: 0,
            links: Vec::new(),
        };
        span.set("tenuto.order.id", self.order_id.as_str());
        span.set("tenuto.workflow.name", self.workflow.as_str());
        span.set("tenuto.workflow.version", self.version);
        if matches!(kind, Kind::Step | Kind::Compensation) {
            span.links.extend(self.waited.take().map(|span| Link { span }));
        }
        span
    }

    fn finish(&mut self, span: Option<Span>, error: Option<&'static str>) {
        let Some(mut span) = span else { return };
        span.end = Some(self.now);
        span.error = error;
        if let Some(error) = error {
            span.set("error.type", error);
        }
        if span.kind == Kind::Wait && self.now - span.start >= LONG {
            self.waited = Some(span.id);
        }
        self.ended.push(span);
    }

    /// Adds an event to the order's span.
    fn happened(&mut self, name: &'static str, attributes: Vec<Attribute>) {
        let now = self.now;
        if let Some(order) = &mut self.order {
            order.happened(name, now, attributes);
        }
    }

    /// A person acted. Who it was is in the history.
    fn operated(&mut self, event: &Event) {
        if self.operated.replace(event.at()) == Some(event.at()) {
            return;
        }
        let mut attributes = vec![Attribute::new("tenuto.event", event.type_name())];
        attributes.extend(event.step().map(|step| Attribute::new("tenuto.step", step.as_str())));
        self.happened("operator action", attributes);
    }
}

fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Answer => "answer",
        Basis::Assumption => "assumption",
        Basis::Deadline => "deadline",
    }
}
