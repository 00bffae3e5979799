//! Orders as they were.

use chrono::{DateTime, TimeDelta, Utc};
use domain::order::{
    Direction, Event, Mode, OrderPaused, OrderPlaced, OrderResumed, OrderStuck, PersonalData, StatusChanged,
    StepAttemptFailed, StepCompleted, StepFailed, StepStarted, WorkflowRef,
};
use domain::wire::{self, CHAIN_START, Context};
use event_store::{EventStore, Expected, NewEvent};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::support::{World, anyones, epoch, no_log};

const ORDER: &str = "id status state revision position updatedAt";

fn at(seconds: i64) -> DateTime<Utc> {
    epoch() + TimeDelta::seconds(seconds)
}

/// Placed at second 0, charged at the second attempt by second 5, paused at second 8 while
/// notifying failed.
fn life(id: &str) -> Vec<Event> {
    let placed = OrderPlaced {
        placed_by: None,
        order_id: domain::ids::OrderId::new(id).unwrap(),
        workflow: WorkflowRef { name: "order-fulfilment".into(), version: 1 },
        customer_id: "VINET".into(),
        personal: PersonalData { name: Some("Vins et alcools".into()), ..PersonalData::default() },
        sealed: None,
        currency: "EUR".into(),
        lines: Vec::new(),
        total: "168.00".parse().unwrap(),
        attributes: Map::from_iter([("gift".into(), true.into())]),
        status: "Placed".into(),
        fingerprint: "ab".repeat(32),
        at: at(0),
    };
    let started = |step: &str, attempt: u32, seconds: i64| {
        Event::StepStarted(StepStarted {
            step: step.into(),
            direction: Direction::Do,
            attempt,
            participant: "payments".into(),
            action: step.into(),
            mode: Mode::Call,
            input: None,
            placeholders: None,
            new_key: false,
            deadline: at(seconds + 60),
            at: at(seconds),
        })
    };
    let failed = |step: &str, seconds: i64| {
        Event::StepAttemptFailed(StepAttemptFailed {
            step: step.into(),
            direction: Direction::Do,
            attempt: 1,
            error: "503".into(),
            lost: false,
            unsent: false,
            misconfigured: false,
            maybe_done: false,
            retry_at: at(seconds + 2),
            at: at(seconds),
        })
    };
    vec![
        Event::OrderPlaced(Box::new(placed)),
        started("charge", 1, 0),
        failed("charge", 2),
        started("charge", 2, 4),
        Event::StepCompleted(StepCompleted {
            step: "charge".into(),
            direction: Direction::Do,
            outcome: "charged".into(),
            basis: domain::order::Basis::Answer,
            data: json!({ "receipt": 7 }),
            answer_key: None,
            open_until: None,
            at: at(5),
        }),
        Event::StatusChanged(StatusChanged { status: "Charged".into(), step: "charge".into(), at: at(5) }),
        started("notify", 1, 6),
        failed("notify", 7),
        Event::OrderPaused(OrderPaused { at: at(8) }),
    ]
}

pub async fn record(log: &EventStore, id: &str, events: &[Event]) {
    let mut hash = CHAIN_START.to_owned();
    let context = Context { correlation_id: id.to_owned(), ..Context::default() };
    let mut recorded = Vec::new();
    for event in events {
        let event_id = Uuid::now_v7();
        let encoded = wire::encode(event, event_id, &hash, &context).unwrap();
        hash.clone_from(&encoded.hash);
        let (data, metadata) = (encoded.data.into(), encoded.metadata.into());
        recorded.push(NewEvent { id: event_id, event_type: encoded.event_type.to_owned(), data, metadata });
    }
    log.append(&format!("order-{id}"), Expected::NoStream, recorded).await.unwrap();
}

/// The order as of then; `when` is an argument.
async fn as_of(world: &World, when: &str, fields: &str) -> Value {
    world.ask(&format!("{{ order(id: \"1\", {when}) {{ {fields} }} }}"), Value::Null).await["order"].take()
}

