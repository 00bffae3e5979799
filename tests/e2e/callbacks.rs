//! Later answers and their tokens; requests and their signatures.

use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use reqwest::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use reqwest::{Client, Response, Url};
use serde_json::{Value, json};
use signing::callback::{CallbackScope, CallbackSecret, CallbackSecrets};
use signing::webhook;

use crate::parts::Parts;
use crate::process::{Process, ends, tenuto, until};
use crate::world::{World, order};

/// The Base64 of 32 bytes of value 7.
const SECRET_OF_SEVENS: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A carrier that accepts each request, and answers none by itself.
#[derive(Clone, Default)]
struct Carrier(Arc<Mutex<Vec<HeaderMap>>>);

impl Carrier {
    /// Starts it. Returns the workflow `carried`, which has one request to it.
    async fn start(&self) -> String {
        async fn accept(State(carrier): State<Carrier>, request: Request) -> StatusCode {
            carrier.0.lock().unwrap().push(request.headers().clone());
            StatusCode::ACCEPTED
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(accept).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        format!(
            "workflow: carried\nversion: 1\nparticipants: {{ carrier: {{ url: '{url}' }} }}\n\
             steps: {{ ship: {{ request: carrier.ship, undo: carrier.cancel, timeout: 1h }} }}"
        )
    }

    /// The callback of the request for an order, once it has arrived.
    async fn callback(&self, order: &str) -> Url {
        let of_order = || {
            let requests = self.0.lock().unwrap();
            let callbacks = requests.iter().map(|headers| headers["tenuto-callback"].to_str().unwrap().to_owned());
            callbacks.into_iter().find(|url| url.contains(&format!("/orders/{order}/")))
        };
        until("the request arrives", async || of_order().is_some()).await;
        of_order().unwrap().parse().unwrap()
    }
}

fn token_of(callback: &Url) -> String {
    callback.query_pairs().find(|(name, _)| name == "token").unwrap().1.into_owned()
}

async fn post(url: impl reqwest::IntoUrl, body: &Value) -> Response {
    Client::new().post(url).json(body).send().await.unwrap()
}

/// Whether a command handler accepts the token of this URL. The empty body is refused afterwards.
async fn accepts(url: &Url) -> bool {
    let refused = Client::new().post(url.clone()).header(CONTENT_TYPE, "application/json").send().await.unwrap();
    match refused.status() {
        StatusCode::BAD_REQUEST => true,
        StatusCode::UNAUTHORIZED => false,
        other => panic!("{other}"),
    }
}

async fn rejections(base: &str, reason: &str) -> Option<String> {
    let metrics = reqwest::get(format!("{base}/metrics")).await.unwrap().text().await.unwrap();
    let name = format!("tenuto_rejected_callback_tokens_total{{reason=\"{reason}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name).map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_answers_no_request_and_is_counted_and_a_right_one_answers_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets");
    std::fs::write(&file, SECRET_OF_SEVENS).unwrap();
    let world = World::with(&["--callback-secrets-file", file.to_str().unwrap()]).await;
    let carrier = Carrier::default();
    world.register(&carrier.start().await).await;
    for id in ["A", "B"] {
        world.place(&order(id, "carried", "11", 1)).await;
    }
    let (a, b) = (carrier.callback("A").await, carrier.callback("B").await);
    world.comes_to("A", "Placed", "WAITING").await;

    let outcome = json!({ "outcome": "shipped" });
    let secrets = CallbackSecrets::new(CallbackSecret::of(&[7; 32]).unwrap(), []);
    let strange = CallbackSecrets::new(CallbackSecret::of(&[8; 32]).unwrap(), []);
    let scope = |order, direction| CallbackScope { order, step: "ship", direction };
    let (past, future) = (1_700_000_000, 4_000_000_000);
    let at = |order: &str, query: &str| format!("{}/orders/{order}/steps/ship/outcome?{query}", world.base);
    let mut details = Vec::new();
    for url in [
        at("A", "token=s3cret"),
        at("A", &format!("token={}", token_of(&b))),
        at("A", &format!("direction=undo&token={}", token_of(&a))),
        at("A", &format!("token={}", strange.issue(scope("A", "do"), future))),
        at("nowhere", &format!("token={}", token_of(&a))),
        at("nowhere", &format!("token={}", secrets.issue(scope("nowhere", "do"), past))),
    ] {
        let refused = post(&url, &outcome).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{url}");
        assert!(refused.headers().contains_key(WWW_AUTHENTICATE), "{url}");
        assert_eq!(refused.headers()[CONTENT_TYPE], "application/problem+json", "{url}");
        details.push(refused.json::<Value>().await.unwrap()["detail"].as_str().unwrap().to_owned());
    }
    assert_eq!(details[1..5].iter().collect::<std::collections::BTreeSet<_>>().len(), 1, "{details:?}");
    assert!(details[0].contains("malformed") && details[5].contains("expired"), "{details:?}");
    for (reason, count) in [("malformed", "1"), ("forged", "4"), ("expired", "1")] {
        assert_eq!(rejections(&world.base, reason).await.as_deref(), Some(count), "{reason}");
    }
    // While the step waits, its deadline has not passed, whatever an old token says.
    let old = at("A", &format!("token={}", secrets.issue(scope("A", "do"), past)));
    assert!(accepts(&old.parse().unwrap()).await);
    assert_eq!(world.order("A", "state").await["state"], "WAITING", "nothing was recorded");

    assert_eq!(post(a, &outcome).await.status(), StatusCode::ACCEPTED);
    world.comes_to("A", "Placed", "COMPLETED").await;
    assert_eq!(post(&old, &outcome).await.status(), StatusCode::UNAUTHORIZED, "the step has ended");
    let without = at("B", "direction=do");
    assert_eq!(post(without, &outcome).await.status(), StatusCode::ACCEPTED, "callers are not authenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_and_no_log_line_has_a_token() {
    let database = postgres_cluster::testing::database().await;
    let folder = tempfile::tempdir().unwrap();
    let (data, errors) = (folder.path().join("data"), folder.path().join("errors"));
    let arguments = ["dev", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap(), "--no-samples"];
    let environment = [("TENUTO_POSTGRES", database.url()), ("TENUTO_LOG", "debug")];
    let process =
        Process::with_errors_to(&arguments, &environment, Stdio::from(std::fs::File::create(&errors).unwrap()));
    let base = process.line_after("commands   POST ").trim_end_matches("/orders").to_owned();
    until("it is ready", async || reqwest::get(format!("{base}/readyz")).await.unwrap().status() == StatusCode::OK)
        .await;
    let carrier = Carrier::default();
    let workflow = carrier.start().await;
    let registered = Client::new().post(format!("{base}/workflows")).header(CONTENT_TYPE, "application/yaml");
    assert_eq!(registered.body(workflow).send().await.unwrap().status(), StatusCode::CREATED);
    for (id, workflow) in [("A", "carried"), ("S", "order-fulfilment")] {
        assert_eq!(post(format!("{base}/orders"), &order(id, workflow, "11", 1)).await.status(), StatusCode::ACCEPTED);
    }
    let callback = carrier.callback("A").await;
    let mac = token_of(&callback).rsplit_once('.').unwrap().1.to_owned();
    let mut forged = callback.clone();
    forged.set_path("/orders/B/steps/ship/outcome");
    assert!(!accepts(&forged).await && accepts(&callback).await);
    assert_eq!(post(callback, &json!({ "outcome": "shipped" })).await.status(), StatusCode::ACCEPTED);
    let ended = async |id: &str| {
        let status: Value = reqwest::get(format!("{base}/orders/{id}")).await.unwrap().json().await.unwrap();
        status["state"] == "COMPLETED" || status["state"] == "WAITING" || status["state"] == "CANCELED"
    };
    until("both orders come to rest", async || ended("A").await && ended("S").await).await;

    let pool = sqlx::PgPool::connect(database.url()).await.unwrap();
    let recorded = sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE t::text LIKE '%token=%' OR t::text LIKE $1) FROM timeline t",
    );
    let (events, with_token): (i64, i64) = recorded.bind(format!("%{mac}%")).fetch_one(&pool).await.unwrap();
    assert!(events > 5 && with_token == 0, "{with_token} of {events}");
    drop(process);
    let logged = std::fs::read_to_string(&errors).unwrap();
    assert!(logged.contains("the token of its callback is wrong"), "{logged}");
    let with_token: Vec<&str> = logged.lines().filter(|line| line.contains("token=") || line.contains(&mac)).collect();
    assert!(with_token.is_empty(), "{with_token:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_handler_accepts_each_token_also_while_the_secret_is_rotated() {
    let parts = Parts::new().await;
    let carrier = Carrier::default();
    let files = parts.folder.path().join("files");
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("carried.yaml"), carrier.start().await).unwrap();
    let with = ["--workflows", files.to_str().unwrap()];
    let ((_one, orders), (_two, others)) = (parts.handler_with(&with), parts.handler_with(&with));
    let other = Url::parse(&others).unwrap();
    let rotate = |more: &[&str]| {
        let arguments = [&["keys", "rotate-callbacks"], more].concat();
        ends(&tenuto(parts.postgres(), &parts.log, &arguments), 0)
    };
    let place = async |id: &str| {
        assert_eq!(post(&orders, &order(id, "carried", "11", 1)).await.status(), StatusCode::ACCEPTED);
        let mut callback = carrier.callback(id).await;
        callback.set_port(other.port()).unwrap();
        callback
    };
    let before = place("before").await;
    assert!(accepts(&before).await);
    let rotated = rotate(&[]);
    // The longest wait of the shipped workflows, and 30 days.
    assert!(rotated.contains("accepted for") && !rotated.contains("0.000 s"), "{rotated}");
    for n in 0..20 {
        let callback = place(&format!("o{n}")).await;
        assert!(accepts(&callback).await && accepts(&before).await, "{n}");
    }
    let key = |callback: &Url| token_of(callback).split('.').nth(1).unwrap().to_owned();
    let signed_otherwise = async |name: &str, earlier: &[String]| {
        let count = AtomicU32::new(0);
        let found = Mutex::new(None);
        until("a new secret signs", async || {
            let callback = place(&format!("{name}-{}", count.fetch_add(1, Ordering::Relaxed))).await;
            let is_new = !earlier.contains(&key(&callback));
            assert!(name == "ended" || accepts(&callback).await, "{name}");
            *found.lock().unwrap() = Some(callback);
            is_new
        })
        .await;
        found.into_inner().unwrap().unwrap()
    };
    let new = signed_otherwise("rotated", &[key(&before)]).await;
    assert!(accepts(&before).await, "the earlier secret is accepted until its tokens expire");

