//! Under the definition that an order followed, a run decides its recorded events again, at the
//! same times.

use std::time::Duration;

use serde_json::{Value, json};

use super::run::Decided;
use super::tests::workflow;
use super::*;
use crate::order::{Direction, Event, Limits, Operation, Reply, StepCompleted, StepStarted};
use crate::testing::{Story, answered, done, held, misconfigured, order, refused, unclear};

pub(super) const HOUR: Duration = Duration::from_hours(1);

/// All events that a run decides.
pub(super) fn run_events(past: &Past, source: &str) -> Vec<Event> {
    run_events_with(past, source, &Options::default())
}

pub(super) fn run_events_with(past: &Past, source: &str, options: &Options) -> Vec<Event> {
    let workflow = workflow(source);
    let run = Run::execute(&workflow, past, options).unwrap();
    let decided = run.decided.into_iter().flat_map(|(seq, decided)| match decided {
        Decided::Events(events) => events,
        Decided::Refused(why) => panic!("event {seq} is refused: {why}"),
    });
    decided.collect()
}

/// The event without the details that a run cannot repeat: the key of an answer, who canceled the
/// order and why, when an unsent request is tried again, and who noticed that an attempt was lost.
fn comparable(mut event: Event) -> Event {
    match &mut event {
        Event::StepCompleted(StepCompleted { answer_key: Some(key), .. }) => key.clear(),
        Event::CompensationStarted(e) if e.step.is_none() => e.because.clear(),
        Event::StepAttemptFailed(e) if e.unsent => e.retry_at = e.at,
        Event::StepAttemptFailed(e) if e.lost => e.error.clear(),
        _ => {}
    }
    event
}

#[track_caller]
fn assert_runs_the_same(story: &Story<'_>, source: &str) {
    let past = Past::of(story.history().to_vec()).unwrap();
    let now: Vec<Event> = run_events(&past, source).into_iter().map(comparable).collect();
    let then: Vec<Event> = story.history().iter().cloned().map(comparable).collect();
    let differs = now.iter().zip(&then).position(|(now, then)| now != then);
    assert_eq!(differs.map(|at| (&now[at], &then[at])), None);
    assert_eq!(now.len(), then.len(), "{:#?}", then.get(now.len()));
    assert_eq!(backtest(&workflow(source), &past, &Options::default()).unwrap().verdict, Verdict::Same);
}

/// The run decides the same events, in any order, with at least as many splits. A decision recorded
/// that an attempt was not sent, and started it again: the run may do so in the rest of the
/// decision.
#[track_caller]
fn assert_runs_the_same_in_parts(story: &Story<'_>, source: &str) {
    let past = Past::of(story.history().to_vec()).unwrap();
    let parts = |events: &[Event]| -> (usize, Vec<String>) {
        let (splits, events): (Vec<&Event>, Vec<&Event>) =
            events.iter().partition(|event| matches!(event, Event::DecisionSplit(_)));
        let mut kinds: Vec<String> =
            events.into_iter().map(|event| format!("{:?}", comparable(event.clone()))).collect();
        kinds.sort();
        (splits.len(), kinds)
    };
    let (now, then) = (parts(&run_events(&past, source)), parts(story.history()));
    assert!(now.0 >= then.0, "{} splits now, {} then", now.0, then.0);
    assert_eq!(now.1, then.1);
    assert_eq!(backtest(&workflow(source), &past, &Options::default()).unwrap().verdict, Verdict::Same);
}

/// The attempt in flight of the step is not sent.
fn not_sent(story: &mut Story<'_>, step: &str, wait: Duration) {
    story.not_sent(story.attempt(step), "no turn came", wait).whatever();
}

pub(super) fn maybe_done(error: &str) -> Reply {
    Reply::Misconfigured { error: error.to_owned(), retry_after: None, maybe_done: true }
}

