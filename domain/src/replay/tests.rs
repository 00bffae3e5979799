//! Replayed histories. The fault matrix replays every life; these tests cover the rest.

use chrono::TimeDelta;
use uuid::Uuid;

use super::*;
use crate::ids::OrderId;
use crate::order::{
    Command, CustomerKey, Direction, Event, NewOrder, Operate, Operation, Reply, Request, Settle, Settlement,
    request_id,
};
use crate::testing::{Story, Then, answered, done, order, refused, unclear};
use crate::wire::{Metadata, SCHEMA};

pub(super) const SOURCE: &str = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  charge: { call: p.charge, undo: p.refund, retry: { attempts: 3, initial: 1s } }
  ship: { after: [charge], request: p.ship, outcomes: [shipped, none], compensate-on: [none] }
  thank: { after: [ship], when: order.customer.email != null, call: p.thank, sets-status: Shipped }
";

/// A story's history in the form of the log, decision by decision.
pub(super) fn history(decisions: &[(Vec<Event>, Option<&str>)]) -> Vec<Recorded> {
    let mut history = Vec::new();
    for (events, actor) in decisions {
        let first = history.len() as u128 + 1;
        for (index, event) in events.iter().enumerate() {
            let metadata = Metadata {
                correlation_id: "1".to_owned(),
                causation_id: (index > 0).then(|| Uuid::from_u128(first)),
                traceparent: None,
                actor: actor.filter(|_| index == 0).map(str::to_owned),
                approved_by: None,
                reason: actor.filter(|_| index == 0).map(|_| "asked for".to_owned()),
                schema: SCHEMA,
                hash: String::new(),
            };
            let revision = history.len() as u64;
            history.push(Recorded {
                id: Uuid::from_u128(u128::from(revision) + 1),
                revision,
                event: event.clone(),
                metadata,
            });
        }
    }
    history
}

pub(super) fn workflow(source: &str) -> Workflow {
    Workflow::parse(source).unwrap_or_else(|faults| panic!("{faults}"))
}

pub(super) fn plain(events: Vec<Event>) -> (Vec<Event>, Option<&'static str>) {
    (events, None)
}

/// An order's life, decision by decision.
pub(super) struct Log<'w> {
    pub story: Story<'w>,
    decisions: Vec<(Vec<Event>, Option<&'static str>)>,
}

impl<'w> Log<'w> {
    /// An order is placed under this definition.
    pub fn of(workflow: &'w Workflow) -> Self {
        Self::placing(workflow, order())
    }

    pub fn placing(workflow: &'w Workflow, order: NewOrder) -> Self {
        let mut log = Self { story: Story::given(workflow), decisions: Vec::new() };
        log.does(|story| story.place(order));
        log
    }