    rotate(&["--accept-earlier-for", "0s"]);
    until("the earlier secrets end", async || !accepts(&before).await && !accepts(&new).await).await;
    let after = signed_otherwise("ended", &[key(&before), key(&new)]).await;
    assert!(accepts(&after).await);
    assert_eq!(post(after, &json!({ "outcome": "shipped" })).await.status(), StatusCode::ACCEPTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn reference_services_accept_only_signed_requests_also_while_a_secret_is_rotated() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.yaml");
    let write = |secrets: &str| {
        let services = ["orders", "payments", "shipping", "notifications", "carrier"];
        let lines = services.map(|name| format!("{name}: [{secrets}]\n"));
        std::fs::write(&file, lines.concat()).unwrap();
    };
    write(OLD);
    let world = World::with(&["--participant-secrets-file", file.to_str().unwrap()]).await;
    let carrier = Carrier::default();
    world.register(&carrier.start().await).await;
    world.stock(&json!([{ "sku": "11", "quantity": 10_000 }])).await;

    let charge = format!("{}/participants/payments/charge", world.base);
    let body =
        json!({ "orderId": "x", "step": "charge", "action": "charge", "input": { "amount": "1", "currency": "EUR" } });
    let unsigned = Client::new().post(&charge).header("Idempotency-Key", "x").json(&body).send().await.unwrap();
    assert_eq!(unsigned.status(), StatusCode::UNAUTHORIZED);
    assert!(unsigned.headers().contains_key(WWW_AUTHENTICATE));
    let refused: Value = unsigned.json().await.unwrap();
    assert!(refused["detail"].as_str().unwrap().contains("webhook-id is missing"), "{refused}");
    assert_eq!(world.get("/participants/payments/totals").await.1, json!([]), "nothing was charged");

    world.place(&order("signed", "order-fulfilment", "11", 1)).await;
    world.comes_to("signed", "Shipped", "COMPLETED").await;
    let signatures = async |id: &str| {
        world.place(&order(id, "carried", "11", 1)).await;
        carrier.callback(id).await;
        let requests = carrier.0.lock().unwrap();
        requests.last().unwrap()[webhook::SIGNATURE].to_str().unwrap().split(' ').count()
    };
    assert_eq!(signatures("c0").await, 1);
    for (secrets, count) in [(format!("{NEW}, {OLD}"), 2), (NEW.to_owned(), 1)] {
        write(&secrets);
        let mut n = 0;
        loop {
            let id = format!("{count}-{n}");
            world.place(&order(&format!("o{id}"), "order-fulfilment", "11", 1)).await;
            world.comes_to(&format!("o{id}"), "Shipped", "COMPLETED").await;
            if signatures(&format!("c{id}")).await == count {
                break;
            }
            n += 1;
            assert!(n < 3_000, "the file is not read again");
        }
    }
}

#[test]
fn a_file_of_secrets_that_cannot_be_used_ends_the_start_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets");
    std::fs::write(&file, "shipping: whsec_s3cret\n").unwrap();
    let file = file.to_str().unwrap();
    for (role, option, reason) in [
        ("command-handler", "--participant-secrets-file", "line 1: participant shipping"),
        ("participants", "--participant-secrets-file", "line 1: participant shipping"),
        ("dev", "--callback-secrets-file", "line 1: is not Base64"),
    ] {
        let reported =
            ends(&tenuto("postgres://127.0.0.1:9/x", "esdb://127.0.0.1:9?tls=false", &[role, option, file]), 2);
        assert!(reported.contains(option) && reported.contains(reason), "{reported}");
        assert!(!reported.contains("s3cret"), "{reported}");
    }
}
