//! Wrong requests are refused with a problem, and change nothing.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::world::{Reply, World};

fn charge(fields: &Value) -> Value {
    let mut body =
        json!({ "orderId": "1", "step": "s", "action": "charge", "input": { "amount": "1.00", "currency": "EUR" } });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

fn input(action: &str, input: &Value) -> Value {
    json!({ "orderId": "1", "step": "s", "action": action, "input": input })
}

/// `(path, body, status)`: every body is sent with valid headers.
fn wrong_bodies() -> Vec<(&'static str, String, u16)> {
    let amount = |amount: Value| charge(&json!({ "input": { "amount": amount, "currency": "EUR" } }));
    let currency = |currency: Value| charge(&json!({ "input": { "amount": "1.00", "currency": currency } }));
    let ship = |lines: Value| input("ship", &json!({ "lines": lines }));
    let mail = |fields: &Value| {
        let mut whole = json!({ "template": "order-placed", "to": "a@b.example" });
        whole.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        input("send", &whole)
    };
    let charges = "/payments/charge";
    let texts = [
        (charges, String::new(), 400),
        (charges, "{".to_owned(), 400),
        (charges, "nonsense".to_owned(), 400),
        (charges, format!("{{\"input\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000)), 400),
        (charges, "[".repeat(100_000), 400),
        (charges, charge(&json!({})).to_string() + "x", 400),
        (charges, r#"{"orderId":"1","orderId":"2","step":"s","action":"charge"}"#.to_owned(), 422),
        (charges, format!("{{\"pad\":\"{}\"}}", "x".repeat(1024 * 1024)), 413),
    ];
    let values = [
        (charges, json!([]), 422),
        (charges, json!(null), 422),
        (charges, json!({}), 422),
        (charges, charge(&json!({ "orderId": 1 })), 422),
        (charges, charge(&json!({ "orderId": "" })), 422),
        (charges, charge(&json!({ "orderId": "a/b" })), 422),
        (charges, charge(&json!({ "orderId": "a\nb" })), 422),
        (charges, charge(&json!({ "orderId": "a\u{0}b" })), 422),
        (charges, charge(&json!({ "orderId": "x".repeat(129) })), 422),
        (charges, charge(&json!({ "orderId": "Ärger" })), 422),
        (charges, charge(&json!({ "step": "" })), 422),
        (charges, charge(&json!({ "step": "a b" })), 422),
        (charges, charge(&json!({ "action": "refund" })), 422),
        (charges, charge(&json!({ "input": [] })), 422),
        (charges, charge(&json!({ "input": "x" })), 422),
        (charges, charge(&json!({ "input": {} })), 422),
        (charges, charge(&json!({ "input": null })), 422),
        (charges, amount(json!(1)), 422),
        (charges, amount(json!(1.5)), 422),
        (charges, amount(json!("-1.00")), 422),
        (charges, amount(json!("1,00")), 422),
        (charges, amount(json!("1e9")), 422),
        (charges, amount(json!("1.0000001")), 422),
        (charges, amount(json!("1".repeat(100))), 422),
        (charges, currency(json!("eur")), 422),
        (charges, currency(json!("EURO")), 422),
        (charges, currency(json!(null)), 422),
        ("/payments/pay", input("pay", &json!({})), 404),
        ("/orders/delete", input("delete", &json!({})), 404),
        ("/orders/create", input("create", &json!({ "note": "a\u{0}b" })), 422),
        ("/orders/update_status", input("update_status", &json!({})), 422),
        ("/orders/update_status", input("update_status", &json!({ "status": "" })), 422),
        ("/orders/update_status", input("update_status", &json!({ "status": "x".repeat(1000) })), 422),
        ("/shipping/send", input("send", &json!({})), 404),
        ("/shipping/ship", input("ship", &json!({})), 422),
        ("/shipping/ship", ship(json!([])), 422),
        ("/shipping/ship", ship(json!([{ "sku": "a", "quantity": 0 }])), 422),
        ("/shipping/ship", ship(json!([{ "sku": "a", "quantity": -1 }])), 422),
        ("/shipping/ship", ship(json!([{ "sku": "a", "quantity": 0.5 }])), 422),
        ("/shipping/ship", ship(json!([{ "sku": "", "quantity": 1 }])), 422),
        ("/shipping/ship", ship(json!([{ "sku": "a\u{0}", "quantity": 1 }])), 422),
        ("/shipping/ship", ship(json!([{ "quantity": 1 }])), 422),
        ("/shipping/ship", input("ship", &json!({ "lines": [{ "sku": "a", "quantity": 1 }], "backorder": "no" })), 422),
        ("/shipping/stock", json!([{ "sku": "a", "quantity": -1 }]), 422),
        ("/shipping/stock", json!({ "sku": "a", "quantity": 1 }), 422),
        ("/shipping/restock", json!([{ "sku": "a", "quantity": 0 }]), 422),
        ("/shipping/restock", json!([]), 422),
        ("/notifications/send", input("send", &json!({ "template": "order-placed" })), 422),
        ("/notifications/send", mail(&json!({ "to": "nobody" })), 422),
        ("/notifications/send", mail(&json!({ "to": "a@b.example\r\nBcc: c@d.example" })), 422),
        ("/notifications/send", mail(&json!({ "template": "" })), 422),
        ("/notifications/send", mail(&json!({ "name": "x\r\ny" })), 422),
        ("/notifications/send", mail(&json!({ "name": "x".repeat(201) })), 422),
        ("/nothing/here", json!({}), 404),
        ("/payments/a%2Fb", json!({}), 422),
        ("/payments/%FF", json!({}), 400),
        ("/payments/totals", json!({}), 405),
    ];
    texts.into_iter().chain(values.into_iter().map(|(path, body, status)| (path, body.to_string(), status))).collect()
}

fn post(world: &World, path: &str) -> RequestBuilder {
    world.request(Method::POST, path)
}

fn good_headers(request: RequestBuilder) -> RequestBuilder {
    request
        .header("idempotency-key", "\"k\"")
        .header("tenuto-callback", "http://127.0.0.1:1/answers")
        .header("content-type", "application/json")
}

async fn expect(request: RequestBuilder, status: u16, what: &str) {
    let reply = Reply::to(request).await;
    assert_eq!(reply.status, status, "{what}: {}", reply.text);
    assert_eq!(reply.media_type, "application/problem+json", "{what}: {}", reply.text);
    assert_eq!(reply.body["status"], status, "{what}");
    assert!(!reply.body["detail"].as_str().unwrap().is_empty(), "{what}");
}

#[tokio::test]
async fn every_wrong_request_gets_its_problem_and_has_no_effect() {
    let world = World::start().await;
    for (path, body, status) in wrong_bodies() {
        let what = format!("{path} {}", &body[..body.floor_char_boundary(body.len().min(200))]);
        expect(good_headers(post(&world, path)).body(body), status, &what).await;
    }

    let body = charge(&json!({})).to_string();
    let charges = || post(&world, "/payments/charge").body(body.clone());
    expect(charges().header("content-type", "application/json"), 400, "no key").await;
    for key in ["", "\"\"", "\"open", &"k".repeat(256)] {
        let request = charges().header("content-type", "application/json").header("idempotency-key", key);
        expect(request, 400, &format!("key {key:?}")).await;
    }
    for media_type in ["text/plain", "application/xml", "application/jsonx", ""] {
        let request = charges().header("idempotency-key", "k").header("content-type", media_type);
        expect(request, 415, &format!("media type {media_type:?}")).await;
    }
    let ship = input("ship", &json!({ "lines": [{ "sku": "a", "quantity": 1 }] })).to_string();
    for callback in [None, Some(""), Some("/relative"), Some("ftp://a/b"), Some("file:///etc/passwd"), Some("nonsense")]
    {
        let request =
            post(&world, "/shipping/ship").header("idempotency-key", "k").header("content-type", "application/json");
        let request = callback.into_iter().fold(request, |request, url| request.header("tenuto-callback", url));
        expect(request.body(ship.clone()), 400, &format!("callback {callback:?}")).await;
    }
    for path in ["/orders/none", "/payments/none", "/shipping/none", "/nothing"] {
        expect(world.request(Method::GET, path), 404, path).await;
    }
    for path in ["/notifications/mailbox?limit=x", "/notifications/mailbox?order=1"] {
        expect(world.request(Method::GET, path), 400, path).await;
    }
    expect(world.request(Method::DELETE, "/orders/1"), 405, "DELETE").await;

    assert_eq!(world.get("/audit/repeats").await.body, json!([]));
    assert_eq!(world.get("/shipping/stock").await.body, json!([]));
    assert_eq!(world.get("/notifications/mailbox").await.body["total"], 0);
}
