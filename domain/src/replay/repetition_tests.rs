//! What the replay of a decision finds: the same events, other events, or that it cannot know.

use crate::wire::Metadata;
use std::time::Duration;
use uuid::Uuid;

use serde_json::json;

use super::tests::{Log, SOURCE, replayed, sealed, shipped, workflow};
use super::*;
use crate::order::{Event, Limits, NewOrder, Operation};
use crate::testing::{done, order, refused, unclear};

/// What the replay finds of each decision: `s` the same, `d` differs, `u` unknown.
fn told(workflow: &Workflow, history: &[Recorded]) -> String {
    let sign = |decision: &Decision<'_>| match decision.again {
        Again::Same => 's',
        Again::Differs(_) => 'd',
        Again::Unknown(_) => 'u',
    };
    replayed(workflow, history).iter().map(sign).collect()
}

/// Changes the status that `shipped` sets in the end.
fn change_status(history: &mut [Recorded]) {
    let Event::StatusChanged(changed) = &mut history[9].event else { panic!("{:?}", history[9]) };
    changed.status = "Delivered".to_owned();
}

#[test]
fn each_decision_has_the_time_at_which_it_was_made() {
    let workflow = workflow(SOURCE);
    let history = shipped(&workflow);
    let at: Vec<i64> =
        replayed(&workflow, &history).iter().map(|decision| decision.at().unwrap().timestamp_millis()).collect();
    assert_eq!(at, [0, 0, 1000, 1000, 1000, 1000]);
}

#[test]
fn a_wait_without_a_definition_counts_as_jitter_and_not_as_retry_after() {
    let history = shipped(&workflow(SOURCE));
    let decision = Replay::of(None, &history).nth(1).unwrap().unwrap();
    let Some(Command::Answer(answer)) = decision.command else { panic!("{:?}", decision.command) };
    assert_eq!(answer.reply, unclear("503"));
    assert!((answer.now.jitter - 1.0).abs() < f64::EPSILON, "{}", answer.now.jitter);
}

#[test]
fn a_decision_that_lacks_an_event_or_has_one_too_many_differs() {
    let workflow = workflow(SOURCE);
    let mut cut = shipped(&workflow);
    let last = cut.pop().unwrap();
    assert_eq!((last.event.type_name(), told(&workflow, &cut).as_str()), ("OrderCompleted", "sssssd"));
    let decisions = replayed(&workflow, &cut);
    let Again::Differs(Ok(events)) = &decisions[5].again else { panic!("{:?}", decisions[5].again) };
    assert_eq!(events.last(), Some(&last.event));

    let mut marked = shipped(&workflow);
    // The log says that this decision was split, and no part of it is left to decide.
    let first = marked[4].clone();
    marked.truncate(6);
    let split = Event::DecisionSplit(crate::order::DecisionSplit { retry: Vec::new(), at: first.event.at() });
    let metadata = Metadata { causation_id: Some(first.id), ..marked[5].metadata.clone() };
    marked.push(Recorded { id: Uuid::from_u128(99), revision: 6, event: split, metadata });
    assert_eq!(told(&workflow, &marked), "sssd");
}

#[test]
fn replay_splits_a_decision_where_it_was_split() {
    let source = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  a: { call: p.a }
  b: { call: p.b }
  c: { after: [a], call: p.c }
  d: { after: [a], call: p.d }
";
    let workflow = workflow(source);
    let mut log = Log::of(&workflow);
    log.story = log.story.within(Limits { decision: 1, ..Limits::LOG });
    log.answers("a", done());
    log.does(|story| story.tick_after(Duration::ZERO));
    log.does(|story| story.tick_after(Duration::ZERO));
    let history = log.history();
    assert_eq!(history.iter().filter(|recorded| recorded.event.type_name() == "DecisionSplit").count(), 2);
    assert_eq!(told(&workflow, &history), "ssss");
}

#[test]
fn a_changed_total_differs_and_another_notation_of_it_does_not() {
    let workflow = workflow(SOURCE);
    for (total, again) in
        [("14.00", "ssssss"), ("14", "ssssss"), ("14.0000", "ssssss"), ("15", "dsssss"), ("15.00", "dsssss")]
    {
        let mut history = shipped(&workflow);
        let Event::OrderPlaced(placed) = &mut history[0].event else { panic!("an order is placed first") };
        placed.total = total.parse().unwrap();
        assert_eq!(told(&workflow, &history), again, "{total}");
    }
}

