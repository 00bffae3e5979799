//! A kit for workflow tests: given these events, when a command comes, then this is decided.
//!
//! ```
//! use domain::testing::{Story, done, order};
//! use domain::workflow::Workflow;
//!
//! let workflow = Workflow::parse("
//! workflow: greeting
//! version: 1
//! participants: { mail: { url: 'http://localhost' } }
//! steps:
//!   greet: { call: mail.send }
//! ").unwrap();
//! let mut story = Story::given(&workflow);
//! story
//!     .place(order())
//!     .then(&["Placed by customer VINET: 1 line, 14.00 EUR", "greet: mail is asked to send"]);
//! story.answer("greet", done()).then(&["greet: done", "The order is completed"]);
//! ```

#![expect(clippy::missing_panics_doc, reason = "a test that fails panics")]

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Timestamp;
use crate::ids::OrderId;
use crate::order::{
    Answer, AttemptId, Command, Customer, CustomerKey, DecideError, Direction, Effect, Event, HandOver, LateRefusal,
    Limits, Line, NewOrder, NotSent, Now, Operate, Operation, Order, Place, Refusal, Reply, Signal, decide_within,
    evolve, pending, summary,
};
use crate::workflow::Workflow;

/// One order's life, with a clock that only the test moves. Every method that decides panics if its
/// decision contradicts the fold.
#[derive(Debug, Clone)]
pub struct Story<'w> {
    workflow: &'w Workflow,
    state: Option<Order>,
    history: Vec<Event>,
    now: Timestamp,
    limits: Limits,
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "compare it with what was expected: .then(&[…]), .then_refused(…)"]
pub struct Then(Result<Vec<Event>, Refusal>);

impl Then {
    /// Compares the events by their [`summary`].
    #[track_caller]
    pub fn then(self, sentences: &[&str]) {
        let found: Vec<String> = self.events().iter().map(summary).collect();
        assert_eq!(found, sentences);
    }

    /// Compares the refusal.
    #[track_caller]
    pub fn then_refused(self, refusal: &Refusal) {
        assert_eq!(self.0.as_ref().expect_err("a refusal"), refusal);
    }

    /// The events.
    #[track_caller]
    pub fn events(self) -> Vec<Event> {
        self.0.unwrap_or_else(|refusal| panic!("refused: {refusal}"))
    }

    /// Accepts any result.
    pub fn whatever(self) {}
}

impl<'w> Story<'w> {
    /// An order to be placed under this workflow.
    pub fn given(workflow: &'w Workflow) -> Self {
        Self { workflow, state: None, history: Vec::new(), now: DateTime::UNIX_EPOCH, limits: Limits::LOG }
    }

    /// The same, with the limits of another log.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Decides a command, and folds its events.
    pub fn when(&mut self, command: &Command) -> Then {
        match decide_within(self.workflow, self.state.as_ref(), command, self.limits) {
            Ok((events, _)) => {
                for event in &events {
                    self.state = Some(evolve(self.state.take(), event).expect("a decision fits its state"));
                }
                self.history.extend(events.iter().cloned());
                Then(Ok(events))
            }
            Err(DecideError::Refused(refusal)) => Then(Err(refusal)),
            Err(error @ DecideError::Inconsistent(_)) => panic!("{error}"),
        }
    }

    /// Places an order for the story's workflow.
    pub fn place(&mut self, order: NewOrder) -> Then {
        let order = NewOrder { workflow: self.workflow.name.clone(), ..order };
        let order_id = order.order_id.clone().unwrap_or_else(|| OrderId::new("1").expect("a valid id"));
        self.when(&Command::Place(Box::new(Place { order_id, order, placed_by: None, now: self.now() })))
    }

    /// Answers the attempt in flight of a step.
    pub fn answer(&mut self, step: &str, reply: Reply) -> Then {
        let under_way = self.in_flight().into_iter().find(|attempt| attempt.step == step);
        let none = || AttemptId { step: step.to_owned(), direction: Direction::Do, number: 1, recorded_at: self.now };
        let attempt = under_way.unwrap_or_else(none);
        self.when(&Command::Answer(Answer { attempt, reply, now: self.now() }))
    }

    /// Reports that the request of an attempt was not sent, and when to try again.
    pub fn not_sent(&mut self, attempt: AttemptId, error: &str, wait: Duration) -> Then {
        self.when(&Command::NotSent(NotSent { attempt, error: error.to_owned(), wait, now: self.now() }))
    }

    /// Releases attempts, as an instance does when it stops.
    pub fn hand_over(&mut self, attempts: Vec<AttemptId>) -> Then {
        self.when(&Command::HandOver(HandOver { attempts, now: self.now() }))
    }

    /// Sends a later answer.
    pub fn signal(&mut self, step: &str, outcome: &str) -> Then {
        self.signal_with(step, outcome, Value::Null, None)
    }

    /// Sends a later answer with data, or with an idempotency key.
    pub fn signal_with(&mut self, step: &str, outcome: &str, data: Value, key: Option<&str>) -> Then {
        self.signal_later(step, Direction::Do, Some(outcome), data, key)
    }

    /// A participant that is reached by events answers later, without an outcome.
    pub fn signal_unnamed(&mut self, step: &str, key: &str) -> Then {
        self.signal_later(step, Direction::Do, None, Value::Null, Some(key))
    }

