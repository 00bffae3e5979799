//! One golden file for each event and version, kept for ever: Tenuto reads every old event.
//!
//! A changed event needs a new version, a new golden file, and a conversion from the old version. A
//! golden file never changes. `UPDATE_GOLDEN=1 cargo test -p domain golden` writes missing files.

use std::fs;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::*;
use crate::ids::OrderId;
use crate::order::{
    Address, Basis, CompensationCompleted, CompensationStarted, CustomerKey, DecisionSplit, Direction, Line, Mode,
    Operation, OperationRequested, OrderCanceled, OrderCompleted, OrderNoted, OrderPaused, OrderPlaced, OrderResumed,
    OrderStuck, PersonalData, Placeholders, RequestSettled, Settlement, StatusChanged, StepAccepted, StepAttemptFailed,
    StepCompleted, StepFailed, StepSkipped, StepStarted, WaitStarted, WorkflowRef,
};

fn at(milliseconds: i64) -> Timestamp {
    DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds)
}

pub(crate) fn placed() -> OrderPlaced {
    OrderPlaced {
        order_id: OrderId::new("10248").unwrap(),
        workflow: WorkflowRef { name: "order-fulfilment".into(), version: 1 },
        customer_id: "VINET".into(),
        personal: PersonalData {
            name: Some("Vins et alcools Chevalier".into()),
            email: Some("orders@vinet.example".into()),
            ship_to: Some(Address { city: Some("Reims".into()), country: Some("France".into()), ..Address::default() }),
        },
        sealed: None,
        currency: "EUR".into(),
        lines: vec![Line {
            sku: "11".into(),
            name: Some("Queso Cabrales".into()),
            quantity: 12,
            unit_price: "14.00".parse().unwrap(),
        }],
        total: "168.00".parse().unwrap(),
        attributes: Map::from_iter([("gift".into(), Value::Bool(true))]),
        status: "Placed".into(),
        placed_by: None,
        fingerprint: "ab".repeat(32),
        at: at(0),
    }
}

fn sealed() -> OrderPlaced {
    let key = CustomerKey::new(Uuid::from_u128(1), &[7; CustomerKey::LENGTH]).unwrap();
    placed().sealed_with(&key, Uuid::from_u128(1)).unwrap()
}

/// The first character of that text.
pub(crate) fn only(pointer: &str) -> Placeholders {
    serde_json::from_value(json!({ pointer: [0] })).unwrap()
}