#[test]
fn the_nearest_and_then_the_likeliest_command_is_named() {
    let source = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  a: { call: p.a, retry: { attempts: 3 } }
  b: { request: p.b }
";
    let workflow = workflow(source);
    let mut log = Log::of(&workflow);
    let attempts = vec![log.story.attempt("a"), log.story.attempt("b")];
    log.does(|story| story.hand_over(attempts.clone()));
    let mut history = log.history();
    assert_eq!(told(&workflow, &history), "ss");
    // One of the two events is not as it was decided. The command is still a hand-over, not a tick.
    let Event::StepAttemptFailed(failed) = &mut history[4].event else { panic!("{:?}", history[4]) };
    failed.error = "something else".to_owned();
    let decisions = replayed(&workflow, &history);
    assert!(matches!(decisions[1].again, Again::Differs(Ok(_))), "{:?}", decisions[1].again);
    let Some(Command::HandOver(given_back)) = &decisions[1].command else { panic!("{:?}", decisions[1].command) };
    assert_eq!(given_back.attempts, attempts);

    // No command leads to this refusal. An answer in the exchange is the likeliest.
    let mut log = Log::of(&workflow);
    log.answers("b", refused("no"));
    let mut history = log.history();
    let Event::StepFailed(failed) = &mut history[3].event else { panic!("{:?}", history[3]) };
    failed.maybe_done = true;
    let decisions = replayed(&workflow, &history);
    assert!(matches!(decisions[1].again, Again::Differs(Ok(_))), "{:?}", decisions[1].again);
    assert!(matches!(decisions[1].command, Some(Command::Answer(_))), "{:?}", decisions[1].command);
}

#[test]
fn attempts_released_during_compensation_are_replayed_as_released() {
    let source = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  a: { call: p.a, undo: p.un-a }
  b: { call: p.b, undo: p.un-b }
  c: { call: p.c, undo: p.un-c }
compensated:
  sorry: { call: p.sorry, with: { x: steps.a.data.x } }
";
    let workflow = workflow(source);
    let mut log = Log::of(&workflow);
    log.answers("a", done());
    log.operates(Operation::Cancel);
    let attempts = vec![log.story.attempt("b"), log.story.attempt("c")];
    log.does(|story| story.hand_over(attempts));
    let mut lost = 0;
    while !log.story.state().ended() && log.story.state().stuck.is_none() {
        lost += 1;
        assert!(lost < 20);
        match log.story.in_flight().into_iter().next() {
            Some(attempt) if attempt.number == 1 => log.does(|story| story.hand_over(vec![attempt])),
            Some(attempt) => log.answers(&attempt.step, done()),
            None => log.waits(),
        }
    }
    let history = log.history();
    assert!(told(&workflow, &history).chars().all(|sign| sign == 's'), "{}", told(&workflow, &history));
}

#[test]
fn replay_limits_values_as_the_recorded_decision_did() {
    let source = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  a: { call: p.a }
  b: { after: [a], call: p.b, with: { once: order.attributes.text, twice: order.attributes.text } }
";
    let workflow = workflow(source);
    let mut attributes = serde_json::Map::new();
    attributes.insert("text".to_owned(), json!("x".repeat(600_000)));
    let large = NewOrder { attributes, ..order() };
    for (limits, is_too_large) in [(Limits::LOG, true), (Limits::NONE, false)] {
        let mut log = Log::placing(&workflow, large.clone());
        log.story = log.story.within(limits);
        log.answers("a", done());
        let history = log.history();
        let failed = history.iter().any(|recorded| matches!(recorded.event, Event::StepFailed(_)));
        assert_eq!((failed, told(&workflow, &history).as_str()), (is_too_large, "ss"));
    }
}

#[test]
fn events_from_before_the_list_of_placeholders_are_replayed_the_same() {
    let source = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  a: { call: p.a, with: { to: order.customer.email, note: order.attributes.note } }
  b: { after: [a], await: approval, with: { to: order.customer.email, note: order.attributes.note } }
result: order.attributes.note
";
    let workflow = workflow(source);
    let mut attributes = serde_json::Map::new();
    attributes.insert("note".to_owned(), json!("⟦customer.name⟧"));
    let mut log = Log::placing(&workflow, NewOrder { attributes, ..order() });
    log.answers("a", done());
    log.does(|story| story.signal("b", "approved"));
    let mut history = log.history();
    assert_eq!(told(&workflow, &history), "sss");
    let mut stripped = 0;
    for Recorded { event, .. } in &mut history {
        let placeholders = match event {
            Event::StepStarted(e) => &mut e.placeholders,
            Event::WaitStarted(e) => &mut e.placeholders,
            Event::OrderCompleted(e) => &mut e.placeholders,
            _ => continue,
        };
        stripped += usize::from(placeholders.take().is_some());
    }
    assert_eq!((stripped, told(&workflow, &history).as_str()), (3, "sss"));
}

#[test]
fn replay_evaluates_a_guard_on_sealed_data_as_if_they_were_readable() {
    let with = |guard: &str| workflow(&SOURCE.replace("email != null", &format!("email != null && {guard}")));
    // This guard holds for every text.
    let any = with("size(order.customer.email) > 1");
    assert_eq!(told(&any, &sealed(shipped(&any))), "ssssss");
    let this = with("order.customer.email.endsWith('.example')");
    assert_eq!(told(&this, &sealed(shipped(&this))), "ssssus");
    // Personal data that can be read leave nothing unknown: a changed event differs.
    let mut tampered = shipped(&this);
    change_status(&mut tampered);
    assert_eq!(told(&this, &tampered), "sssssd");
    // This definition's guard only asks whether there are any data. That is known of sealed ones
    // too.
    let plain = workflow(SOURCE);
    let mut tampered = sealed(shipped(&plain));
    change_status(&mut tampered);
    assert_eq!(told(&plain, &tampered), "sssssd");
}