    /// A participant that accepted a request refuses it later.
    pub fn refuse_later(&mut self, step: &str, direction: Direction, error: &str) -> Then {
        self.refuse_request(step, direction, error, None)
    }

    /// The same, as the reply to this request.
    pub fn refuse_request(&mut self, step: &str, direction: Direction, error: &str, request: Option<Uuid>) -> Then {
        let (step, error) = (step.to_owned(), error.to_owned());
        let key = request.map(|request| format!("no to {request}"));
        let late = LateRefusal { step, direction, error, request, key, misconfigured: false, now: self.now() };
        self.when(&Command::Refuse(late))
    }

    /// A participant that is reached by events answers later that the undo is done.
    pub fn undone_later(&mut self, step: &str) -> Then {
        self.signal_later(step, Direction::Undo, None, Value::Null, None)
    }

    fn signal_later(
        &mut self,
        step: &str,
        direction: Direction,
        outcome: Option<&str>,
        data: Value,
        key: Option<&str>,
    ) -> Then {
        let (step, outcome, key) = (step.to_owned(), outcome.map(str::to_owned), key.map(str::to_owned));
        self.when(&Command::Signal(Signal { step, direction, outcome, data, key, now: self.now() }))
    }

    /// The operator Ann performs an operation, with the reason "asked for".
    pub fn operate(&mut self, operation: Operation) -> Then {
        let (actor, reason) = ("ann".to_owned(), "asked for".to_owned());
        self.when(&Command::Operate(Operate { operation, actor, reason, now: self.now() }))
    }

    /// Lets time pass without a decision.
    pub fn pass(&mut self, time: Duration) {
        self.now += TimeDelta::from_std(time).expect("a test's time is short");
    }

    /// Lets time pass, and decides due work.
    pub fn tick_after(&mut self, time: Duration) -> Then {
        self.pass(time);
        self.when(&Command::Tick(self.now()))
    }

    /// Lets time pass until something is due, and decides it.
    pub fn tick_when_due(&mut self) -> Then {
        let due = self.state().due_at().expect("something is due");
        self.tick_after((due - self.now).to_std().unwrap_or_default())
    }

    /// The attempts in flight.
    pub fn in_flight(&self) -> Vec<AttemptId> {
        let Some(state) = &self.state else { return Vec::new() };
        state.steps.keys().filter_map(|step| state.attempt_in_flight(step)).collect()
    }

    /// The attempt in flight of a step.
    #[track_caller]
    pub fn attempt(&self, step: &str) -> AttemptId {
        let attempt = self.in_flight().into_iter().find(|attempt| attempt.step == step);
        attempt.unwrap_or_else(|| panic!("{step} has no attempt under way"))
    }

    /// The due work at the present time.
    pub fn pending(&self) -> Vec<Effect> {
        pending(self.state(), self.now)
    }

    /// Seals the order's personal data. From now on they cannot be read.
    pub fn seal(&mut self, key: &CustomerKey) {
        let state = self.state.as_mut().expect("place the order first");
        let sealed = state.placed.sealed_with(key, Uuid::nil()).expect("personal data that can be written");
        state.placed = Arc::new(sealed);
    }

    /// Opens the personal data again.
    pub fn unseal(&mut self, key: &CustomerKey) {
        let state = self.state.as_mut().expect("place the order first");
        Arc::make_mut(&mut state.placed).open(key).expect("the key that they were sealed with");
    }

    /// The state of the order.
    pub fn state(&self) -> &Order {
        self.state.as_ref().expect("place the order first")
    }

    /// All events.
    pub fn history(&self) -> &[Event] {
        &self.history
    }

    /// The clock, with jitter in the middle.
    pub fn now(&self) -> Now {
        Now { at: self.now, jitter: 0.5 }
    }
}

/// A small order.
pub fn order() -> NewOrder {
    NewOrder {
        order_id: None,
        workflow: "order-fulfilment".to_owned(),
        customer: Customer {
            id: "VINET".to_owned(),
            name: Some("Vins et alcools Chevalier".to_owned()),
            email: Some("orders@vinet.example".to_owned()),
        },
        currency: "EUR".to_owned(),
        lines: vec![Line { sku: "11".to_owned(), name: None, quantity: 1, unit_price: Decimal::new(1400, 2) }],
        ship_to: None,
        attributes: Map::new(),
    }
}

/// The participant has acted.
pub fn done() -> Reply {
    Reply::Done { outcome: None, data: Value::Null }
}

/// The participant has acted, with this outcome.
pub fn answered(outcome: &str) -> Reply {
    Reply::Done { outcome: Some(outcome.to_owned()), data: Value::Null }
}

/// The participant refuses.
pub fn refused(error: &str) -> Reply {
    Reply::Refused { error: error.to_owned() }
}

/// A mistake of the deployment: the participant did nothing.
pub fn misconfigured(error: &str) -> Reply {
    Reply::Misconfigured { error: error.to_owned(), retry_after: None, maybe_done: false }
}

/// The request cannot be made until a person corrects something.
pub fn held(error: &str) -> Reply {
    Reply::Held { error: error.to_owned() }
}

/// The participant answers "not now".
pub fn unclear(error: &str) -> Reply {
    Reply::Unclear { error: error.to_owned(), retry_after: None }
}
