//! Where a run first differs from the history: the event, the step, and the run's decision.

use serde_json::{Value, json};

use super::itself_tests::{HOUR, run_events};
use super::tests::{SOURCE, difference, event_at, rules, shipped, tried, tried_with, undone, unknown, workflow};
use super::*;
use crate::order::{Event, Operation};
use crate::testing::{Story, answered, done, misconfigured, order, refused, unclear};

/// A workflow of these steps.
pub(super) fn steps(steps: &str) -> String {
    format!("workflow: w\nversion: 1\nparticipants: {{ p: {{ url: 'http://p' }} }}\nsteps:\n{steps}")
}

/// The history of an order under this definition.
pub(super) fn past(source: &str, execute: impl FnOnce(&mut Story<'_>)) -> Past {
    let workflow = workflow(source);
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    execute(&mut story);
    Past::of(story.history().to_vec()).unwrap()
}

/// The step and the event at which the run first differs.
#[track_caller]
fn parts_at(verdict: Verdict) -> (Option<String>, u64) {
    let difference = difference(verdict);
    (difference.step, difference.revision)
}

/// An order, each of whose calls is answered with "done", in this order.
fn in_turn(source: &str, order: &[&str]) -> Past {
    past(source, |story| {
        for step in order {
            story.answer(step, done()).whatever();
        }
    })
}

#[test]
fn another_outcome_is_a_difference_even_without_consequences() {
    let overruled = rules("answers: { p.thank: [{ outcome: odd }] }", SOURCE);
    let difference = difference(tried_with(&shipped(), SOURCE, &overruled).verdict);
    assert_eq!((difference.step.as_deref(), difference.ended_now.state), (Some("thank"), "COMPLETED"));
    let same = rules("answers: { p.thank: [{ outcome: done }] }", SOURCE);
    assert_eq!(tried_with(&shipped(), SOURCE, &same).verdict, Verdict::Same);
}

#[test]
fn a_rule_with_the_recorded_answer_changes_nothing() {
    // An undo is not the step that it undoes, and two steps with the same action are two.
    assert_eq!(tried_with(&undone(), SOURCE, &rules("answers: { p.refund: [{}] }", SOURCE)).verdict, Verdict::Same);
    let twice = steps(
        "  first: { call: p.ask, with: { n: '1' } }\n  second: { after: [first], call: p.ask, with: { n: '2' } }\n",
    );
    let past = past(&twice, |story| {
        story.answer("first", answered("yes")).whatever();
        story.answer("second", answered("yes")).whatever();
    });
    let yes = rules("answers: { p.ask: [{ outcome: yes }] }", &twice);
    assert_eq!(tried_with(&past, &twice, &yes).verdict, Verdict::Same);
}

#[test]
fn a_missing_answer_after_an_interim_one_differs() {
    let source = steps(
        "  a: { call: p.a }\n  b: { after: [a], request: p.b, outcomes: [later, made], interim: { later: 5d } }\n  \
         c: { call: p.c }\n",
    );
    let past = past(&source, |story| {
        story.answer("a", done()).whatever();
        story.signal("b", "later").whatever();
        story.pass(HOUR);
        story.signal("b", "made").whatever();
        story.pass(HOUR);
        story.answer("c", done()).whatever();
    });
    assert_eq!(tried(&past, &source), Verdict::Same);
    let parts = difference(tried(&past, &source.replace(", interim: { later: 5d }", "")));
    assert_eq!((parts.step.as_deref(), parts.now.len()), (Some("b"), 0), "{parts:?}");
    assert!(parts.then[0].starts_with("b: answered \"made\""), "{parts:?}");
    assert_eq!(parts.ended_now, Standing { status: "Placed".into(), state: "COMPLETED", is_known: true });
}

#[test]
fn a_stuck_order_gets_no_answer_for_a_closed_step() {
    let source = steps(
        "  b: { request: p.b, outcomes: [later, made], interim: { later: 5d } }\n  \
         c: { call: p.c, retry: { attempts: 1 } }\n",
    );
    let past = past(&source, |story| {
        story.signal("b", "later").whatever();
        story.answer("c", misconfigured("answered 401")).whatever();
        story.signal("b", "made").whatever();
        story.operate(Operation::Skip { step: "c".into(), outcome: None, data: Value::Null }).whatever();
    });
    assert_eq!(tried(&past, &source), Verdict::Same);
    let parts = difference(tried(&past, &source.replace(", interim: { later: 5d }", "")));
    assert_eq!((parts.step.as_deref(), parts.now.len()), (Some("b"), 0), "{parts:?}");
}

#[test]
fn parallel_requests_may_be_sent_in_any_order() {
    let source = steps("  a: { call: p.a }\n  b: { call: p.b }\n");
    let turned = steps("  b: { call: p.b }\n  a: { call: p.a }\n");
    for order in [["a", "b"], ["b", "a"]] {
        let past = in_turn(&source, &order);
        assert_eq!(tried(&past, &turned), Verdict::Same);
    }
    // Parallel calls may become serial in the run. Serial calls must not be reversed.
    let after = steps("  b: { call: p.b }\n  a: { after: [b], call: p.a }\n");
    assert_eq!(tried(&in_turn(&source, &["b", "a"]), &after), Verdict::Same);
    let serial = steps("  a: { call: p.a }\n  c: { after: [a], call: p.c }\n  b: { after: [c], call: p.b }\n");
    let past = in_turn(&serial, &["a", "c", "b"]);
    let other = steps("  b: { call: p.b }\n  c: { after: [b], call: p.c }\n  a: { after: [c], call: p.a }\n");
    assert_eq!(parts_at(tried(&past, &other)), (Some("b".to_owned()), 0));
    let late = steps("  a: { after: [c], call: p.a }\n  b: { after: [a], call: p.b }\n  c: { call: p.c }\n");
    assert_eq!(parts_at(tried(&past, &late)), (Some("c".to_owned()), 0));
}

/// `a`, then `b`, then an approval that is still to come.
fn with_statuses(of_a: &str, of_b: &str) -> String {
    let sets = |status: &str| if status.is_empty() { String::new() } else { format!(", sets-status: {status}") };
    steps(&format!(
        "  a: {{ call: p.a{} }}\n  b: {{ after: [a], call: p.b{} }}\n  c: {{ after: [b], await: approval }}\n",
        sets(of_a),
        sets(of_b)
    ))
}

#[test]
fn another_status_differs_at_the_earlier_of_the_recorded_and_the_new_one() {
    let (answer_to_a, answer_to_b) = (Some(("a", 2)), Some(("b", 5)));
    for (then, now, expected) in [
        (("A", "B"), ("A", "B"), None),
        (("A", ""), ("", ""), answer_to_a),
        (("", ""), ("A", ""), answer_to_a),
        (("", "B"), ("", ""), answer_to_b),
        (("", ""), ("", "B"), answer_to_b),
        (("", "B"), ("", "C"), answer_to_b),
        (("A", ""), ("", "B"), answer_to_a),
        (("", "B"), ("A", ""), answer_to_a),
        (("A", "B"), ("A", ""), answer_to_b),
        (("A", "B"), ("", "B"), answer_to_a),
    ] {
        let past = in_turn(&with_statuses(then.0, then.1), &["a", "b"]);
        let verdict = tried(&past, &with_statuses(now.0, now.1));
        let Some((step, _)) = expected else {
            assert_eq!(verdict, Verdict::Same);
            continue;
        };
        let parts = difference(verdict);
        assert_eq!(parts.step.as_deref(), Some(step), "{then:?} {now:?}");
        // The event is the answer that led to it.
        let event = event_at(&past, &parts);
        assert_eq!((event.type_name(), event.step().map(String::as_str)), ("StepCompleted", Some(step)));
    }
}

#[test]
fn of_two_differences_on_one_event_the_runs_is_named() {
    let source = steps("  a: { call: p.a }\n");
    let past = in_turn(&source, &["a"]);
    let now = steps("  a: { call: p.a, sets-status: Made }\n");
    let parts = difference(tried(&past, &now));
    assert_eq!((parts.step.as_deref(), parts.revision), (Some("a"), 2));
    assert_eq!(parts.then, ["a: done", "The order is completed"]);
    assert_eq!(parts.now, ["a: done", "The order is Made", "The order is completed"]);
    // Conversely, the run completes the order where the history set a status. A completion names no
    // step.
    let past = in_turn(&now, &["a"]);
    assert_eq!(parts_at(tried(&past, &source)), (None, 2));
}

#[test]
fn missing_events_do_not_differ_while_an_answer_is_unknown() {
    let more = with_statuses("", "B").replace("  b: { after: [a]", "  x: { after: [a], call: p.x }\n  b: { after: [x]");
    let past = in_turn(&with_statuses("A", "B"), &["a", "b"]);
    // `x` has no recorded request, so `b` is not requested. Neither that nor its missing status
    // differs.
    let now = more.replace("a: { call: p.a", "a: { call: p.a, sets-status: A");
    assert_eq!(unknown(tried(&past, &now)), [("p.x".to_owned(), UnknownKind::NeverAsked)]);
    // Another status before the request for `x` is a difference.
    let other = more.replace("a: { call: p.a", "a: { call: p.a, sets-status: C");
    let parts = difference(tried(&past, &other));
    assert_eq!(parts.step.as_deref(), Some("a"));
    assert!(!parts.ended_now.is_known && parts.ended_then.is_known, "{parts:?}");
    assert_eq!((parts.ended_now.status.as_str(), parts.ended_then.status.as_str()), ("C", "B"));
    // While `x` is unknown, `b` sets another status than `a` did. That is the difference.
    let parallel = steps(
        "  x: { call: p.x }\n  a: { call: p.a }\n  b: { after: [a], call: p.b, sets-status: D }\n  c: { after: [b], await: approval }\n",
    );
    assert_eq!(parts_at(tried(&past, &parallel)).0.as_deref(), Some("b"));
}

#[test]
fn a_rules_interim_answer_is_used_once_and_no_other_is_expected() {
    let source =
        SOURCE.replace("outcomes: [shipped, none]", "outcomes: [shipped, none, later], interim: { later: 5d }");
    let later = rules("answers: { p.ship: [{ outcome: later }] }", &source);
    let parts = difference(tried_with(&shipped(), &source, &later).verdict);
    assert_eq!(parts.step.as_deref(), Some("ship"));
    assert_eq!(
        parts.now,
        ["charge: done", "ship: p is asked to ship", "ship: answered \"later\" for now; more is to follow"]
    );
    assert_eq!((parts.ended_now.state, parts.ended_now.is_known), ("WAITING", true));
}

#[test]
fn a_refused_answer_is_reported_with_the_reason() {
    let source = steps("  a: { request: p.a, outcomes: [yes, maybe] }\n  b: { after: [a], call: p.b }\n");
    let past = past(&source, |story| {
        story.signal_with("a", "maybe", json!({ "n": 1 }), None).whatever();
        story.answer("b", done()).whatever();
    });
    let parts = difference(tried(&past, &source.replace("[yes, maybe]", "[yes, no]")));
    assert_eq!((parts.step.as_deref(), parts.revision), (Some("a"), 2));
    assert_eq!(parts.now, ["refused: step \"a\" does not know the outcome \"maybe\"; it knows yes, no"]);
    // If the step is a call in the run, the later answer becomes the answer in its exchange.
    assert_eq!(tried(&past, &source.replace("request: p.a", "call: p.a")), Verdict::Same);
    let parts = difference(tried(
        &past,
        &source.replace("request: p.a, outcomes: [yes, maybe]", "call: p.a, outcomes: [yes], retry: { attempts: 1 }"),
    ));
    assert!(parts.now[0].contains("\"maybe\""), "{parts:?}");
}

#[test]
fn a_recorded_error_is_used_without_its_note_on_the_attempt() {
    let source = |attempts: u32| steps(&format!("  a: {{ call: p.a, retry: {{ attempts: {attempts} }} }}\n"));
    for (reply, error) in [
        (unclear("503"), "503"),
        (misconfigured("answered 401"), "answered 401"),
        (answered("odd"), "odd"),
        (refused("no"), "no"),
    ] {
        let past = past(&source(1).replace("p.a,", "p.a, outcomes: [even],"), |story| {
            story.answer("a", reply.clone()).whatever();
        });
        let now = source(3)
            .replace("p.a,", "p.a, outcomes: [even],")
            .replace("  a:", "  z: { wait: 1s, sets-status: Z }\n  a:");
        let errors = run_events(&past, &now).into_iter().filter_map(|event| match event {
            Event::StepAttemptFailed(e) if e.step == "a" => Some(e.error),
            Event::StepFailed(e) if e.step == "a" => Some(e.error),
            _ => None,
        });
        let errors: Vec<String> = errors.collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains(error) && !errors[0].contains("the last"), "{errors:?}");
    }
}
