//! Deadlines, waits and pauses under another definition, and which of their results are unknown.

use chrono::TimeDelta;
use serde_json::Value;

use super::difference_tests::{past, steps};
use super::itself_tests::{HOUR, run_events};
use super::tests::{difference, event_at, tried, unknown};
use super::*;
use crate::Timestamp;
use crate::order::{Event, Operation, Reply};
use crate::testing::{answered, done, unclear};

/// When this step is completed or fails.
fn ended_at(events: &[Event], step: &str) -> Option<TimeDelta> {
    events.iter().find_map(|event| match event {
        Event::StepCompleted(e) if e.step == step => Some(e.at - Timestamp::UNIX_EPOCH),
        Event::StepFailed(e) if e.step == step => Some(e.at - Timestamp::UNIX_EPOCH),
        _ => None,
    })
}

fn requested(timeout: &str) -> String {
    steps(&format!("  a: {{ call: p.a }}\n  b: {{ after: [a], request: p.b, timeout: {timeout} }}\n"))
}

/// `b` is requested after ten hours. Its participant accepts, and answers an hour and a half later,
/// without a pause of a hundred hours.
fn answered_across_a_pause() -> Past {
    past(&requested("3d"), |story| {
        story.pass(HOUR * 10);
        story.answer("a", done()).whatever();
        story.answer("b", Reply::Accepted).whatever();
        story.pass(HOUR / 2);
        story.operate(Operation::Pause).whatever();
        story.pass(HOUR * 100);
        story.operate(Operation::Resume).whatever();
        story.pass(HOUR);
        story.signal("b", "done").whatever();
    })
}

#[test]
fn an_answer_is_in_time_by_its_length_without_pauses() {
    let past = answered_across_a_pause();
    for (timeout, is_in_time) in [("2h", true), ("90m", true), ("89m", false), ("1h", false), ("10m", false)] {
        let verdict = tried(&past, &requested(timeout));
        assert_eq!(verdict == Verdict::Same, is_in_time, "{timeout}: {verdict:?}");
    }
    let parts = difference(tried(&past, &requested("1h")));
    // The run decides it at the deadline. The recorded event before that is the end of the pause.
    assert_eq!((parts.step.as_deref(), event_at(&past, &parts).type_name()), (Some("b"), "OrderResumed"));
    assert!(parts.now[1].contains("no answer in time"), "{parts:?}");
    let parts = difference(tried(&past, &requested("10m")));
    assert_eq!(event_at(&past, &parts).type_name(), "StepAccepted");
}

#[test]
fn a_late_answer_that_was_accepted_is_accepted_again() {
    let past = past(&requested("1h"), |story| {
        story.answer("a", done()).whatever();
        story.answer("b", Reply::Accepted).whatever();
        story.pass(HOUR * 2);
        story.signal("b", "done").whatever();
    });
    assert_eq!(tried(&past, &requested("1h")), Verdict::Same);
    assert_eq!(tried(&past, &requested("3h")), Verdict::Same);
    assert_eq!(difference(tried(&past, &requested("30m"))).step.as_deref(), Some("b"));
}

/// The participant never answers `b`, and answers `c` after two hours.
fn overdue_with_another(timeout: &str) -> String {
    steps(&format!(
        "  b: {{ request: p.b, timeout: {timeout}, outcomes: [yes, silent], on-timeout: silent }}\n  c: {{ call: p.c }}\n"
    ))
}

#[test]
fn an_overdue_answer_is_overdue_at_the_new_deadline_and_unknown_after_a_longer_wait() {
    let past = past(&overdue_with_another("1d"), |story| {
        story.answer("b", Reply::Accepted).whatever();
        story.pass(HOUR * 2);
        story.answer("c", done()).whatever();
        story.tick_when_due().whatever();
    });
    for (timeout, b, c) in [("1d", 24, 2), ("3h", 3, 2), ("1h", 1, 2)] {
        let source = overdue_with_another(timeout);
        assert_eq!(tried(&past, &source), Verdict::Same, "{timeout}");
        let events = run_events(&past, &source);
        assert_eq!(
            (ended_at(&events, "b"), ended_at(&events, "c")),
            (Some(TimeDelta::hours(b)), Some(TimeDelta::hours(c))),
            "{timeout}"
        );
        let order = events.iter().position(|event| matches!(event, Event::StepCompleted(e) if e.step == "b"))
            < events.iter().position(|event| matches!(event, Event::StepCompleted(e) if e.step == "c"));
        assert_eq!(order, b < c, "{timeout}");
    }
    let verdict = tried(&past, &overdue_with_another("2d"));
    assert_eq!(unknown(verdict), [("p.b".to_owned(), UnknownKind::NotWaitedFor)]);
}

