//! Every request of `tests/wrong-requests.json` is refused with the listed answer, and leaves
//! nothing in the log.

use event_store::EventStore;
use reqwest::{Body, RequestBuilder};
use serde_json::{Value, json};

use crate::world::{World, order};

fn table() -> Value {
    serde_json::from_str(include_str!("../wrong-requests.json")).unwrap()
}

/// The bytes of a row's body; see `about` in the file.
fn body(row: &Value, valid: &Value) -> Vec<u8> {
    if let Some(body) = row.get("body") {
        return body.to_string().into_bytes();
    }
    if let Some(text) = row["bodyText"].as_str() {
        return text.as_bytes().to_vec();
    }
    if let Some(hex) = row["bodyHex"].as_str() {
        let byte = |index: usize| u8::from_str_radix(&hex[index..index + 2], 16).unwrap();
        return (0..hex.len()).step_by(2).map(byte).collect();
    }
    if let Some(generator) = row.get("bodyGenerator") {
        return match generated(generator) {
            Value::String(text) => text.into_bytes(),
            other => other.to_string().into_bytes(),
        };
    }
    let mut body = valid.clone();
    for (pointer, value) in row["set"].as_object().into_iter().flatten() {
        set(&mut body, pointer, value.clone());
    }
    for (pointer, generator) in row["generate"].as_object().into_iter().flatten() {
        set(&mut body, pointer, generated(generator));
    }
    for pointer in row["remove"].as_array().into_iter().flatten() {
        let (parent, name) = pointer.as_str().unwrap().rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
    }
    body.to_string().into_bytes()
}

fn set(body: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/").replace("~0", "~");
    match body.pointer_mut(parent).unwrap() {
        Value::Object(fields) => {
            fields.insert(name, value);
        }
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        other => panic!("{pointer} leads into {other}"),
    }
}

fn generated(generator: &Value) -> Value {
    let times = || usize::try_from(generator["times"].as_u64().unwrap()).unwrap();
    if let Some(text) = generator["repeat"].as_str() {
        return Value::String(text.repeat(times()));
    }
    if let Some(item) = generator.get("items") {
        return Value::Array(vec![item.clone(); times()]);
    }
    if let Some(depth) = generator["nested"].as_u64() {
        return (0..depth).fold(json!([]), |inner, _| json!([inner]));
    }
    (0..generator["keys"].as_u64().unwrap()).map(|number| (format!("key-{number}"), json!(number))).collect()
}

fn request(world: &World, path: &str, row: &Value, valid: &Value) -> RequestBuilder {
    let mut request = world.http.post(format!("{}{path}", world.base));
    match row.get("contentType") {
        None => request = request.header("content-type", "application/json"),
        Some(Value::String(media_type)) => request = request.header("content-type", media_type),
        Some(_) => {}
    }
    for (name, values) in row["headers"].as_object().into_iter().flatten() {
        match values {
            Value::Array(values) => {
                for value in values {
                    request = request.header(name, value.as_str().unwrap());
                }
            }
            value => request = request.header(name, value.as_str().unwrap()),
        }
    }
    let body = body(row, valid);
    if row["chunked"] == true {
        let chunks: Vec<Result<Vec<u8>, std::io::Error>> = body.chunks(64 * 1024).map(|c| Ok(c.to_vec())).collect();
        return request.body(Body::wrap_stream(futures::stream::iter(chunks)));
    }
    request.body(body)
}

/// What is wrong with an answer, if anything.
fn fault_in(row: &Value, status: u16, media_type: &str, problem: &Value) -> Option<String> {
    let statuses = match &row["expectStatus"] {
        Value::Array(statuses) => statuses.clone(),
        status => vec![status.clone()],
    };
    if !statuses.contains(&json!(status)) {
        return Some(format!("status {status}, not {}", row["expectStatus"]));
    }
    if media_type != "application/problem+json" || problem["status"] != json!(status) {
        return Some(format!("no problem: {media_type}"));
    }
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    let detail_at =
        |pointer: &str| errors.iter().find(|error| error["pointer"] == pointer).map(|error| &error["detail"]);
    let mut expected: Vec<&str> = row["expectPointer"].as_str().into_iter().collect();
    expected.extend(row["expectPointers"].as_array().into_iter().flatten().filter_map(Value::as_str));
    if let Some(missing) = expected.iter().find(|pointer| detail_at(pointer).is_none()) {
        return Some(format!("no error at {missing:?}"));
    }
    let detail = row["expectPointer"].as_str().and_then(detail_at).unwrap_or(&problem["detail"]);
    let part = row["expectDetailContains"].as_str().unwrap_or_default();
    (!detail.as_str().unwrap_or_default().contains(part)).then(|| format!("{part:?} is not in {detail}"))
}

async fn refused(world: &World, rows: &Value, valid: &Value, path: impl Fn(&Value) -> String) {
    let log = EventStore::connect(&world.log).unwrap();
    let before = log.head().await.unwrap();
    let mut errors = Vec::new();
    let rows = rows.as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        let response = match request(world, &path(row), row, valid).send().await {
            Ok(response) => response,
            Err(error) => {
                errors.push(format!("{}: {error:?}", row["name"]));
                continue;
            }
        };
        let status = response.status().as_u16();
        let media_type = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("none");
        let media_type = media_type.to_owned();
        let text = response.text().await.unwrap();
        let problem = serde_json::from_str(&text).unwrap_or_default();
        if let Some(fault) = fault_in(row, status, &media_type, &problem) {
            errors.push(format!("{}: {fault}\n    {text}", row["name"]));
        }
    }
    assert!(errors.is_empty(), "{} of {} rows:\n{}", errors.len(), rows.len(), errors.join("\n"));
    assert_eq!(log.head().await.unwrap(), before, "something reached the log");
}

#[tokio::test]
async fn an_invalid_order_is_refused_with_the_place_of_the_fault() {
    let world = World::new().await;
    let table = table();
    assert!(table["orders"].as_array().unwrap().len() >= 40);
    refused(&world, &table["orders"], &table["validOrder"], |_| "/orders".to_owned()).await;
}

#[tokio::test]
async fn an_invalid_answer_or_operation_is_refused_with_the_place_of_the_fault() {
    let world = World::new().await;
    world.place(&order("waiting", "order-fulfilment", "11", 1)).await;
    world.comes_to("waiting", "BackOrdered", "WAITING").await;
    let table = table();
    let path = |row: &Value| row["path"].as_str().unwrap().replace("{order}", "waiting").replace("{step}", "ship");
    refused(&world, &table["outcomes"], &table["validOutcome"], path).await;
    refused(&world, &table["operations"], &table["validInstruction"], path).await;
    refused(&world, &table["batches"], &table["validBatch"], |_| "/orders/batch".to_owned()).await;
}
