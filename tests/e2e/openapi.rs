//! `/openapi.json` is true: its paths exist with exactly these methods, its examples are accepted,
//! and the answers have the documented form.

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Map, Value, json};

use crate::world::{World, order};

const ORDERS: &str = "/orders";
const OUTCOME: &str = "/orders/{id}/steps/{step}/outcome";
const BATCH: &str = "/orders/batch";
const WORKFLOWS: &str = "/workflows";
const CHECK: &str = "/workflows/check";

/// The document from the server.
struct Document(Value);

impl Document {
    async fn of(world: &World) -> Self {
        let response = world.http.get(format!("{}/openapi.json", world.base)).send().await.unwrap();
        assert_eq!((response.status().as_u16(), media_type(&response).as_str()), (200, "application/json"));
        Self(response.json().await.unwrap())
    }

    fn paths(&self) -> &Map<String, Value> {
        self.0["paths"].as_object().unwrap()
    }

    fn post(&self, path: &str) -> &Value {
        &self.0["paths"][path]["post"]
    }

    /// The value at a place of the document, also if the place is a reference.
    fn resolve<'a>(&'a self, place: &'a Value) -> &'a Value {
        place["$ref"].as_str().map_or(place, |target| self.0.pointer(target.strip_prefix('#').unwrap()).unwrap())
    }

    /// Examples of a request, each with its media type.
    fn examples(&self, path: &str) -> Vec<(String, Value)> {
        let content = self.post(path)["requestBody"]["content"].as_object().unwrap();
        let examples = content.iter().flat_map(|(media_type, content)| {
            let examples = content["examples"].as_object().into_iter().flatten();
            examples.map(|(_, example)| (media_type.clone(), example["value"].clone()))
        });
        examples.collect()
    }

    /// Checks that an answer to a POST is documented: status, headers, media type and the names of
    /// the fields. Returns its body.
    async fn documents(&self, path: &str, response: Response) -> Value {
        let status = response.status().as_u16().to_string();
        let documented = &self.post(path)["responses"][&status];
        assert!(documented.is_object(), "{path}: {status} is not documented: {}", response.text().await.unwrap());
        let documented = self.resolve(documented);
        for name in documented["headers"].as_object().into_iter().flatten().map(|(name, _)| name) {
            assert!(response.headers().contains_key(name), "{path} {status}: no {name}");
        }
        let content = &documented["content"][&media_type(&response)];
        let schema = self.resolve(&content["schema"]);
        let answer: Value = response.json().await.unwrap();
        let fields = answer.as_object().unwrap();
        let required = schema["required"].as_array().unwrap();
        assert!(required.iter().all(|name| fields.contains_key(name.as_str().unwrap())), "{path} {status}: {answer}");
        assert!(fields.keys().all(|name| schema["properties"].get(name).is_some()), "{path} {status}: {answer}");
        answer
    }
}

fn media_type(response: &Response) -> String {
    let value = response.headers().get("content-type").map(|value| value.to_str().unwrap());
    value.unwrap_or_default().to_owned()
}

fn post(world: &World, path: &str, media_type: &str, body: &Value) -> RequestBuilder {
    // A text is used as the body unchanged.
    let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
    world.http.post(format!("{}{path}", world.base)).header("content-type", media_type).body(body)
}