#[test]
fn a_wait_lasts_as_long_as_the_new_definition_says() {
    let waiting = |wait: &str| {
        steps(&format!("  w: {{ wait: {wait} }}\n  c: {{ call: p.c }}\n  d: {{ after: [w, c], call: p.d }}\n"))
    };
    let past = past(&waiting("3h"), |story| {
        story.pass(HOUR * 2);
        story.answer("c", done()).whatever();
        story.tick_when_due().whatever();
        story.pass(HOUR);
        story.answer("d", done()).whatever();
    });
    for (wait, w, d) in [("3h", 3, 4), ("1h", 1, 3), ("2h", 2, 3), ("5h", 5, 6)] {
        let source = waiting(wait);
        assert_eq!(tried(&past, &source), Verdict::Same, "{wait}");
        let events = run_events(&past, &source);
        let ended = ["w", "c", "d"].map(|step| ended_at(&events, step));
        assert_eq!(ended, [Some(TimeDelta::hours(w)), Some(TimeDelta::hours(2)), Some(TimeDelta::hours(d))], "{wait}");
        assert!(events.iter().map(Event::at).is_sorted(), "{wait}");
    }
}

#[test]
fn an_added_wait_passes_and_delays_the_steps_after_it() {
    let calls = |first: &str| steps(&format!("{first}  b: {{ call: p.b }}\n  c: {{ after: [b], call: p.c }}\n"));
    let past = past(&calls(""), |story| {
        story.pass(HOUR);
        story.answer("b", done()).whatever();
        story.pass(HOUR);
        story.answer("c", done()).whatever();
    });
    let added = calls("  w: { wait: 90m }\n");
    assert_eq!(tried(&past, &added), Verdict::Same);
    let events = run_events(&past, &added);
    assert_eq!(ended_at(&events, "w"), Some(TimeDelta::minutes(90)));
    assert_eq!(
        (ended_at(&events, "b"), ended_at(&events, "c")),
        (Some(TimeDelta::hours(1)), Some(TimeDelta::hours(2)))
    );
    let before = calls("  w: { wait: 1d }\n").replace("b: { call", "b: { after: [w], call");
    assert_eq!(tried(&past, &before), Verdict::Same);
    let events = run_events(&past, &before);
    assert_eq!(
        (ended_at(&events, "b"), ended_at(&events, "c")),
        (Some(TimeDelta::hours(25)), Some(TimeDelta::hours(26)))
    );
}

#[test]
fn an_attempt_that_comes_sooner_in_the_run_matches_the_recorded_one() {
    let calls = |first: &str| steps(&format!("{first}  a: {{ call: p.a, retry: {{ attempts: 2 }} }}\n"));
    let past = past(&calls(""), |story| {
        story.answer("a", unclear("503")).whatever();
        // No instance wakes the order for an hour.
        story.tick_after(HOUR).whatever();
        story.answer("a", done()).whatever();
    });
    assert_eq!(tried(&past, &calls("")), Verdict::Same);
    let waiting = calls("  w: { wait: 30m }\n");
    assert_eq!(tried(&past, &waiting), Verdict::Same);
    let again = |event: &Event| matches!(event, Event::StepStarted(e) if e.attempt == 2);
    let events = run_events(&past, &waiting);
    let at: Vec<TimeDelta> =
        events.iter().filter(|event| again(event)).map(|e| e.at() - Timestamp::UNIX_EPOCH).collect();
    assert_eq!(at, [TimeDelta::minutes(30)]);
}

