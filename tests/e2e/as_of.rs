//! Orders as of any moment, compared with a second interpretation of the log that shares no code
//! with the first: it has the JSON of the events, and the effect of each event on an order.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use event_store::EventStore;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::northwind;
use crate::process::from_environment;
use crate::world::World;

/// The number of orders, and of moments for each.
const ORDERS: usize = 50;
const MOMENTS: usize = 50;
/// Moments in one query.
const AT_ONCE: usize = 10;

const FIELDS: &str =
    "id status state revision currency total placedAt updatedAt endedAt result stuckReason customer { id name email }
    workflow { name version } lines { sku quantity unitPrice }
    steps { id participant action mode status outcome data attempts lastError since dueAt startedAt endedAt nextAttemptAt }
    timeline(first: 200) { nodes { revision type step data hash } }";

/// The customer of each order of Northwind.
static CUSTOMERS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let text = std::fs::read_to_string(northwind::file("orders.jsonl")).unwrap();
    let orders = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    orders.map(|mut order| (order["orderId"].as_str().unwrap().to_owned(), order["customer"].take())).collect()
});

/// Compares orders of this world at moments before, during and after their lives.
pub async fn orders_were_as_their_events_say(world: &World, ids: &[&str]) {
    let seed = from_environment("TENUTO_AS_OF_SEED", rand::random());
    println!("TENUTO_AS_OF_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let log = EventStore::connect(&world.log).unwrap();
    let (mut compared, mut absent) = (0, 0);
    for id in ids.choose_multiple(&mut dice, ORDERS) {
        let events = read(&log, id).await;
        let (first, last) = (events[0].at, events[events.len() - 1].at);
        let (before, around) = ((last - first).num_milliseconds() / 20 + 20, (last - first).num_milliseconds() + 20);
        let moments = (0..MOMENTS).map(|_| first + TimeDelta::milliseconds(dice.random_range(-before..around)));
        let moments: Vec<DateTime<Utc>> = moments.collect();
        for some in moments.chunks(AT_ONCE) {
            let asked = some.iter().enumerate().map(|(index, moment)| {
                let moment = moment.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
                format!("m{index}: order(id: {id:?}, asOf: {moment:?}) {{ {FIELDS} }}")
            });
            let mut answer = world.query(&format!("{{ {} }}", asked.collect::<Vec<_>>().join(" "))).await;
            for (index, moment) in some.iter().enumerate() {
                let by_then = events.iter().take_while(|event| event.at <= *moment);
                let expected = by_then.fold(Value::Null, happen);
                absent += usize::from(expected.is_null());
                compared += 1;
                assert_eq!(comparable(answer[format!("m{index}")].take()), expected, "order {id} as of {moment}");
            }
        }
        let all = events.iter().fold(Value::Null, happen);
        assert_eq!(comparable(world.order(id, FIELDS).await), all, "order {id} in the views");
        let last = format!("{{ order(id: {id:?}, atRevision: {}) {{ {FIELDS} }} }}", events.len() - 1);
        assert_eq!(comparable(world.query(&last).await["order"].take()), all, "order {id} at its last revision");
    }
    println!("{compared} moments of {ORDERS} orders compared, {absent} of them before the order was placed");
    assert_eq!(compared, ORDERS * MOMENTS);
    assert!(absent > 0 && absent < compared / 2, "{absent} moments before the order was placed");
}

/// An event in the log.
struct Raw {
    revision: u64,
    kind: String,
    data: Value,
    hash: Value,
    at: DateTime<Utc>,
}

async fn read(log: &EventStore, id: &str) -> Vec<Raw> {
    let events = log.read_stream(&format!("order-{id}"), 0, 10_000).await.unwrap();
    let raw = events.iter().map(|event| {
        let data: Value = serde_json::from_slice(&event.data).unwrap();
        let metadata: Value = serde_json::from_slice(&event.metadata).unwrap();
        let at = data["at"].as_str().unwrap().parse().unwrap();
        Raw { revision: event.revision, kind: event.event_type.clone(), hash: metadata["hash"].clone(), data, at }
    });
    raw.collect()
}

/// An answer in the form of the second interpretation: steps by their ids, only those with events,
/// and without fields that only the definition has.
fn comparable(mut order: Value) -> Value {
    if order.is_null() {
        return order;
    }
    let mut begun = json!({});
    for mut step in order["steps"].take().as_array().unwrap().iter().cloned() {
        if step["status"] == "SKIPPED" {
            for planned in ["participant", "action", "mode"] {
                step[planned] = Value::Null;
            }
        }
        if !step["startedAt"].is_null() {
            begun[step["id"].as_str().unwrap()] = step.clone();
        }
    }
    order["steps"] = begun;
    order["timeline"] = order["timeline"]["nodes"].take();
    order
}

/// A moment in GraphQL's format.
fn moment(text: &Value) -> Value {
    text.as_str().map_or(Value::Null, |text| text.parse::<DateTime<Utc>>().unwrap().to_rfc3339().into())
}

/// The order after one more event.
fn happen(mut order: Value, event: &Raw) -> Value {
    let data = &event.data;
    let at = moment(&data["at"]);
    if event.kind == "OrderPlaced" {
        let lines = data["lines"].as_array().unwrap().iter();
        let lines = lines
            .map(|line| json!({ "sku": line["sku"], "quantity": line["quantity"], "unitPrice": line["unitPrice"] }));
        // In the log, personal data is sealed.
        let customer = &CUSTOMERS[data["orderId"].as_str().unwrap()];
        assert_eq!(customer["id"], data["customerId"]);
        order = json!({
            "id": data["orderId"], "status": data["status"], "state": "", "currency": data["currency"], "total": data["total"],
            "placedAt": at, "endedAt": null, "result": null, "stuckReason": null, "workflow": data["workflow"],
            "customer": { "id": customer["id"], "name": customer["name"], "email": customer["email"] },
            "lines": lines.collect::<Vec<_>>(), "steps": {}, "timeline": [],
        });
    }
    match event.kind.as_str() {
        "OrderPlaced" | "CompensationCompleted" => {}
        "StatusChanged" => order["status"] = data["status"].clone(),
        "CompensationStarted" => order["state"] = "COMPENSATING".into(),
        "OrderCompleted" => {
            order["result"] = data["result"].clone();
            order["state"] = "COMPLETED".into();
            order["endedAt"] = at.clone();
        }
        "OrderCanceled" => {
            order["state"] = "CANCELED".into();
            order["endedAt"] = at.clone();
        }
        of_a_step if of_a_step.starts_with("Step") => happen_to_step(&mut order["steps"], event, &at),
        other => panic!("no order of Northwind has a {other}"),
    }
    if !["COMPENSATING", "COMPLETED", "CANCELED"].contains(&order["state"].as_str().unwrap()) {
        let statuses = order["steps"].as_object().unwrap().values().map(|step| step["status"].as_str().unwrap());
        let open: Vec<&str> = statuses.filter(|status| ["RUNNING", "RETRYING", "WAITING"].contains(status)).collect();
        let waits = !open.is_empty() && open.iter().all(|status| *status == "WAITING");
        order["state"] = if waits { "WAITING" } else { "RUNNING" }.into();
    }
    let entry = json!({ "revision": event.revision, "type": event.kind, "step": data["step"], "data": data, "hash": event.hash });
    order["timeline"].as_array_mut().unwrap().push(entry);
    order["revision"] = event.revision.into();
    order["updatedAt"] = at;
    order
}

fn happen_to_step(steps: &mut Value, event: &Raw, at: &Value) {
    let data = &event.data;
    let id = data["step"].as_str().unwrap();
    if steps[id].is_null() {
        steps[id] = json!({
            "id": id, "participant": null, "action": null, "mode": null, "outcome": null, "data": null, "attempts": 0,
            "lastError": null, "startedAt": at, "endedAt": null,
        });
    }
    let undoing = data["direction"] == "undo";
    let changes: BTreeMap<&str, Value> = match event.kind.as_str() {
        "StepStarted" if undoing => [("status", "COMPENSATING".into())].into(),
        "StepStarted" => [
            ("status", "RUNNING".into()),
            ("participant", data["participant"].clone()),
            ("action", data["action"].clone()),
            ("mode", data["mode"].as_str().unwrap().to_uppercase().into()),
            ("attempts", data["attempt"].clone()),
        ]
        .into(),
        "StepAccepted" => [("status", if undoing { "COMPENSATING" } else { "WAITING" }.into())].into(),
        "StepAttemptFailed" => [
            ("status", if undoing { "COMPENSATING" } else { "RETRYING" }.into()),
            ("lastError", data["error"].clone()),
            ("nextAttemptAt", moment(&data["retryAt"])),
        ]
        .into(),
        "StepFailed" => [
            ("status", if undoing { "STUCK" } else { "FAILED" }.into()),
            ("lastError", data["error"].clone()),
            ("endedAt", at.clone()),
        ]
        .into(),
        "StepCompleted" if undoing => [("status", "COMPENSATED".into()), ("endedAt", at.clone())].into(),
        "StepCompleted" => [
            ("status", if data["openUntil"].is_null() { "COMPLETED" } else { "WAITING" }.into()),
            ("outcome", data["outcome"].clone()),
            ("data", data["data"].clone()),
            ("endedAt", at.clone()),
        ]
        .into(),
        "StepSkipped" => [("status", "SKIPPED".into()), ("endedAt", at.clone())].into(),
        other => panic!("no step of Northwind has a {other}"),
    };
    // On a busy machine a request may not get its turn in time. A request that was not sent is no
    // attempt.
    if event.kind == "StepAttemptFailed" && data["unsent"] == true && !undoing {
        steps[id]["attempts"] = (data["attempt"].as_u64().unwrap() - 1).into();
    }
    steps[id]["nextAttemptAt"] = Value::Null;
    steps[id]["since"] = at.clone();
    let due = ["deadline", "openUntil", "retryAt"].map(|name| &data[name]).into_iter().find(|due| !due.is_null());
    steps[id]["dueAt"] = due.map_or(Value::Null, moment);
    for (name, value) in changes {
        steps[id][name] = value;
    }
}