#[tokio::test]
async fn every_path_exists_with_exactly_its_methods() {
    let world = World::new().await;
    let document = Document::of(&world).await;
    assert!(!document.paths().is_empty());
    for (path, operations) in document.paths() {
        let url = format!("{}{}", world.base, path.replace("{id}", "no-order").replace("{step}", "ship"));
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            let response = world.http.request(method.clone(), &url).send().await.unwrap();
            let (status, media_type) = (response.status().as_u16(), media_type(&response));
            if let Some(operation) = operations.get(method.as_str().to_lowercase()) {
                // The router itself gives this answer. It has no problem+json.
                let responses = operation["responses"].as_object().unwrap();
                assert!(responses.contains_key(&status.to_string()), "{method} {path}: {status}");
                assert!(!media_type.is_empty(), "{method} {path}: {status}");
            } else {
                let allowed = response.headers()["allow"].to_str().unwrap().to_lowercase();
                assert_eq!(status, 405, "{method} {path}");
                assert!(allowed.split(',').all(|m| m == "head" || operations.get(m).is_some()), "{path}: {allowed}");
                assert_eq!(media_type, "application/problem+json", "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn every_example_of_an_order_and_of_a_workflow_is_accepted() {
    let world = World::new().await;
    let document = Document::of(&world).await;
    let orders = document.examples(ORDERS);
    assert!(orders.len() > 1);
    for (media_type, body) in orders {
        let response = post(&world, ORDERS, &media_type, &body).send().await.unwrap();
        assert_eq!(response.status(), 202, "{body}");
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        let receipt = document.documents(ORDERS, response).await;
        assert_eq!(
            location,
            format!(
                "/orders/{}?position={}",
                receipt["orderId"].as_str().unwrap(),
                receipt["position"].as_str().unwrap()
            )
        );
        world.until("the order can be asked for", async || world.get(&location).await.0 == 200).await;
        let standing = world.get(&location).await.1;
        let schema = &document.0["components"]["schemas"]["OrderStatus"];
        let required = schema["required"].as_array().unwrap();
        assert!(required.iter().all(|name| standing.get(name.as_str().unwrap()).is_some()), "{standing}");
        assert!(
            standing.as_object().unwrap().keys().all(|name| schema["properties"].get(name).is_some()),
            "{standing}"
        );
    }
    for (media_type, body) in document.examples(WORKFLOWS) {
        let check = async |is_registered: bool| {
            let response = post(&world, CHECK, &media_type, &body).send().await.unwrap();
            assert_eq!(response.status(), 200, "{body}");
            assert_eq!(document.documents(CHECK, response).await["isRegistered"], is_registered, "{body}");
        };
        check(false).await;
        check(false).await;
        for status in [201, 200] {
            let response = post(&world, WORKFLOWS, &media_type, &body).send().await.unwrap();
            assert_eq!(response.status(), status, "{body}");
            document.documents(WORKFLOWS, response).await;
        }
        check(true).await;
        let other = json!(body.as_str().unwrap().replace("mail.send", "mail.say"));
        assert_eq!(post(&world, CHECK, &media_type, &other).send().await.unwrap().status(), 409);
        let unnamed = json!(body.as_str().unwrap().replace("mail.send", "post.send"));
        let refused = post(&world, CHECK, &media_type, &unnamed).send().await.unwrap();
        assert_eq!(refused.status(), 422);
        let problem: Value = refused.json().await.unwrap();
        let mut faults = problem["errors"].as_array().unwrap().iter();
        assert!(faults.any(|fault| fault["pointer"] == "line 6, column 17"), "{problem}");
    }
}

#[tokio::test]
async fn every_example_of_an_answer_is_accepted_and_its_limits_are_the_documented_ones() {
    let world = World::new().await;
    let document = Document::of(&world).await;
    let examples = document.examples(OUTCOME);
    let in_binary_mode = examples.iter().find(|(media_type, _)| media_type == "application/json").unwrap();
    for (number, (media_type, body)) in examples.iter().chain([in_binary_mode]).enumerate() {
        let id = format!("answered-{number}");
        world.place(&order(&id, "order-fulfilment", "11", 1)).await;
        world.comes_to(&id, "BackOrdered", "WAITING").await;
        let path = OUTCOME.replace("{id}", &id).replace("{step}", "ship");
        let mut request = post(&world, &path, media_type, body);
        for parameter in document.post(OUTCOME)["parameters"].as_array().unwrap() {
            let name = parameter["name"].as_str().unwrap_or_default();
            if number == examples.len() && name.starts_with("ce-") {
                request = request.header(name, parameter["example"].as_str().unwrap());
            }
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 202, "{body}");
        document.documents(OUTCOME, response).await;
    }
    // A well-formed answer to an order that does not exist gets 404, any other 422.
    let path = OUTCOME.replace("{id}", "no-order").replace("{step}", "ship");
    let fields = &document.0["components"]["schemas"]["Answer"]["properties"];
    let most = |field: &str, limit: &str| usize::try_from(fields[field][limit].as_u64().unwrap()).unwrap();
    let (longest, largest) = (most("outcome", "maxLength"), most("data", "x-max-bytes"));
    for (outcome, data, status) in
        [(longest, largest, 404), (longest + 1, largest, 422), (longest, largest + 1, 422), (0, largest, 422)]
    {
        let quotes = 2;
        let body = json!({ "outcome": "x".repeat(outcome), "data": "x".repeat(data - quotes) });
        let response = post(&world, &path, "application/json", &body).send().await.unwrap();
        assert_eq!(response.status(), status, "{outcome} {data}");
        document.documents(OUTCOME, response).await;
    }
}

#[tokio::test]
async fn an_order_is_waited_for_as_long_as_documented_and_no_longer() {
    let world = World::new().await;
    let document = Document::of(&world).await;
    let longest = document.0["components"]["parameters"]["Wait"]["schema"]["maximum"].as_u64().unwrap();
    world.stock(&json!([{ "sku": "11", "quantity": 5 }])).await;
    world.place(&order("done", "order-fulfilment", "11", 1)).await;
    world.comes_to("done", "Shipped", "COMPLETED").await;
    assert_eq!(world.get(&format!("/orders/done?wait={longest}")).await.0, 200);
    assert_eq!(world.get(&format!("/orders/done?wait={}", longest + 1)).await.0, 400);
}

#[test]
fn every_status_of_a_wrong_request_is_documented() {
    let document = Document(serde_json::from_str(include_str!("../../command-handler/openapi.json")).unwrap());
    let table: Value = serde_json::from_str(include_str!("../wrong-requests.json")).unwrap();
    let fixed = [("orders", Some(ORDERS)), ("outcomes", Some(OUTCOME)), ("batches", Some(BATCH))];
    for (rows, path) in fixed.into_iter().chain([("operations", None)]) {
        for row in table[rows].as_array().unwrap() {
            // An operation's path ends with its name.
            let operation = || format!("/orders/{{id}}/{}", row["path"].as_str().unwrap().rsplit('/').next().unwrap());
            let path = &path.map_or_else(operation, str::to_owned);
            let expected = row["expectStatus"].as_array().cloned().unwrap_or_else(|| vec![row["expectStatus"].clone()]);
            let documented = |status: &Value| document.post(path)["responses"].get(status.to_string()).is_some();
            assert!(expected.iter().all(documented), "{}", row["name"]);
        }
    }
}