#[test]
fn nothing_is_due_in_a_pause_and_a_wait_continues_after_it() {
    let waiting = |wait: &str| steps(&format!("  w: {{ wait: {wait} }}\n  c: {{ after: [w], call: p.c }}\n"));
    let past = past(&waiting("1h"), |story| {
        story.pass(HOUR / 2);
        story.operate(Operation::Pause).whatever();
        story.pass(HOUR * 100);
        story.operate(Operation::Resume).whatever();
        story.tick_when_due().whatever();
        story.answer("c", done()).whatever();
    });
    for (wait, minutes) in [("1h", 60), ("40m", 40), ("2h", 120)] {
        assert_eq!(tried(&past, &waiting(wait)), Verdict::Same, "{wait}");
        let ended = ended_at(&run_events(&past, &waiting(wait)), "w");
        assert_eq!(ended, Some(TimeDelta::hours(100) + TimeDelta::minutes(minutes)), "{wait}");
    }
}

#[test]
fn a_pause_lasts_as_long_as_recorded_even_if_it_begins_later() {
    let calls = |of_b: &str, of_c: &str| {
        steps(&format!(
            "  a: {{ call: p.a }}\n  b: {{ {of_b}call: p.b }}\n  c: {{ {of_c}call: p.c }}\n  d: {{ call: p.d }}\n"
        ))
    };
    let (side_by_side, in_turn) = (calls("", ""), calls("after: [a], ", "after: [b], "));
    let past = past(&side_by_side, |story| {
        for step in ["c", "b", "a"] {
            story.pass(HOUR);
            story.answer(step, done()).whatever();
        }
        for (held, after) in [(10, 1), (7, 2)] {
            story.operate(Operation::Pause).whatever();
            story.pass(HOUR * held);
            story.operate(Operation::Resume).whatever();
            story.pass(HOUR * after);
        }
        story.answer("d", done()).whatever();
    });
    let pauses = |events: &[Event]| -> Vec<i64> {
        let at = |event: &Event| (event.at() - Timestamp::UNIX_EPOCH).num_hours();
        events.iter().filter(|event| matches!(event, Event::OrderPaused(_) | Event::OrderResumed(_))).map(at).collect()
    };
    assert_eq!(pauses(&run_events(&past, &side_by_side)), [3, 13, 14, 21]);
    // The second pause begins as soon as the first has ended, because it was due before.
    assert_eq!(pauses(&run_events(&past, &in_turn)), [6, 16, 16, 23]);
    assert_eq!(tried(&past, &in_turn), Verdict::Same);
}

#[test]
fn a_wait_that_was_given_up_is_unknown_where_the_run_continues_it() {
    let source = |undone: &str| {
        steps(&format!("  a: {{ call: p.a, outcomes: [good, bad]{undone} }}\n  b: {{ request: p.b, timeout: 3d }}\n"))
    };
    let past = past(&source(", compensate-on: [bad]"), |story| {
        story.answer("b", Reply::Accepted).whatever();
        story.answer("a", answered("bad")).whatever();
    });
    assert_eq!(tried(&past, &source(", compensate-on: [bad]")), Verdict::Same);
    let verdict = tried(&past, &source(""));
    assert_eq!(unknown(verdict), [("p.b".to_owned(), UnknownKind::NotWaitedFor)]);
}

#[test]
fn an_attempt_without_a_record_is_unknown_unless_it_was_still_due() {
    let source =
        |attempts: u32| steps(&format!("  a: {{ call: p.a, undo: p.b, retry: {{ attempts: {attempts} }} }}\n"));
    let used_up = past(&source(1), |story| story.answer("a", unclear("503")).whatever());
    assert_eq!(unknown(tried(&used_up, &source(3))), [("p.a".to_owned(), UnknownKind::NoFurtherAttempt)]);
    let backing_off = past(&source(2), |story| story.answer("a", unclear("503")).whatever());
    for attempts in [2, 3] {
        assert_eq!(tried(&backing_off, &source(attempts)), Verdict::Same);
    }
}