const CHECKED: &str = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  check: { call: p.check, undo: p.uncheck, outcomes: [good, bad], outcome: required, compensate-on: [bad], retry: { attempts: 10 } }
  approve: { after: [check], await: approval, with: { total: order.total }, timeout: 2d }
  cool: { after: [approve], wait: 1h }
  ship: { after: [cool], request: p.ship, undo: p.unship, timeout: 3d, outcomes: [shipped, later, none], interim: { later: 10d }, compensate-on: [none] }
  thank: { after: [ship], call: p.thank, sets-status: Shipped }
compensated:
  sorry: { call: p.sorry, sets-status: Canceled }
result: steps.ship.data
";

/// An order that is checked at once, and approved by a person after an hour.
fn approved(workflow: &Workflow) -> Story<'_> {
    let mut story = Story::given(workflow);
    story.place(order()).whatever();
    story.answer("check", answered("good")).whatever();
    story.pass(HOUR);
    story.signal_with("approve", "approved", json!({ "by": "ann" }), None).whatever();
    story
}

#[test]
fn attempts_fail_in_the_run_as_they_failed_in_the_history() {
    let workflow = workflow(CHECKED);
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    for reply in [
        unclear("503"),
        Reply::Unclear { error: "429".to_owned(), retry_after: Some(HOUR) },
        answered("odd"),
        done(),
        misconfigured("answered 401"),
        maybe_done("answered 404"),
        Reply::Accepted,
        answered("a\"b"),
    ] {
        story.pass(Duration::from_millis(70));
        story.answer("check", reply).whatever();
        story.tick_when_due().whatever();
    }
    not_sent(&mut story, "check", Duration::from_secs(1));
    story.tick_when_due().whatever();
    story.hand_over(vec![story.attempt("check")]).whatever();
    story.tick_when_due().whatever();
    // No result of the attempt is recorded, so it is lost, and made again.
    story.tick_when_due().whatever();
    story.answer("check", answered("good")).whatever();
    assert_runs_the_same(&story, CHECKED);
}

#[test]
fn answers_waits_and_pauses_take_as_long_again() {
    let workflow = workflow(CHECKED);
    let mut story = approved(&workflow);
    assert_runs_the_same(&story, CHECKED);
    story.tick_when_due().whatever();
    story.pass(HOUR);
    story.answer("ship", Reply::Accepted).whatever();
    story.pass(HOUR);
    story.operate(Operation::Pause).whatever();
    story.pass(HOUR * 100);
    story.operate(Operation::Resume).whatever();
    story.pass(HOUR);
    story.signal_with("ship", "later", json!({ "in": "a week" }), Some("key")).whatever();
    story.pass(HOUR * 24 * 7);
    assert_runs_the_same(&story, CHECKED);
    story.signal_with("ship", "shipped", json!({ "tracking": "T" }), None).whatever();
    story.pass(HOUR);
    story.answer("thank", done()).whatever();
    assert!(story.state().ended());
    assert_runs_the_same(&story, CHECKED);
}

#[test]
fn an_overdue_answer_is_overdue_again() {
    let workflow = workflow(CHECKED);
    let mut unapproved = Story::given(&workflow);
    unapproved.place(order()).whatever();
    unapproved.answer("check", answered("good")).whatever();
    unapproved.tick_when_due().whatever();
    let mut unanswered = approved(&workflow);
    unanswered.tick_when_due().whatever();
    unanswered.answer("ship", Reply::Accepted).whatever();
    let mut interim = unanswered.clone();
    unanswered.tick_when_due().whatever();
    unanswered.answer("ship", Reply::Accepted).whatever();
    // The undo is overdue, too: the order is stuck, and an operator retries the undo.
    unanswered.tick_when_due().whatever();
    unanswered.operate(Operation::Retry { step: Some("ship".to_owned()) }).whatever();
    unanswered.undone_later("ship").whatever();
    interim.signal("ship", "later").whatever();
    interim.tick_when_due().whatever();
    interim.answer("ship", done()).whatever();
    for mut story in [unapproved, unanswered, interim] {
        story.answer("check", done()).whatever();
        story.answer("sorry", done()).whatever();
        assert!(story.state().ended());
        assert_runs_the_same(&story, CHECKED);
    }
}