    pub fn does(&mut self, command: impl FnOnce(&mut Story<'w>) -> Then) {
        self.decisions.push(plain(command(&mut self.story).events()));
    }

    pub fn answers(&mut self, step: &str, reply: Reply) {
        self.does(|story| story.answer(step, reply));
    }

    pub fn operates(&mut self, operation: Operation) {
        let events = self.story.operate(operation).events();
        self.decisions.push((events, Some("ann")));
    }

    /// Time passes until something is due. Then a tick decides it.
    pub fn waits(&mut self) {
        self.does(Story::tick_when_due);
    }

    pub fn history(&self) -> Vec<Recorded> {
        history(&self.decisions)
    }
}

/// An order that is charged at the second attempt, shipped, and ends.
pub(super) fn shipped(workflow: &Workflow) -> Vec<Recorded> {
    let mut story = Story::given(workflow);
    let decisions = [
        plain(story.place(order()).events()),
        plain(story.answer("charge", unclear("503")).events()),
        plain(story.tick_after(std::time::Duration::from_secs(1)).events()),
        plain(story.answer("charge", done()).events()),
        plain(story.signal("ship", "shipped").events()),
        plain(story.answer("thank", done()).events()),
    ];
    history(&decisions)
}

pub(super) fn replayed<'h>(workflow: &'h Workflow, history: &'h [Recorded]) -> Vec<Decision<'h>> {
    Replay::of(Some(workflow), history).map(|decision| decision.unwrap()).collect()
}

#[test]
fn every_decision_is_replayed_the_same_with_its_reason() {
    let workflow = workflow(SOURCE);
    let history = shipped(&workflow);
    let decisions = replayed(&workflow, &history);
    assert_eq!(decisions.iter().map(|decision| decision.moments.len()).collect::<Vec<_>>(), [2, 1, 1, 2, 2, 3]);
    assert!(decisions.iter().all(|decision| decision.again == Again::Same));
    let why: Vec<(&str, &str)> = decisions
        .iter()
        .flat_map(|decision| &decision.moments)
        .map(|moment| (moment.why.rule.as_str(), moment.why.text.as_str()))
        .collect();
    assert_eq!(
        why,
        [
            ("asked", "the shop placed it"),
            ("ready", "it follows nothing"),
            ("retry", "1 of 3 attempts used, so there is another one"),
            ("retry", "the attempt before it failed, due since 00:00:00.750"),
            ("answered", "the participant answered"),
            ("ready", "it follows charge (done)"),
            ("answered", "the participant answered"),
            ("ready", "it follows ship (shipped); `order.customer.email != null` holds"),
            ("answered", "the participant answered"),
            ("sets-status", "thank says `sets-status: Shipped`"),
            ("all-done", "every step is completed or skipped"),
        ]
    );
    assert_eq!(decisions[1].pending, [Effect::WakeAt(Timestamp::UNIX_EPOCH + TimeDelta::milliseconds(750))]);
}

#[test]
fn operators_commands_are_replayed_the_same() {
    let workflow = workflow(SOURCE);
    let mut story = Story::given(&workflow);
    let skip = |step: &str, outcome: &str| Operation::Skip {
        step: step.to_owned(),
        outcome: Some(outcome.to_owned()),
        data: serde_json::Value::Null,
    };
    let ann = Some("ann");
    let decisions = [
        plain(story.place(order()).events()),
        plain(story.answer("charge", unclear("503")).events()),
        (story.operate(Operation::Retry { step: None }).events(), ann),
        plain(story.answer("charge", done()).events()),
        (story.operate(Operation::Pause).events(), ann),
        (story.operate(skip("ship", "shipped")).events(), ann),
        (story.operate(Operation::Resume).events(), ann),
        (story.operate(Operation::Cancel).events(), ann),
        plain(story.answer("thank", refused("no")).events()),
    ];
    let history = history(&decisions);
    let decisions = replayed(&workflow, &history);
    assert!(decisions.iter().all(|decision| decision.again == Again::Same), "{decisions:#?}");
    assert_eq!(decisions[7].moments[0].why, Why { rule: Rule::Asked, text: "ann asked for it: asked for".to_owned() });
}

#[test]
fn what_a_second_person_decides_is_replayed_the_same() {
    let workflow = workflow(SOURCE);
    let mut story = Story::given(&workflow);
    let ask = |story: &mut Story<'_>, operation: Operation| {
        let now = story.now();
        let operate = Operate { operation, actor: "ann".to_owned(), reason: "asked for".to_owned(), now };
        let (principal, approver) = ("ann".to_owned(), "operator".to_owned());
        let expires_at = now.at + TimeDelta::seconds(1);
        story.when(&Command::Request(Request { operate, principal, approver, previewed_at: 1, expires_at })).events()
    };
    let settle = |story: &mut Story<'_>, request: u32, how: Settlement, by: &str| {
        let (by, roles, now) = (by.to_owned(), vec!["operator".to_owned()], story.now());
        story.when(&Command::Settle(Settle { request, how, by, roles, now })).events()
    };
    let (ann, bob) = (Some("ann"), Some("bob"));
    let decisions = [
        plain(story.place(order()).events()),
        plain(story.answer("charge", unclear("503")).events()),
        (ask(&mut story, Operation::Retry { step: None }), ann),
        (settle(&mut story, 1, Settlement::Approved, "bob"), bob),
        (ask(&mut story, Operation::Pause), ann),
        (settle(&mut story, 2, Settlement::Declined, "bob"), bob),
        (ask(&mut story, Operation::Pause), ann),
        (settle(&mut story, 3, Settlement::Withdrawn, "ann"), ann),
        plain(story.answer("charge", done()).events()),
        (ask(&mut story, Operation::Pause), ann),
        plain(story.tick_when_due().events()),
        (ask(&mut story, Operation::Cancel), ann),
        (settle(&mut story, 5, Settlement::Approved, "bob"), bob),
    ];
    let history = history(&decisions);
    let decisions = replayed(&workflow, &history);
    assert!(decisions.iter().all(|decision| decision.again == Again::Same), "{decisions:#?}");
    let why = |decision: usize, event: usize| decisions[decision].moments[event].why.text.as_str();
    assert_eq!(why(2, 0), "ann asked for it: asked for");
    assert_eq!((why(3, 0), why(5, 0)), ("bob approved: asked for", "bob declined: asked for"));
    assert_eq!((why(10, 0), why(12, 1)), ("no one approved it in time", "an operator asked for it"));
}