/// One event of each type. The match in `type_name` and the count below keep the list complete.
fn one_of_each() -> Vec<Event> {
    let step = || "ship".to_owned();
    vec![
        Event::OrderPlaced(Box::new(placed())),
        Event::StepStarted(StepStarted {
            step: step(),
            direction: Direction::Do,
            attempt: 1,
            participant: "shipping".into(),
            action: "ship".into(),
            mode: Mode::Request,
            input: Some(json!({ "lines": [] })),
            placeholders: None,
            new_key: false,
            deadline: at(10_001),
            at: at(1),
        }),
        Event::StepAccepted(StepAccepted {
            step: step(),
            direction: Direction::Do,
            deadline: at(86_400_002),
            at: at(2),
        }),
        Event::StepCompleted(StepCompleted {
            step: step(),
            direction: Direction::Do,
            outcome: "backordered".into(),
            basis: Basis::Answer,
            data: json!({ "missing": [{ "sku": "11", "short": 2 }] }),
            answer_key: Some("answer-1".into()),
            open_until: Some(at(2_592_000_003)),
            at: at(3),
        }),
        Event::StepAttemptFailed(StepAttemptFailed {
            step: step(),
            direction: Direction::Undo,
            attempt: 2,
            error: "answered 503 Service Unavailable".into(),
            lost: true,
            unsent: false,
            misconfigured: false,
            maybe_done: false,
            retry_at: at(404),
            at: at(4),
        }),
        Event::StepFailed(StepFailed {
            step: step(),
            direction: Direction::Do,
            error: "answered 402 Payment Required".into(),
            maybe_done: false,
            misconfigured: false,
            unsent: false,
            answer_key: None,
            at: at(5),
        }),
        Event::StepSkipped(StepSkipped { step: step(), because: "false does not hold".into(), at: at(6) }),
        Event::StatusChanged(StatusChanged { status: "Shipped".into(), step: step(), at: at(7) }),
        Event::CompensationStarted(CompensationStarted { step: Some(step()), because: "no".into(), at: at(8) }),
        Event::CompensationCompleted(CompensationCompleted { at: at(9) }),
        Event::OrderCompleted(OrderCompleted {
            result: json!({ "tracking": "T-1" }),
            placeholders: None,
            result_error: Some("no such key".into()),
            at: at(10),
        }),
        Event::OrderCanceled(OrderCanceled { at: at(11) }),
        Event::OrderStuck(OrderStuck {
            step: step(),
            direction: Direction::Undo,
            reason: "payments.refund failed for good".into(),
            at: at(12),
        }),
        Event::WaitStarted(WaitStarted {
            step: "approve".into(),
            mode: Mode::Await,
            awaits: Some("approval".into()),
            input: Some(json!({ "total": "168.00" })),
            placeholders: None,
            deadline: at(172_800_013),
            at: at(13),
        }),
        Event::OrderPaused(OrderPaused { at: at(14) }),
        Event::OrderResumed(OrderResumed { at: at(15) }),
        Event::OrderPlaced(Box::new(sealed())),
    ]
    .into_iter()
    .chain(with_placeholders())
    .chain([
        Event::DecisionSplit(DecisionSplit { retry: Vec::new(), at: at(19) }),
        Event::OrderNoted(OrderNoted { at: at(20) }),
        Event::OperationRequested(Box::new(requested())),
        Event::RequestSettled(RequestSettled { request: 1, how: Settlement::Approved, at: at(22) }),
    ])
    .collect()
}

fn requested() -> OperationRequested {
    OperationRequested {
        request: 1,
        operation: Operation::Skip {
            step: "ship".to_owned(),
            outcome: Some("shipped".to_owned()),
            data: json!({ "tracking": "77" }),
        },
        requested_by: "ann, by ci".to_owned(),
        principal: "ci".to_owned(),
        reason: "sent by hand".to_owned(),
        approver: "operator".to_owned(),
        previewed_at: 9,
        expires_at: at(86_400_021),
        at: at(21),
    }
}

/// The events that list their real placeholders.
fn with_placeholders() -> [Event; 3] {
    let step = || "ship".to_owned();
    [
        Event::StepStarted(StepStarted {
            step: step(),
            direction: Direction::Do,
            attempt: 1,
            participant: "cards".into(),
            action: "print".into(),
            mode: Mode::Call,
            input: Some(json!({ "to": "⟦customer.email⟧", "text": "All the best, ⟦customer.name⟧" })),
            placeholders: Some(only("/to")),
            new_key: false,
            deadline: at(10_016),
            at: at(16),
        }),
        Event::WaitStarted(WaitStarted {
            step: "approve".into(),
            mode: Mode::Await,
            awaits: Some("approval".into()),
            input: Some(json!({ "text": "⟦customer.name⟧" })),
            placeholders: Some(Placeholders::default()),
            deadline: at(172_800_017),
            at: at(17),
        }),
        Event::OrderCompleted(OrderCompleted {
            result: json!({ "to": "⟦customer.email⟧", "ref": "17 ⟦customer.email⟧" }),
            placeholders: Some(only("/to")),
            result_error: None,
            at: at(18),
        }),
    ]
}