#[test]
fn operators_actions_are_repeated_at_the_same_points() {
    let workflow = workflow(CHECKED);
    let mut skipped = Story::given(&workflow);
    skipped.place(order()).whatever();
    let skip = |step: &str, outcome: &str, data: Value| Operation::Skip {
        step: step.to_owned(),
        outcome: Some(outcome.to_owned()),
        data,
    };
    skipped.answer("check", unclear("503")).whatever();
    skipped.operate(skip("check", "good", json!({ "by": "ann" }))).whatever();
    skipped.operate(skip("approve", "approved", Value::Null)).whatever();
    skipped.operate(skip("cool", "elapsed", Value::Null)).whatever();
    skipped.answer("ship", Reply::Accepted).whatever();
    skipped.operate(skip("ship", "shipped", json!({ "tracking": "T" }))).whatever();
    assert_runs_the_same(&skipped, CHECKED);
    let mut canceled = approved(&workflow);
    canceled.pass(HOUR / 2);
    canceled.operate(Operation::Pause).whatever();
    canceled.pass(HOUR);
    canceled.operate(Operation::Cancel).whatever();
    canceled.pass(HOUR);
    canceled.answer("check", refused("too late")).whatever();
    canceled.operate(Operation::Skip { step: "check".into(), outcome: None, data: Value::Null }).whatever();
    canceled.answer("sorry", done()).whatever();
    assert!(canceled.state().ended());
    assert_runs_the_same(&canceled, CHECKED);
}

const HELD: &str = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  charge: { call: p.charge, undo: p.refund, retry: { attempts: 2 } }
  ship: { request: p.ship, undo: p.unship, retry: { attempts: 1 } }
";

/// An order whose `charge` gets these replies. Then an operator cancels it.
fn canceled_after<'w>(workflow: &'w Workflow, replies: &[Reply]) -> Story<'w> {
    let mut story = Story::given(workflow);
    story.place(order()).whatever();
    story.answer("ship", done()).whatever();
    for (index, reply) in replies.iter().enumerate() {
        if index > 0 {
            story.tick_when_due().whatever();
        }
        story.answer("charge", reply.clone()).whatever();
    }
    story.operate(Operation::Cancel).whatever();
    story
}

/// Whether the order requests the undo of `charge`.
fn undoes_charge(story: &Story<'_>) -> bool {
    let undo = |e: &StepStarted| e.step == "charge" && e.direction == Direction::Undo;
    story.history().iter().any(|event| matches!(event, Event::StepStarted(e) if undo(e)))
}

#[test]
fn a_step_that_may_have_acted_is_undone_in_the_run_too() {
    let workflow = workflow(HELD);
    let no = || misconfigured("answered 401");
    let maybe = || maybe_done("answered 404");
    for (replies, is_undone) in [
        (vec![no(), no()], false),
        (vec![no(), maybe()], true),
        (vec![maybe(), no()], true),
        (vec![maybe(), held("no key")], true),
        (vec![no(), held("no key")], false),
        (vec![held("no key")], false),
    ] {
        let mut story = canceled_after(&workflow, &replies);
        story.answer("ship", done()).whatever();
        assert_eq!(undoes_charge(&story), is_undone, "{replies:?}");
        assert_runs_the_same(&story, HELD);
    }
    // A refusal means that nothing was done, unless an earlier attempt may have acted.
    for (first, is_undone) in [(no(), false), (maybe(), true)] {
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        story.answer("charge", first).whatever();
        story.tick_when_due().whatever();
        story.answer("charge", refused("no")).whatever();
        story.answer("ship", done()).whatever();
        story.answer("ship", done()).whatever();
        assert_eq!(undoes_charge(&story), is_undone, "{:?}", story.history());
        assert_runs_the_same(&story, HELD);
    }
}