#[test]
fn replay_differs_under_another_definition_or_with_a_changed_event() {
    let then = workflow(SOURCE);
    let history = shipped(&then);
    let stricter = workflow(&SOURCE.replace("attempts: 3", "attempts: 1"));
    let decisions = replayed(&stricter, &history);
    let Again::Differs(Ok(events)) = &decisions[1].again else { panic!("{:?}", decisions[1].again) };
    assert!(matches!(&events[0], Event::StepFailed(e) if e.cause() == crate::order::FailureCause::LastAttempt("503")));
    assert!(decisions.iter().enumerate().all(|(index, decision)| (decision.again == Again::Same) != (index == 1)));

    let mut tampered = shipped(&then);
    let Event::StatusChanged(changed) = &mut tampered[9].event else { panic!("{:?}", tampered[9]) };
    changed.status = "Delivered".to_owned();
    let decisions = replayed(&then, &tampered);
    assert!(matches!(&decisions[5].again, Again::Differs(Ok(_))));
}

#[test]
fn a_history_without_its_definition_is_listed_and_not_replayed() {
    let workflow = workflow(SOURCE);
    let history = shipped(&workflow);
    let decisions: Vec<_> = Replay::of(None, &history).map(|decision| decision.unwrap()).collect();
    assert!(decisions.iter().all(|decision| matches!(decision.again, Again::Unknown(_))));
    assert_eq!(decisions.last().unwrap().moments.last().unwrap().state.status, "Shipped");
}

#[test]
fn replay_stops_at_the_first_event_that_does_not_fit() {
    let workflow = workflow(SOURCE);
    let mut history = shipped(&workflow);
    history.remove(5);
    let all: Vec<_> = Replay::of(Some(&workflow), &history).collect();
    let broken = all.last().unwrap().as_ref().unwrap_err();
    assert_eq!(broken.revision, 6);
    assert!(all[..all.len() - 1].iter().all(Result::is_ok));
}

#[test]
fn another_wording_of_why_an_order_is_stuck_is_replayed_the_same() {
    let workflow = workflow(SOURCE);
    let mut story = Story::given(&workflow);
    let decisions = [
        plain(story.place(order()).events()),
        plain(story.answer("charge", done()).events()),
        plain(story.signal("ship", "none").events()),
        plain(story.answer("charge", refused("410")).events()),
    ];
    let mut history = history(&decisions);
    let Event::OrderStuck(stuck) = &mut history.last_mut().unwrap().event else { panic!("it is stuck at the end") };
    stuck.reason = "the refund went wrong".to_owned();
    assert!(replayed(&workflow, &history).iter().all(|decision| decision.again == Again::Same));
    let Event::OrderStuck(stuck) = &mut history.last_mut().unwrap().event else { panic!("it is stuck at the end") };
    stuck.direction = Direction::Do;
    assert!(matches!(replayed(&workflow, &history).last().unwrap().again, Again::Differs(Ok(_))));
}

#[test]
fn replay_derives_any_jitter_and_any_retry_after() {
    let workflow = workflow(SOURCE);
    for (jitter, retry_after) in [(0.0, None), (0.999_999, None), (0.123_4, None), (0.5, Some(7)), (0.5, Some(0))] {
        let mut story = Story::given(&workflow);
        let placed = plain(story.place(order()).events());
        let now = crate::order::Now { jitter, ..story.now() };
        let retry_after = retry_after.map(std::time::Duration::from_secs);
        let reply = crate::order::Reply::Unclear { error: "503".to_owned(), retry_after };
        let answer = Command::Answer(crate::order::Answer { attempt: story.attempt("charge"), reply, now });
        let history = history(&[placed, plain(story.when(&answer).events())]);
        let decisions = replayed(&workflow, &history);
        assert!(decisions.iter().all(|decision| decision.again == Again::Same), "{jitter} {retry_after:?}");
    }
}