#[test]
fn an_unknown_outcome_that_the_new_definition_knows_is_not_recorded_whole() {
    let source = |known: &str| steps(&format!("  a: {{ call: p.a, {known}, retry: {{ attempts: 3 }} }}\n"));
    let odd = past(&source("outcomes: [even]"), |story| {
        story.answer("a", answered("odd")).whatever();
        story.tick_when_due().whatever();
        story.answer("a", answered("even")).whatever();
    });
    for (known, is_known) in
        [("outcomes: [even]", true), ("outcomes: [even, prime]", true), ("outcomes: [even, odd]", false)]
    {
        let verdict = tried(&odd, &source(known));
        if is_known {
            assert_eq!(verdict, Verdict::Same, "{known}");
        } else {
            assert_eq!(unknown(verdict), [("p.a".to_owned(), UnknownKind::NotRecorded)], "{known}");
        }
    }
    let unnamed = past(&source("outcome: required"), |story| {
        story.answer("a", done()).whatever();
        story.tick_when_due().whatever();
        story.answer("a", answered("even")).whatever();
    });
    assert_eq!(tried(&unnamed, &source("outcome: required")), Verdict::Same);
    assert_eq!(unknown(tried(&unnamed, &source("timeout: 9s"))), [("p.a".to_owned(), UnknownKind::NotRecorded)]);
    // With only one attempt, the step fails for good by the same answer.
    let once =
        source("outcomes: [even]").replace("attempts: 3", "attempts: 1").replace("  a:", "  z: { call: p.z }\n  a:");
    let parts = run_events(&odd, &once);
    let failed = parts.iter().find_map(|event| match event {
        Event::StepFailed(e) => Some(e.error.as_str()),
        _ => None,
    });
    assert_eq!(failed, Some("answered \"odd\", which is none of its outcomes: even (attempt 1, the last)"));
}

#[test]
fn an_unexpected_acceptance_is_out_of_step_where_the_definition_allows_it() {
    let source = |kind: &str| steps(&format!("  a: {{ {kind}: p.a, retry: {{ attempts: 3 }} }}\n"));
    let in_vain = past(&source("call"), |story| {
        story.answer("a", Reply::Accepted).whatever();
        story.tick_when_due().whatever();
        story.answer("a", done()).whatever();
    });
    assert_eq!(tried(&in_vain, &source("call")), Verdict::Same);
    assert_eq!(unknown(tried(&in_vain, &source("request"))), [("p.a".to_owned(), UnknownKind::OutOfStep)]);
    // Conversely: a request was accepted and is overdue, and now it must not be accepted.
    let overdue = past(&source("request"), |story| {
        story.answer("a", Reply::Accepted).whatever();
        story.tick_when_due().whatever();
    });
    assert_eq!(tried(&overdue, &source("request")), Verdict::Same);
    assert_eq!(unknown(tried(&overdue, &source("call"))), [("p.a".to_owned(), UnknownKind::OutOfStep)]);
}

#[test]
fn an_operator_skips_a_step_with_the_recorded_outcome() {
    let source =
        steps("  a: { request: p.a, outcomes: [yes, no], compensate-on: [no] }\n  b: { after: [a], call: p.b }\n");
    let past = past(&source, |story| {
        story.operate(Operation::Skip { step: "a".into(), outcome: Some("yes".into()), data: Value::Null }).whatever();
        story.answer("b", done()).whatever();
    });
    assert_eq!(tried(&past, &source), Verdict::Same);
}

#[test]
fn every_kind_of_unknown_has_a_name_and_a_sentence() {
    use UnknownKind::{NeverAsked, NoFurtherAttempt, NotRecorded, NotWaitedFor, OtherInput, OutOfStep, PersonalData};
    for (kind, name, sentence) in [
        (NeverAsked, "never-asked", "was never asked"),
        (OtherInput, "other-input", "was requested with another input"),
        (NoFurtherAttempt, "no-further-attempt", "was requested fewer times"),
        (NotWaitedFor, "not-waited-for", "was waited for a shorter time"),
        (NotRecorded, "not-recorded", "gave an answer that was not completely recorded"),
        (PersonalData, "personal-data", "depends on personal data that cannot be read"),
        (OutOfStep, "out-of-step", "was not requested in this way"),
    ] {
        assert_eq!((kind.as_str(), kind.in_words()), (name, sentence));
    }
}