#[test]
fn a_held_step_continues_as_recorded() {
    let workflow = workflow(HELD);
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("charge", held("no key")).whatever();
    story.operate(Operation::Retry { step: Some("charge".to_owned()) }).whatever();
    story.answer("ship", maybe_done("answered 404")).whatever();
    story.answer("charge", done()).whatever();
    // The participant answers the held step after all.
    story.signal("ship", "done").whatever();
    assert!(story.state().ended());
    assert_runs_the_same(&story, HELD);
}

/// An order's life with this limit of bytes for a decision. The first request for `a` gets capacity
/// late, while a part of the decision is still unrecorded.
fn in_parts(workflow: &Workflow, decision: usize) -> Story<'_> {
    let mut story = Story::given(workflow).within(Limits { decision, ..Limits::LOG });
    story.place(order()).whatever();
    let mut unsent = false;
    for _ in 0..100 {
        if story.state().ended() {
            return story;
        }
        let attempt = story.in_flight().into_iter().next();
        match attempt.as_ref().map(|attempt| attempt.step.as_str()) {
            Some("a") if !unsent => {
                unsent = true;
                story.pass(Duration::from_secs(1));
                not_sent(&mut story, "a", Duration::ZERO);
            }
            Some(step) if story.state().split.is_none() => story.answer(step, done()).whatever(),
            _ => story.tick_after(Duration::ZERO).whatever(),
        }
    }
    panic!("it does not end: {:?}", story.history());
}

#[test]
fn backtest_splits_a_decision_where_it_was_split() {
    let source = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  a: { call: p.a, undo: p.not-a, retry: { attempts: 3 } }
  b: { call: p.b, undo: p.not-b }
  c: { call: p.c }
  d: { call: p.d }
  e: { after: [a], call: p.e }
  f: { after: [a], call: p.f }
  g: { after: [a], call: p.g }
";
    let workflow = workflow(source);
    let mut again_at_once = 0;
    for decision in (0..20).map(|n| 1 + 200 * n) {
        let story = in_parts(&workflow, decision);
        let kinds: Vec<&str> = story.history().iter().map(Event::type_name).collect();
        let again = kinds.windows(2).any(|kinds| kinds == ["StepAttemptFailed", "StepStarted"]);
        again_at_once += usize::from(again && kinds.contains(&"DecisionSplit"));
        let assert = if again { assert_runs_the_same_in_parts } else { assert_runs_the_same };
        assert(&story, source);
    }
    // Some history has both: an unsent attempt that is started again at once, and a split.
    assert!(again_at_once > 0);
}

#[test]
fn an_unsplit_decision_stays_unsplit_under_any_definition() {
    let source = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  a: { call: p.a }
  b: { after: [a], call: p.b }
  c: { after: [b], call: p.c }
  d: { after: [b], call: p.d }
";
    let workflow_then = workflow(source);
    let mut story = Story::given(&workflow_then);
    story.place(order()).whatever();
    story.answer("a", done()).whatever();
    let mut story = story.within(Limits { decision: 1, ..Limits::LOG });
    story.answer("b", done()).whatever();
    assert!(story.state().split.is_some());
    let more = workflow(&format!("{source}  e: {{ after: [a], call: p.e }}\n"));
    let past = Past::of(story.history().to_vec()).unwrap();
    let options = Options::default();
    let run = Run::execute(&more, &past, &options).unwrap();
    let (_, decided) = &run.decided[1];
    let Decided::Events(events) = decided else { panic!("{decided:?}") };
    let kinds: Vec<&str> = events.iter().map(Event::type_name).collect();
    assert_eq!(kinds, ["StepCompleted", "StepStarted", "StepStarted"]);
}