#[test]
fn a_shown_state_contains_no_personal_data() {
    let workflow = workflow(SOURCE);
    let placed = NewOrder { attributes: serde_json::Map::new(), ..order() };
    let mut story = Story::given(&workflow);
    story.place(placed).whatever();
    let shown = state_json(story.state()).to_string();
    assert!(!shown.contains("Chevalier") && !shown.contains("vinet.example"), "{shown}");
    assert!(matches!(story.answer("charge", answered("odd")).events().as_slice(), [Event::StepCompleted(_), ..]));
}

/// The same history, with the personal data sealed.
pub(super) fn sealed(mut history: Vec<Recorded>) -> Vec<Recorded> {
    let key = CustomerKey::new(Uuid::from_u128(1), &[7; CustomerKey::LENGTH]).unwrap();
    let Event::OrderPlaced(placed) = &mut history[0].event else { panic!("an order is placed first") };
    **placed = placed.sealed_with(&key, Uuid::from_u128(1)).unwrap();
    history
}

#[test]
fn replay_needs_no_personal_data_unless_a_guard_reads_them() {
    let workflow = |guard: &str| workflow(&SOURCE.replace("order.customer.email != null", guard));
    let there = workflow("order.customer.email != null");
    let history = sealed(shipped(&there));
    assert!(replayed(&there, &history).iter().all(|decision| decision.again == Again::Same));
    let looked = workflow("order.customer.email != null && order.customer.email.endsWith('.example')");
    let history = sealed(shipped(&looked));
    let decisions = replayed(&looked, &history);
    let (hidden, same): (Vec<_>, Vec<_>) = decisions.iter().partition(|decision| decision.again != Again::Same);
    assert_eq!((hidden.len(), same.len()), (1, 5), "{decisions:#?}");
    assert!(
        hidden.iter().all(|decision| matches!(&decision.again, Again::Unknown(why) if why.contains("personal data")))
    );
}

#[test]
fn another_notation_of_the_total_is_replayed_the_same() {
    let told = workflow(&SOURCE.replace("call: p.charge,", "call: p.charge, with: { amount: order.total },"));
    let mut history = shipped(&told);
    assert!(replayed(&told, &history).iter().all(|decision| decision.again == Again::Same));
    for Recorded { event, .. } in &mut history {
        match event {
            Event::OrderPlaced(placed) => placed.total = "14".parse().unwrap(),
            Event::StepStarted(e) if e.input.is_some() && e.step == "charge" => {
                e.input = Some(serde_json::json!({ "amount": "14" }));
            }
            _ => {}
        }
    }
    let decisions = replayed(&told, &history);
    assert!(decisions.iter().all(|decision| decision.again == Again::Same), "{decisions:#?}");
}

#[test]
fn late_answers_mistakes_and_long_waits_are_replayed_the_same() {
    let source = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  pay: { call: p.pay, undo: p.refund, outcome: required, retry: { attempts: 3, max: 1m } }
  send: { after: [pay], request: p.send, undo: p.recall, timeout: 1h, retry: { attempts: 1 } }
  tell: { after: [send], request: p.tell, timeout: 1h }
";
    let workflow = workflow(source);
    let mut story = Story::given(&workflow);
    let minute = std::time::Duration::from_mins(2);
    let long = Some(std::time::Duration::from_hours(72));
    let request = request_id(&OrderId::new("1").unwrap(), "tell", Direction::Do, 1);
    let decisions = [
        plain(story.place(order()).events()),
        plain(story.answer("pay", done()).events()),
        plain(story.tick_after(minute).events()),
        plain(story.answer("pay", Reply::Unclear { error: "503".to_owned(), retry_after: long }).events()),
        plain(story.tick_after(std::time::Duration::from_hours(24)).events()),
        plain(story.answer("pay", answered("paid")).events()),
        plain(story.answer("send", crate::testing::misconfigured("answered 401")).events()),
        plain(story.signal("send", "sent").events()),
        plain(story.refuse_request("tell", Direction::Do, "no wire", Some(request)).events()),
        plain(story.answer("send", Reply::Accepted).events()),
        plain(story.tick_after(std::time::Duration::from_hours(1)).events()),
        plain(story.undone_later("send").events()),
    ];
    let history = history(&decisions);
    let decisions = replayed(&workflow, &history);
    assert!(decisions.iter().all(|decision| decision.again == Again::Same), "{decisions:#?}");
}
