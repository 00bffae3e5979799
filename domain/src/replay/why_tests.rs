//! Why an event was decided, rule by rule.

use std::time::Duration;

use super::tests::{Log, replayed, workflow};
use super::*;
use crate::order::{Direction, Operation, Reply};
use crate::testing::{answered, done, held, misconfigured, refused, unclear};

const SOURCE: &str = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  a: { call: p.a, undo: p.un-a, outcomes: [good, bad], compensate-on: [bad], retry: { attempts: 2 } }
  b: { after: [a], request: p.b, undo: p.un-b, timeout: 1h, outcomes: [later, made], interim: { later: 1d }, retry: { attempts: 2 } }
  c: { after: [a], request: p.c, timeout: 2h, outcomes: [yes, silent], on-timeout: silent }
  d: { after: [b, c], join: any, call: p.d, undo: p.un-d, retry: { attempts: 2 } }
  e: { after: [b, c], call: p.e, when: double(order.total) > 1.0, retry: { attempts: 2 } }
  f: { after: [d], join: any, wait: 1h }
compensated:
  sorry: { call: p.sorry }
";

/// Why each event was decided: its type, its step, the rule, and the sentence.
fn whys(workflow: &Workflow, log: &Log<'_>) -> Vec<String> {
    let history = log.history();
    let decisions = replayed(workflow, &history);
    let moments = decisions.iter().flat_map(|decision| &decision.moments);
    let line = |moment: &Moment<'_>| {
        let event = &moment.recorded.event;
        let step = event.step().map(|step| format!(" {step}")).unwrap_or_default();
        format!("{}{step}: {}: {}", event.type_name(), moment.why.rule.as_str(), moment.why.text)
    };
    moments.map(line).collect()
}

/// These events were decided one after the other, for these reasons.
#[track_caller]
fn assert_whys(workflow: &Workflow, log: &Log<'_>, expected: &[&str]) {
    let whys = whys(workflow, log);
    assert!(whys.windows(expected.len()).any(|whys| whys == expected), "{whys:#?}");
}

/// `a` is done, so `b` and `c` are asked for.
fn begun(workflow: &Workflow) -> Log<'_> {
    let mut log = Log::of(workflow);
    log.answers("a", answered("good"));
    log
}

#[test]
fn the_reason_of_a_start_names_the_settled_predecessors() {
    let workflow = workflow(&SOURCE.replace("double(order.total) > 1.0", "steps.b.outcome == 'made'"));
    let mut log = begun(&workflow);
    log.does(|story| story.signal("b", "later"));
    log.does(|story| story.signal("b", "made"));
    log.does(|story| story.signal("c", "yes"));
    log.answers("d", done());
    assert_whys(
        &workflow,
        &log,
        &[
            "StepStarted b: ready: it follows a (good)",
            "StepStarted c: ready: it follows a (good)",
            "StepCompleted b: answered: \"later\" is one of `interim`: another answer is to follow",
            "StepCompleted b: answered: the participant answered",
            "StepStarted d: ready: it follows one of b (made), c (running)",
            "StepCompleted c: answered: the participant answered",
            "StepStarted e: ready: it follows b (made), c (yes); `steps.b.outcome == 'made'` holds",
            "StepCompleted d: answered: the participant answered",
            "WaitStarted f: ready: it follows d (done)",
        ],
    );
}

#[test]
fn deadlines_are_decided_by_the_definition() {
    let workflow = workflow(SOURCE);
    let mut log = begun(&workflow);
    log.answers("c", Reply::Accepted);
    log.answers("b", Reply::Accepted);
    log.does(|story| story.signal("b", "made"));
    log.answers("d", done());
    log.waits();
    log.waits();
    assert_whys(
        &workflow,
        &log,
        &[
            "WaitStarted f: ready: it follows d (done)",
            "StepCompleted f: deadline: its deadline has passed",
            "StepCompleted c: deadline: no answer came in time, and `on-timeout: silent` says so",
            "StepStarted e: ready: it follows b (made), c (silent); `double(order.total) > 1.0` holds",
        ],
    );
    for is_answered_for_now in [false, true] {
        let mut log = begun(&workflow);
        log.answers("c", Reply::Accepted);
        log.answers("b", Reply::Accepted);
        if is_answered_for_now {
            log.does(|story| story.signal("b", "later"));
            log.does(|story| story.signal("c", "yes"));
            log.answers("d", done());
            log.answers("e", done());
            log.waits();
        }
        log.waits();
        assert_whys(
            &workflow,
            &log,
            &[
                "StepFailed b: deadline: the answer is overdue, and the step has no `on-timeout`",
                "CompensationStarted b: step-failed: b failed for good",
            ],
        );
    }
}