#[tokio::test]
async fn an_order_is_shown_as_each_of_its_events_left_it() {
    let (world, log) = World::with_log().await;
    record(&log, "1", &life("1")).await;
    let fields =
        "status state revision steps { id status attempts outcome data lastError startedAt endedAt nextAttemptAt }
                  timeline { nodes { revision type summary } pageInfo { hasNextPage } }";
    let placed = as_of(&world, "atRevision: 0", fields).await;
    assert_eq!(
        (&placed["status"], &placed["state"], &placed["revision"]),
        (&json!("Placed"), &json!("RUNNING"), &json!(0))
    );
    assert_eq!(placed["steps"], json!([]));
    assert_eq!(placed["timeline"]["nodes"].as_array().unwrap().len(), 1);

    let failed = as_of(&world, "atRevision: 2", fields).await;
    assert_eq!(
        failed["steps"],
        json!([{ "id": "charge", "status": "RETRYING", "attempts": 1, "outcome": null, "data": null, "lastError": "503",
                 "startedAt": "2026-01-01T00:00:00+00:00", "endedAt": null, "nextAttemptAt": "2026-01-01T00:00:04+00:00" }])
    );

    let charged = as_of(&world, "atRevision: 5", fields).await;
    assert_eq!(charged["status"], "Charged");
    assert_eq!(
        (&charged["steps"][0]["outcome"], &charged["steps"][0]["data"]),
        (&json!("charged"), &json!({ "receipt": 7 }))
    );
    let last = charged["timeline"]["nodes"].as_array().unwrap().last().unwrap();
    assert_eq!(*last, json!({ "revision": 5, "type": "StatusChanged", "summary": "The order is Charged" }));

    let paused =
        as_of(&world, "atRevision: 8", &format!("{ORDER} customer {{ name }} total attributes workflow {{ version }}"))
            .await;
    assert_eq!((&paused["state"], &paused["updatedAt"]), (&json!("PAUSED"), &json!("2026-01-01T00:00:08+00:00")));
    assert_eq!((&paused["customer"]["name"], &paused["total"]), (&json!("Vins et alcools"), &json!("168.00")));
    assert_eq!((&paused["attributes"], &paused["workflow"]["version"]), (&json!({ "gift": true }), &json!(1)));
}

#[tokio::test]
async fn an_order_that_is_held_by_a_mistake_is_shown_as_stuck_with_the_mistake() {
    let (world, log) = World::with_log().await;
    let mut events = life("1");
    events.truncate(2);
    let error = "401 Unauthorized: the key has expired";
    events.push(Event::StepFailed(StepFailed {
        step: "charge".into(),
        direction: Direction::Do,
        error: error.into(),
        maybe_done: false,
        misconfigured: true,
        unsent: false,
        answer_key: None,
        at: at(2),
    }));
    let reason = format!("payments.charge is held for an operator: {error}");
    events.push(Event::OrderStuck(OrderStuck { step: "charge".into(), direction: Direction::Do, reason, at: at(2) }));
    record(&log, "1", &events).await;
    let fields = "state stuckReason endedAt steps { id status lastError nextAttemptAt endedAt }";
    let held = as_of(&world, "atRevision: 3", fields).await;
    assert_eq!((&held["state"], &held["endedAt"]), (&json!("STUCK"), &Value::Null));
    assert!(held["stuckReason"].as_str().unwrap().contains(error), "{held}");
    assert_eq!((&held["steps"][0]["status"], &held["steps"][0]["nextAttemptAt"]), (&json!("STUCK"), &Value::Null));
    assert!(held["steps"][0]["lastError"].as_str().unwrap().contains(error), "{held}");
    assert_eq!(
        as_of(&world, "atRevision: 1", "state stuckReason").await,
        json!({ "state": "RUNNING", "stuckReason": null })
    );
}

