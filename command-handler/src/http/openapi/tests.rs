//! The document against its golden copy, and against what the code takes.

use std::collections::BTreeSet;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::routing::get;
use domain::ids::OrderId;
use domain::order::request::{MAX_LINES, MAX_QUANTITY, check};
use domain::order::{State, StepStatus};
use domain::workflow::Workflow;
use http_request::body;
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use super::{PATH, handle};
use crate::http::{batch, idempotency_key, instruction};

/// The golden copy, as clients have it.
fn document() -> Value {
    serde_json::from_str(include_str!("../../../openapi.json")).unwrap()
}

#[test]
fn the_document_is_the_golden_copy() {
    let mut text = serde_json::to_string_pretty(&super::document()).unwrap();
    text.push('\n');
    crate::answer_shapes::golden("../openapi.json", &text);
}

fn schemas() -> Value {
    document()["components"]["schemas"].take()
}

fn everything() -> Value {
    let examples = "/paths/~1orders/post/requestBody/content/application~1json/examples";
    document().pointer(&format!("{examples}/everything/value")).unwrap().clone()
}

/// Every object of the document, with what leads to it.
fn visit(value: &Value, path: &str, seen: &mut impl FnMut(&str, &Map<String, Value>)) {
    match value {
        Value::Object(fields) => {
            seen(path, fields);
            for (name, field) in fields {
                visit(field, &format!("{path}/{name}"), seen);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| visit(item, path, seen)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn the_document_is_served_as_json() {
    let router: Router = Router::new().route(PATH, get(handle));
    let request = Request::get(PATH).body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    // The strict reader finds a key that is given twice.
    let value = domain::json::parse(&bytes).unwrap();
    assert_eq!(value["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_referred_to() {
    let document = document();
    let mut used = BTreeSet::new();
    visit(&document, "", &mut |path, fields| {
        if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
            assert!(target.strip_prefix('#').is_some_and(|t| document.pointer(t).is_some()), "{path}: {target}");
            used.insert(target.to_owned());
        }
    });
    // A security requirement names its scheme without `$ref`.
    for requirement in document["security"].as_array().unwrap() {
        used.extend(requirement.as_object().unwrap().keys().map(|name| format!("#/components/securitySchemes/{name}")));
    }
    for (kind, components) in document["components"].as_object().unwrap() {
        for name in components.as_object().unwrap().keys() {
            assert!(used.contains(&format!("#/components/{kind}/{name}")), "{kind}/{name} is not used");
        }
    }
}

/// The examples of a media type.
fn examples(media_type: &Value) -> Vec<&Value> {
    let named = media_type["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
    media_type.get("example").into_iter().chain(named).collect()
}

#[test]
fn every_error_is_a_problem_with_an_example_of_its_status() {
    let document = document();
    visit(&document["paths"], "", &mut |path, fields| {
        let Some(responses) = fields.get("responses").and_then(Value::as_object) else { return };
        for (status, response) in responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
            let shared = response["$ref"].as_str().and_then(|target| document.pointer(&target[1..]));
            let problem = &shared.unwrap_or(response)["content"]["application/problem+json"];
            let examples = examples(problem);
            assert!(!examples.is_empty(), "{path} {status}");
            for example in examples {
                assert_eq!(example["status"].to_string(), *status, "{path}");
                let reason = status.parse::<StatusCode>().unwrap().canonical_reason();
                assert_eq!(example["title"].as_str(), reason, "{path} {status}");
            }
        }
    });
}

#[test]
fn every_example_of_an_answer_has_the_fields_of_its_schema() {
    let (document, mut checked) = (document(), 0);
    let resolved = |place: &Value| match place["$ref"].as_str() {
        Some(target) => document.pointer(&target[1..]).unwrap().clone(),
        None => place.clone(),
    };
    visit(&document["paths"], "", &mut |path, fields| {
        for (status, response) in fields.get("responses").and_then(Value::as_object).into_iter().flatten() {
            for (_, content) in resolved(response)["content"].as_object().into_iter().flatten() {
                let schema = resolved(&content["schema"]);
                for example in examples(content).into_iter().filter_map(Value::as_object) {
                    let required = schema["required"].as_array().unwrap();
                    let missing = required.iter().find(|name| !example.contains_key(name.as_str().unwrap()));
                    let unknown = example.keys().find(|name| schema["properties"].get(name).is_none());
                    assert_eq!((missing, unknown), (None, None), "{path} {status}");
                    checked += 1;
                }
            }
        }
    });
    assert!(checked > 20, "only {checked} examples");
}

#[test]
fn the_limits_are_those_of_the_code() {
    let (document, schemas) = (document(), schemas());
    assert_eq!(schemas["OrderId"]["maxLength"], OrderId::MAX_LENGTH);
    assert_eq!(schemas["NewOrder"]["properties"]["lines"]["maxItems"], MAX_LINES);
    assert_eq!(schemas["Line"]["properties"]["quantity"]["maximum"], MAX_QUANTITY);
    for path in ["/orders", "/orders/{id}/steps/{step}/outcome"] {
        let request = &document["paths"][path]["post"]["requestBody"];
        assert_eq!(request["x-max-bytes"], body::LARGEST_BODY, "{path}");
        assert_eq!(request["x-max-depth"], domain::json::MAX_DEPTH, "{path}");
    }
    assert_eq!(schemas["Reason"]["maxLength"], instruction::MAX_REASON);
    assert_eq!(schemas["Actor"]["maxLength"], instruction::MAX_ACTOR);
    assert_eq!(schemas["Batch"]["properties"]["orders"]["maxItems"], batch::MAX_ORDERS);
    assert_eq!(schemas["Texts"]["anyOf"][1]["maxItems"], domain::filter::MAX_VALUES);
    for field in ["outcome", "data"] {
        let (answer, skip) =
            (&schemas["Answer"]["properties"][field], &schemas["SkipInstruction"]["properties"][field]);
        assert_eq!((&answer["maxLength"], &answer["x-max-bytes"]), (&skip["maxLength"], &skip["x-max-bytes"]));
    }
    let too_large = &document["components"]["responses"]["TooLarge"];
    assert!(too_large.to_string().contains(&format!("at most {} bytes", body::LARGEST_BODY)));
}

/// A text of so many characters.
fn text(length: usize) -> Value {
    Value::String("x".repeat(length))
}

fn mail_address(length: usize) -> Value {
    let (local, label) = ("l".repeat(64), "d".repeat(63));
    Value::String(format!("{local}@{label}.{label}.{}", "e".repeat(length - 64 - 1 - 2 * 64)))
}

/// The longest are negative: as a zero, one is within what any currency and any total allow.
fn price(length: usize) -> Value {
    Value::String(format!("-{}.{}", "0".repeat(15), "0".repeat(length - 17)))
}

fn lines(count: usize) -> Value {
    Value::Array(vec![json!({ "sku": "11", "quantity": 1, "unitPrice": "1" }); count])
}

fn keys(count: usize) -> Value {
    (0..count).map(|number| (number.to_string(), Value::Null)).collect()
}

fn object_of_bytes(size: usize) -> Value {
    json!({ "a": "x".repeat(size - r#"{"a":""}"#.len()) })
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inner, _| json!({ "a": inner }))
}

#[test]
fn what_is_as_large_as_documented_is_taken_and_nothing_larger() {
    type Make = fn(usize) -> Value;
    let table: [(&str, &str, Make); 18] = [
        ("/orderId", "/OrderId/maxLength", text),
        ("/workflow", "/Name/maxLength", text),
        ("/customer/id", "/Customer/properties/id/maxLength", text),
        ("/customer/name", "/ShortText/maxLength", text),
        ("/customer/email", "/Customer/properties/email/maxLength", mail_address),
        ("/lines", "/NewOrder/properties/lines/maxItems", lines),
        ("/lines/0/sku", "/Line/properties/sku/maxLength", text),
        ("/lines/0/name", "/ShortText/maxLength", text),
        ("/lines/0/quantity", "/Line/properties/quantity/maximum", |quantity| json!(quantity)),
        ("/lines/0/unitPrice", "/Line/properties/unitPrice/maxLength", price),
        ("/shipTo/name", "/ShortText/maxLength", text),
        ("/shipTo/street", "/ShortText/maxLength", text),
        ("/shipTo/city", "/ShortText/maxLength", text),
        ("/shipTo/region", "/ShortText/maxLength", text),
        ("/shipTo/postalCode", "/ShortText/maxLength", text),
        ("/attributes", "/Attributes/maxProperties", keys),
        ("/attributes", "/Attributes/x-max-bytes", object_of_bytes),
        ("/attributes", "/Attributes/x-max-depth", nested),
    ];
    let (order, schemas) = (everything(), schemas());
    for (field, limit, make) in table {
        let most = usize::try_from(schemas.pointer(limit).unwrap().as_u64().unwrap()).unwrap();
        let taken = |size| {
            let mut order = order.clone();
            *order.pointer_mut(field).unwrap() = make(size);
            check(&order).is_ok()
        };
        assert!(taken(most), "{field}: {limit}");
        assert!(!taken(most + 1), "{field}: more than {limit}");
    }
}

#[test]
fn the_fields_are_those_of_the_code() {
    let (order, schemas) = (everything(), schemas());
    for (place, name) in [("", "NewOrder"), ("/customer", "Customer"), ("/lines/0", "Line"), ("/shipTo", "Address")] {
        let required = schemas[name]["required"].as_array().cloned().unwrap_or_default();
        let documented: BTreeSet<&String> = schemas[name]["properties"].as_object().unwrap().keys().collect();
        let shown = order.pointer(place).unwrap().as_object().unwrap();
        assert_eq!(shown.keys().collect::<BTreeSet<_>>(), documented, "{name}: the example has every field");
        for field in documented {
            let mut order = order.clone();
            order.pointer_mut(place).unwrap()[field] = Value::Null;
            assert_eq!(check(&order).is_err(), required.contains(&json!(field)), "{name}: {field} left out");
        }
        let mut order = order.clone();
        order.pointer_mut(place).unwrap()["unheardOf"] = json!(1);
        assert!(check(&order).is_err() && schemas[name]["additionalProperties"] == false, "{name}");
    }
}

#[test]
fn the_currencies_are_those_of_the_code() {
    let schemas = schemas();
    let documented: BTreeSet<&str> =
        schemas["Currency"]["enum"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    let mut order = everything();
    order["lines"] = lines(1);
    let letters = 'A'..='Z';
    for code in letters.clone().flat_map(|a| letters.clone().map(move |b| [a, b])) {
        for last in letters.clone() {
            let code = String::from_iter([code[0], code[1], last]);
            order["currency"] = json!(code);
            assert_eq!(check(&order).is_ok(), documented.contains(code.as_str()), "{code}");
        }
    }
}

#[test]
fn the_states_are_those_of_the_code() {
    use State::{Canceled, Compensating, Completed, Paused, Running, Stuck, Waiting};
    let states = [Running, Waiting, Paused, Compensating, Completed, Canceled, Stuck].map(State::as_str);
    assert_eq!(schemas()["State"]["enum"], json!(states));
    assert_eq!(schemas()["StepStatus"]["enum"], json!(StepStatus::BEGUN.map(StepStatus::as_str)));
}

#[test]
fn every_example_of_a_batch_is_one_and_together_they_have_every_field() {
    let (document, schemas) = (document(), schemas());
    let content = &document["paths"]["/orders/batch"]["post"]["requestBody"]["content"]["application/json"];
    let mut seen: BTreeSet<&String> = BTreeSet::new();
    let mut filtered: BTreeSet<&String> = BTreeSet::new();
    for example in examples(content) {
        assert!(batch::is_one(example.clone()), "{example}");
        seen.extend(example.as_object().unwrap().keys());
        filtered.extend(example["where"].as_object().into_iter().flat_map(Map::keys));
    }
    let documented =
        |name: &str| schemas[name]["properties"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(seen.into_iter().cloned().collect::<BTreeSet<_>>(), documented("Batch"));
    assert_eq!(filtered.into_iter().cloned().collect::<BTreeSet<_>>(), documented("OrderFilter"));
}

#[test]
fn a_key_is_as_long_as_documented() {
    let document = document();
    let parameter = &document["components"]["parameters"]["IdempotencyKey"];
    let forms = &parameter["schema"]["anyOf"];
    let longest = usize::try_from(forms[0]["maxLength"].as_u64().unwrap()).unwrap();
    assert!(forms[1]["pattern"].as_str().unwrap().contains(&format!("{{1,{longest}}}")));
    let taken = |key: &str| {
        let header = (parameter["name"].as_str().unwrap().parse().unwrap(), key.parse().unwrap());
        matches!(idempotency_key::read(&HeaderMap::from_iter([header])), Ok(Some(_)))
    };
    assert!(taken(parameter["example"].as_str().unwrap()));
    assert!(taken(&"k".repeat(longest)) && !taken(&"k".repeat(longest + 1)));
    let quoted = |length| format!("\"{}\"", r#"\""#.repeat(length));
    assert!(taken(&quoted(longest)) && !taken(&quoted(longest + 1)));
}

#[test]
fn a_workflow_file_is_as_large_as_documented() {
    let document = document();
    let request = &document["paths"]["/workflows"]["post"]["requestBody"];
    let most = usize::try_from(request["x-max-bytes"].as_u64().unwrap()).unwrap();
    let tiny = request["content"]["application/yaml"]["examples"]["tiny"]["value"].as_str().unwrap();
    let of_size = |size: usize| format!("{tiny}#{}", "x".repeat(size - tiny.len() - 1));
    assert!(Workflow::parse(&of_size(most)).is_ok());
    assert!(Workflow::parse(&of_size(most + 1)).is_err());
}