#[test]
fn compensation_retries_no_forward_step_and_every_undo_up_to_its_limit() {
    let workflow = workflow(SOURCE);
    let mut log = begun(&workflow);
    log.does(|story| story.signal("b", "made"));
    log.answers("d", unclear("503"));
    log.operates(Operation::Cancel);
    log.answers("c", unclear("503"));
    log.answers("d", done());
    log.answers("b", unclear("503"));
    log.operates(Operation::Retry { step: None });
    log.answers("b", unclear("503"));
    assert_whys(
        &workflow,
        &log,
        &[
            "StepAttemptFailed d: retry: 1 of 2 attempts used, so there is another one",
            "CompensationStarted: asked: ann asked for it: asked for",
            "StepFailed d: given-up: an order that is being undone gives up its waits",
            "StepFailed c: given-up: an order that is being undone retries no step",
            "StepStarted d: undo-in-reverse: of what was done and is not yet undone, d came last",
            "StepCompleted d: answered: the participant answered",
            "StepStarted b: undo-in-reverse: of what was done and is not yet undone, b came last",
            "StepAttemptFailed b: retry: 1 of 2 attempts used, so there is another one",
            "StepStarted b: asked: ann asked for it: asked for",
            "StepFailed b: retries-used-up: all 2 attempts are used up",
            "OrderStuck b: must-not-fail: an undo must not fail, and b has",
        ],
    );
}

#[test]
fn the_reason_of_compensation_names_the_failed_step_or_the_outcome() {
    let workflow = workflow(SOURCE);
    let mut failed = Log::of(&workflow);
    failed.answers("a", unclear("503"));
    failed.waits();
    failed.answers("a", unclear("503"));
    failed.answers("a", done());
    failed.answers("sorry", refused("no"));
    assert_whys(
        &workflow,
        &failed,
        &[
            "StepFailed a: retries-used-up: all 2 attempts are used up",
            "CompensationStarted a: step-failed: a failed for good",
            "StepStarted a: undo-in-reverse: of what was done and is not yet undone, a came last",
            "StepCompleted a: answered: the participant answered",
            "CompensationCompleted: all-done: nothing is left to undo",
            "StepStarted sorry: ready: it follows nothing",
            "StepFailed sorry: answered: the participant refused, for good",
            "OrderStuck sorry: must-not-fail: what follows the undoing must not fail, and sorry has",
        ],
    );
    let mut bad = Log::of(&workflow);
    bad.answers("a", answered("bad"));
    bad.answers("sorry", done());
    assert_whys(
        &workflow,
        &bad,
        &[
            "StepCompleted a: answered: the participant answered",
            "CompensationStarted a: compensate-on: \"bad\" is one of `compensate-on` of a",
            "CompensationCompleted: all-done: nothing is left to undo",
            "StepStarted sorry: ready: it follows nothing",
            "StepCompleted sorry: answered: the participant answered",
            "OrderCanceled: all-done: all that follows the undoing is done",
        ],
    );
    // The step gave an interim answer before it failed. That answer is not the reason.
    let mut interim = begun(&workflow);
    interim.does(|story| story.signal("b", "later"));
    interim.does(|story| story.refuse_later("b", Direction::Do, "sold out"));
    assert_whys(
        &workflow,
        &interim,
        &[
            "StepFailed b: answered: the participant refused, for good",
            "CompensationStarted b: step-failed: b failed for good",
        ],
    );
}

#[test]
fn the_reason_of_a_stuck_order_names_what_a_person_must_correct() {
    let workflow = workflow(SOURCE);
    let mut at_once = Log::of(&workflow);
    at_once.answers("a", held("no key"));
    let mut at_last = Log::of(&workflow);
    at_last.answers("a", misconfigured("answered 401"));
    at_last.waits();
    at_last.answers("a", misconfigured("answered 401"));
    let stuck = "OrderStuck a: must-not-fail: a waits for a person to correct something";
    let mended = "StepFailed a: answered: a person must correct something before it can be done";
    assert_whys(&workflow, &at_once, &[mended, stuck]);
    assert_whys(&workflow, &at_last, &["StepFailed a: retries-used-up: all 2 attempts are used up", stuck]);
}

#[test]
fn unsent_and_lost_attempts_use_up_no_retry() {
    let workflow = workflow(SOURCE);
    let mut log = Log::of(&workflow);
    log.does(|story| story.not_sent(story.attempt("a"), "no turn", Duration::ZERO));
    log.does(|story| story.hand_over(vec![story.attempt("a")]));
    assert_whys(
        &workflow,
        &log,
        &[
            "StepAttemptFailed a: not-sent: the request was never sent: it counts as no attempt",
            "StepStarted a: ready: it follows nothing",
            "StepAttemptFailed a: lost: its result was not recorded: it uses up no attempt",
        ],
    );
}

#[test]
fn the_reason_names_one_of_several_steps_only_for_a_join_of_any() {
    let source = |join: &str, after: &str| {
        let steps = "  a: { call: p.a }\n  b: { call: p.b }\n";
        let c = format!("  c: {{ after: [{after}], {join}call: p.c }}\n");
        format!("workflow: w\nversion: 1\nparticipants: {{ p: {{ url: 'http://p' }} }}\nsteps:\n{steps}{c}")
    };
    for (join, after, why) in [
        ("", "a", "it follows a (done)"),
        ("", "a, b", "it follows a (done), b (done)"),
        ("join: any, ", "a", "it follows a (done)"),
        ("join: any, ", "b, a", "it follows one of b (done), a (running)"),
    ] {
        let workflow = workflow(&source(join, after));
        let mut log = Log::of(&workflow);
        log.answers("b", done());
        if !after.starts_with('b') {
            log.answers("a", done());
        }
        assert_whys(&workflow, &log, &[&format!("StepStarted c: ready: {why}")]);
    }
}