/// Events with a later field, each with the name of the field.
fn with_a_later_field() -> Vec<(&'static str, Event)> {
    vec![
        (
            "unsent",
            Event::StepAttemptFailed(StepAttemptFailed {
                step: "ship".into(),
                direction: Direction::Do,
                attempt: 1,
                error: "no turn came in time".into(),
                lost: false,
                unsent: true,
                misconfigured: false,
                maybe_done: false,
                retry_at: at(5_016),
                at: at(16),
            }),
        ),
        (
            "answer-key",
            Event::StepFailed(StepFailed {
                step: "ship".into(),
                direction: Direction::Do,
                error: "no van".into(),
                maybe_done: false,
                misconfigured: false,
                unsent: false,
                answer_key: Some("2b0c7a1e-5e0b-5d43-9a53-0c8e8a8d2f11".into()),
                at: at(17),
            }),
        ),
        (
            "unsent",
            Event::StepFailed(StepFailed {
                step: "ship".into(),
                direction: Direction::Do,
                error: "never sent since 1970-01-01 00:00:00 UTC: no turn came in time".into(),
                maybe_done: false,
                misconfigured: true,
                unsent: true,
                answer_key: None,
                at: at(86_400_018),
            }),
        ),
        ("retry", Event::DecisionSplit(DecisionSplit { retry: vec!["pack".into(), "ship".into()], at: at(19) })),
    ]
}

#[test]
fn what_is_written_of_a_later_field_is_the_golden_file() {
    for (field, event) in with_a_later_field() {
        let encoded = encode(&event, Uuid::nil(), CHAIN_START, &Context::default()).unwrap();
        assert_golden(&format!("{}.v{SCHEMA}.{field}.json", encoded.event_type), &written(&encoded));
    }
}

/// Events with later additions, each with a name for them.
fn later_additions() -> Vec<(&'static str, Event)> {
    let attempt = StepAttemptFailed {
        step: "ship".into(),
        direction: Direction::Do,
        attempt: 1,
        error: "answered 401 Unauthorized".into(),
        lost: false,
        unsent: false,
        misconfigured: true,
        maybe_done: true,
        retry_at: at(1_016),
        at: at(16),
    };
    let failed = StepFailed {
        step: "ship".into(),
        direction: Direction::Do,
        error: "answered 401 Unauthorized (attempt 2, the last)".into(),
        maybe_done: false,
        misconfigured: true,
        unsent: false,
        answer_key: None,
        at: at(17),
    };
    let again = StepStarted {
        step: "ship".into(),
        direction: Direction::Do,
        attempt: 3,
        participant: "shipping".into(),
        action: "ship".into(),
        mode: Mode::Request,
        input: None,
        placeholders: None,
        new_key: true,
        deadline: at(10_018),
        at: at(18),
    };
    vec![
        ("misconfigured", Event::StepAttemptFailed(attempt)),
        ("misconfigured", Event::StepFailed(failed)),
        ("new-key", Event::StepStarted(again)),
    ]
}

#[test]
fn an_acceptance_without_a_direction_is_forward() {
    let accepted = |direction| StepAccepted { step: "ship".into(), direction, deadline: at(10), at: at(1) };
    for (direction, named) in [(Direction::Do, Value::Null), (Direction::Undo, json!("undo"))] {
        let written = serde_json::to_value(accepted(direction)).unwrap();
        assert_eq!(written["direction"], named);
        assert_eq!(serde_json::from_value::<StepAccepted>(written).unwrap(), accepted(direction));
    }
}

fn written(encoded: &Encoded) -> Value {
    json!({
        "data": serde_json::from_slice::<Value>(&encoded.data).unwrap(),
        "metadata": serde_json::from_slice::<Value>(&encoded.metadata).unwrap(),
    })
}

/// Compares an event with a golden file. `UPDATE_GOLDEN` writes a missing file, and never changes
/// one.
#[track_caller]
pub(crate) fn assert_golden(name: &str, written: &Value) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    let written = format!("{written:#}\n");
    if std::env::var_os("UPDATE_GOLDEN").is_some() && !file.exists() {
        fs::write(&file, &written).unwrap();
    }
    let golden = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(written, golden, "{}", file.display());
}