#[tokio::test]
async fn a_moment_counts_what_had_been_decided_by_then() {
    let (world, log) = World::with_log().await;
    record(&log, "1", &life("1")).await;
    for (moment, revision) in [
        ("2025-12-31T23:59:59.999Z", None),
        ("2026-01-01T00:00:00Z", Some(1)),
        ("2026-01-01T00:00:03.999Z", Some(2)),
        ("2026-01-01T00:00:05Z", Some(5)),
        // The same moment elsewhere.
        ("2026-01-01T02:00:06+02:00", Some(6)),
        ("2026-01-01T00:00:08Z", Some(8)),
        ("9999-12-31T23:59:59Z", Some(8)),
    ] {
        let order = as_of(&world, &format!("asOf: \"{moment}\""), "revision").await;
        assert_eq!(order, revision.map_or(Value::Null, |revision| json!({ "revision": revision })), "{moment}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_an_error_and_what_is_not_there_is_null() {
    let (world, log) = World::with_log().await;
    record(&log, "1", &life("1")).await;
    for (arguments, code, message) in [
        (
            "atRevision: 1, asOf: \"2026-01-01T00:00:00Z\"",
            "BAD_USER_INPUT",
            "`atRevision` and `asOf` cannot be used together",
        ),
        ("atRevision: -1", "BAD_USER_INPUT", "`atRevision` must not be negative"),
        ("atRevision: 9", "NO_SUCH_REVISION", "the order has no revision 9 (yet): its last is 8"),
    ] {
        let answer = world.try_ask(&format!("{{ order(id: \"1\", {arguments}) {{ id }} }}"), Value::Null).await;
        assert_eq!(
            (&answer["errors"][0]["message"], &answer["errors"][0]["extensions"]["code"]),
            (&json!(message), &json!(code))
        );
        assert_eq!(answer["data"], json!({ "order": null }), "{answer}");
        let last = &answer["errors"][0]["extensions"]["lastRevision"];
        assert_eq!(*last, if code == "NO_SUCH_REVISION" { json!(8) } else { Value::Null });
    }
    let query = "query ($id: ID!) { a: order(id: $id, atRevision: 0) { id } b: order(id: $id, asOf: \"2030-01-01T00:00:00Z\") { id } }";
    for id in ["unknown", "", "a\0b", "../x"] {
        assert_eq!(world.ask(query, json!({ "id": id })).await, json!({ "a": null, "b": null }), "{id:?}");
    }
}

#[tokio::test]
async fn a_long_history_is_read_in_pages_and_its_timeline_paged_both_ways() {
    let (world, log) = World::with_log().await;
    let mut events = vec![life("1").swap_remove(0)];
    for pause in 0..600 {
        events.push(Event::OrderPaused(OrderPaused { at: at(2 * pause) }));
        events.push(Event::OrderResumed(OrderResumed { at: at(2 * pause + 1) }));
    }
    record(&log, "1", &events).await;
    let order = as_of(&world, "asOf: \"2027-01-01T00:00:00Z\"", "revision state").await;
    assert_eq!(order, json!({ "revision": 1200, "state": "RUNNING" }));
    assert_eq!(as_of(&world, "atRevision: 999", "revision state").await, json!({ "revision": 999, "state": "PAUSED" }));

    let query = "query ($first: Int, $after: String, $last: Int, $before: String) { order(id: \"1\", atRevision: 999) {
        timeline(first: $first, after: $after, last: $last, before: $before) { edges { cursor node { revision } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";
    for (size, cursor, more, next) in
        [("first", "after", "hasNextPage", "endCursor"), ("last", "before", "hasPreviousPage", "startCursor")]
    {
        let (mut seen, mut at) = (Vec::new(), Value::Null);
        loop {
            let mut data = world.ask(query, json!({ size: 130, cursor: at })).await;
            let mut page = data["order"]["timeline"].take();
            let revisions =
                page["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["revision"].as_i64().unwrap());
            let place = if size == "last" { 0 } else { seen.len() };
            seen.splice(place..place, revisions);
            at = page["pageInfo"][next].take();
            if page["pageInfo"][more] == false {
                break;
            }
        }
        assert!(seen.iter().copied().eq(0..1000), "{size}: {seen:?}");
    }
}

#[tokio::test]
async fn a_log_that_is_down_or_holds_an_event_that_cannot_be_read_is_reported() {
    let (mut world, log) = World::with_log().await;
    record(&log, "1", &life("1")).await;
    let strange = |event_type: &str| NewEvent {
        id: Uuid::now_v7(),
        event_type: event_type.to_owned(),
        data: b"{}".as_slice().into(),
        metadata: b"{}".as_slice().into(),
    };
    log.append("order-1", Expected::Any, vec![strange("OrderDanced")]).await.unwrap();
    let answer = world.try_ask("{ order(id: \"1\", atRevision: 9) { id } }", Value::Null).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNREADABLE");
    assert_eq!(
        as_of(&world, "atRevision: 8", "revision").await,
        json!({ "revision": 8 }),
        "what comes before can be read"
    );

    let router = anyones(query_api::router(world.pool.clone(), no_log(), &query_api::Options::default()));
    world.router = router;
    let answer =
        world.try_ask("{ order(id: \"1\", atRevision: 0) { id } now: order(id: \"1\") { id } }", Value::Null).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE");
    assert_eq!((&answer["errors"][0]["path"], &answer["errors"][1]), (&json!(["order"]), &Value::Null));
}
