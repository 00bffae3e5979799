//! The bounds that a decision is measured with. That of an event follows from its texts, without
//! encoding the event.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Value, json};

use super::limits::{Limits, json_bound, json_size};
use crate::Timestamp;
use crate::order::{
    Basis, CompensationStarted, Direction, Event, Mode, OrderCompleted, OrderPaused, OrderStuck, Placeholders,
    StatusChanged, StepAccepted, StepAttemptFailed, StepCompleted, StepFailed, StepSkipped, StepStarted, WaitStarted,
};

const AT: Timestamp = DateTime::UNIX_EPOCH;
/// The bytes that every event takes besides its texts and values.
const AROUND: usize = 640 + 400;

/// A text of so many bytes.
fn s(bytes: usize) -> String {
    "x".repeat(bytes)
}

/// The most bytes that such a text takes in JSON: quotes, and each byte escaped.
fn most(bytes: usize) -> usize {
    6 * bytes + 2
}

/// A value, and the most bytes that it takes.
fn value() -> (Value, usize) {
    (json!({ "ab": null }), most(2) + 5 + 2 + 2)
}

#[test]
fn the_bound_of_a_value_adds_its_texts_and_their_punctuation() {
    for (value, bound) in [
        (json!(null), 5),
        (json!(false), 5),
        (json!(-1.5e-300), 32),
        (json!(""), most(0)),
        (json!("é"), most(2)),
        (json!([]), 2),
        (json!([null, null]), 2 * (5 + 1) + 2),
        (json!({}), 2),
        (json!({ "ab": null }), most(2) + 5 + 2 + 2),
        (json!({ "ab": null, "c": [1] }), (most(2) + 5 + 2) + (most(1) + (32 + 1 + 2) + 2) + 2),
    ] {
        assert_eq!(json_bound(&value), bound, "{value}");
        assert!(json_size(&value) <= bound, "{value}");
    }
}

#[test]
fn the_bound_of_an_event_adds_its_texts_and_values() {
    let (direction, at, deadline) = (Direction::Do, AT, AT);
    let (input, input_bound) = value();
    let placeholders: Placeholders = serde_json::from_value(json!({ "/ab": [0] })).unwrap();
    let events = [
        (
            Event::StepStarted(StepStarted {
                step: s(1),
                direction,
                attempt: 1,
                participant: s(10),
                action: s(100),
                mode: Mode::Call,
                input: Some(input.clone()),
                placeholders: Some(placeholders.clone()),
                new_key: false,
                deadline,
                at,
            }),
            most(1) + most(10) + most(100) + input_bound + r#"{"/ab":[0]}"#.len(),
        ),
        (
            Event::WaitStarted(WaitStarted {
                step: s(1),
                mode: Mode::Await,
                awaits: Some(s(10)),
                input: Some(input.clone()),
                placeholders: None,
                deadline,
                at,
            }),
            most(1) + most(10) + input_bound,
        ),
        (Event::StepAccepted(StepAccepted { step: s(9), direction, deadline, at }), most(9)),
        (
            Event::StepCompleted(StepCompleted {
                step: s(1),
                direction,
                outcome: s(10),
                basis: Basis::Answer,
                data: input.clone(),
                answer_key: Some(s(100)),
                open_until: None,
                at,
            }),
            most(1) + most(10) + most(100) + input_bound,
        ),
        (
            Event::StepAttemptFailed(StepAttemptFailed {
                step: s(1),
                direction,
                attempt: 1,
                error: s(10),
                lost: false,
                unsent: false,
                misconfigured: false,
                maybe_done: false,
                retry_at: at,
                at,
            }),
            most(1) + most(10),
        ),
        (
            Event::StepFailed(StepFailed {
                step: s(1),
                direction,
                error: s(10),
                maybe_done: false,
                misconfigured: false,
                unsent: false,
                answer_key: Some(s(100)),
                at,
            }),
            most(1) + most(10) + most(100),
        ),
        (Event::StepSkipped(StepSkipped { step: s(1), because: s(10), at }), most(1) + most(10)),
        (Event::StatusChanged(StatusChanged { status: s(1), step: s(10), at }), most(1) + most(10)),
        (Event::CompensationStarted(CompensationStarted { step: Some(s(1)), because: s(10), at }), most(1) + most(10)),
        (
            Event::OrderCompleted(OrderCompleted { result: input, placeholders: None, result_error: Some(s(10)), at }),
            input_bound + most(10),
        ),
        (Event::OrderStuck(OrderStuck { step: s(1), direction, reason: s(10), at }), most(1) + most(10)),
        (Event::OrderPaused(OrderPaused { at }), 0),
    ];
    for (event, varies) in events {
        assert_eq!(Limits::bound(&event), AROUND + varies, "{}", event.type_name());
        assert!(Limits::size(&event) <= Limits::bound(&event), "{}", event.type_name());
    }
}

#[test]
fn a_value_that_cannot_be_written_counts_as_too_large() {
    let no_json = BTreeMap::from([((1, 2), 3)]);
    assert!(json_size(&no_json) > Limits::LOG.decision);
    assert!(json_size(&no_json).checked_add(json_size(&no_json)).is_some());
}