#[test]
fn golden_files_are_what_is_written() {
    let mut chain = CHAIN_START.to_owned();
    let events = one_of_each().into_iter().map(|event| (String::new(), event));
    let events = events.chain(later_additions().into_iter().map(|(word, event)| (format!(".{word}"), event)));
    // The files are links of one chain, so the link of an event that came later is behind them.
    let is_later =
        |event: &Event| matches!(event, Event::OrderNoted(_) | Event::OperationRequested(_) | Event::RequestSettled(_));
    let (later, earlier): (Vec<_>, Vec<_>) = events.partition(|(_, event)| is_later(event));
    for (number, (addition, event)) in earlier.into_iter().chain(later).enumerate() {
        let context = Context {
            correlation_id: "10248".into(),
            causation_id: Some(Uuid::nil()),
            traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
            actor: Some("ann".into()),
            approved_by: matches!(event, Event::RequestSettled(_)).then(|| "bob".into()),
            reason: Some("asked for".into()),
            key: None,
        };
        let encoded = encode(&event, Uuid::from_u128(number as u128), &chain, &context).unwrap();
        let written = written(&encoded);
        let version = &written["metadata"]["schema"];
        assert_golden(&format!("{}.v{version}{addition}.json", encoded.event_type), &written);
        chain = encoded.hash;
    }
}

#[test]
fn every_golden_file_can_be_read() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut events = one_of_each();
    events.extend(with_a_later_field().into_iter().map(|(_, event)| event));
    events.extend(later_additions().into_iter().map(|(_, event)| event));
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        if file.is_dir() {
            continue;
        }
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let event_type = name.split('.').next().unwrap();
        let golden: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let (data, metadata) = (golden["data"].to_string(), golden["metadata"].to_string());
        let decoded = decode(event_type, data.as_bytes(), metadata.as_bytes()).unwrap();
        assert!(events.contains(&decoded.event), "{name} is read as {:?}", decoded.event);
        events.retain(|event| *event != decoded.event);
    }
    assert_eq!(events, [], "without a golden file");
}

#[test]
fn a_changed_byte_breaks_the_chain() {
    let event = Event::OrderCanceled(OrderCanceled { at: at(11) });
    let encoded = encode(&event, Uuid::nil(), "before", &Context::default()).unwrap();
    let metadata: Value = serde_json::from_slice(&encoded.metadata).unwrap();
    let hash = |previous: &str, data: &[u8]| link(previous, Uuid::nil(), encoded.event_type, data, &metadata);
    assert_eq!(hash("before", &encoded.data), encoded.hash);
    assert_ne!(hash("other", &encoded.data), encoded.hash);
    assert_ne!(hash("before", &[encoded.data.as_slice(), b" "].concat()), encoded.hash);
}

#[test]
fn unreadable_events_are_named() {
    let metadata = br#"{"$correlationId":"1","schema":1,"hash":""}"#;
    let error =
        |event_type: &str, data: &[u8], metadata: &[u8]| decode(event_type, data, metadata).unwrap_err().to_string();
    assert_eq!(error("Odd", b"{}", metadata), "unknown event type \"Odd\"");
    assert!(
        error("OrderCanceled", b"{}", metadata)
            .starts_with("the data of OrderCanceled cannot be read: missing field `at`")
    );
    assert!(error("OrderCanceled", b"{}", b"nonsense").starts_with("the metadata of OrderCanceled cannot be read"));
    let later = br#"{"$correlationId":"1","schema":2,"hash":""}"#;
    assert!(error("OrderCanceled", b"{}", later).contains("schema version 2"));
    let clear = serde_json::to_vec(&placed()).unwrap();
    assert!(error("OrderPlaced", &clear, later).contains("`sealed` does not go with the version"));
}
