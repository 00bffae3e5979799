//! Settings that participants' addresses need, orders whose ids look like paths, and how commands
//! find the servers of their folder.

use postgres_cluster::testing::{TestDatabase, database};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::process::{Address, Process, binary, output_text, until};
use crate::world::{World, order};

const TAXED: &str = "workflow: taxed\nversion: 1\nparticipants:\n  tax: { url: \"${TAX_URL}/v1\" }\nsteps:\n  \
                     release: { await: release, timeout: 1h, on-timeout: done, outcomes: [done] }\n  \
                     tax: { after: [release], call: tax.calculate, retry: { attempts: 2, initial: 100ms } }";

/// `tenuto dev` with these settings, on data that are kept over restarts.
struct Dev {
    process: Process,
    address: Address,
    http: reqwest::Client,
}

impl Dev {
    fn start(database: &TestDatabase, data: &str, settings: &[(&str, &str)], more: &[&str]) -> Self {
        let address = Address::new();
        let mut arguments = vec!["dev", "--listen", address.as_str(), "--data", data, "--no-samples"];
        arguments.extend(more);
        let mut environment = vec![("TENUTO_POSTGRES", database.url())];
        environment.extend(settings);
        let process = Process::start(&arguments, &environment);
        process.line_after("commands   POST ");
        Self { process, address, http: reqwest::Client::new() }
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let answer = self.http.get(format!("{}{path}", self.address.url())).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn post(&self, path: &str, kind: &str, body: String) -> (StatusCode, String) {
        let request = self.http.post(format!("{}{path}", self.address.url())).header("content-type", kind);
        let answer = request.body(body).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn place(&self, id: &str, workflow: &str) -> (StatusCode, String) {
        self.post("/orders", "application/json", order(id, workflow, "11", 1).to_string()).await
    }

    async fn tax_step(&self, id: &str) -> Value {
        let query = format!("{{ order(id: {id:?}) {{ steps {{ id status attempts lastError }} }} }}");
        let (_, text) = self.post("/graphql", "application/json", json!({ "query": query }).to_string()).await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        let steps = answer["data"]["order"]["steps"].as_array().cloned().unwrap_or_default();
        steps.into_iter().find(|step| step["id"] == "tax").unwrap_or_default()
    }

    fn stop(self) {
        assert!(self.process.stop().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_setting_that_a_used_workflow_needs_a_handler_is_not_ready_and_makes_no_attempt() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let data = folder.path().to_str().unwrap();
    let silent = Address::new();
    let url = silent.url();
    let with = [("TAX_URL", url.as_str())];

    let dev = Dev::start(&database, data, &with, &[]);
    until("it is ready", async || dev.get("/readyz").await.0 == StatusCode::OK).await;
    assert_eq!(dev.post("/workflows", "application/yaml", TAXED.to_owned()).await.0, StatusCode::CREATED);
    assert_eq!(dev.place("t-1", "taxed").await.0, StatusCode::ACCEPTED);
    until("the views have it", async || dev.get("/orders/t-1").await.0 == StatusCode::OK).await;
    dev.stop();

    let dev = Dev::start(&database, data, &[], &[]);
    until("it says why it is not ready", async || {
        let (status, text) = dev.get("/readyz").await;
        status == StatusCode::SERVICE_UNAVAILABLE
            && ["workflow taxed version 1", "participant tax", "the setting TAX_URL has no value", "set TAX_URL"]
                .iter()
                .all(|said| text.contains(said))
    })
    .await;
    let printed = dev.process.line_after("Not ready: ");
    assert!(printed.contains("participant tax") && printed.contains("set TAX_URL"), "{printed}");
    let (status, problem) = dev.place("t-2", "taxed").await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && problem.contains("TAX_URL"), "{status} {problem}");
    assert_eq!(dev.place("t-1", "taxed").await.0, StatusCode::ACCEPTED, "it was placed before");
    assert_eq!(dev.place("t-3", "order-fulfilment").await.0, StatusCode::ACCEPTED, "others are served");
    let released = json!({ "outcome": "done", "actor": "ann", "reason": "fine" }).to_string();
    let (status, text) = dev.post("/orders/t-1/steps/release/outcome", "application/json", released).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{text}");
    until("the order waits for the setting", async || {
        let step = dev.tax_step("t-1").await;
        step["status"] == "RETRYING" && step["lastError"].as_str().is_some_and(|error| error.contains("TAX_URL"))
    })
    .await;
    dev.stop();

    // Neither of its two attempts was used. Both are made now, and get no answer.
    let dev = Dev::start(&database, data, &with, &[]);
    until("it is ready again", async || dev.get("/readyz").await.0 == StatusCode::OK).await;
    let again = json!({ "actor": "ann", "reason": "the setting is there" }).to_string();
    let retried = async || dev.post("/orders/t-1/retry", "application/json", again.clone()).await;
    until("its participant is asked", async || {
        let step = dev.tax_step("t-1").await;
        let (status, error) = (step["status"].as_str().unwrap_or_default(), step["lastError"].as_str());
        if status == "RETRYING" && error.is_some_and(|error| error.contains("TAX_URL")) {
            retried().await;
        }
        status == "FAILED" && error.is_some_and(|error| error.contains("no connection") && error.contains("the last"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_workflow_counts_as_used_and_one_that_is_named_unused_does_not() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let (data, files) = (folder.path().join("data"), folder.path().join("files"));
    let (data, empty) = (data.to_str().unwrap(), folder.path().to_str().unwrap());
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("taxed.yaml"), TAXED).unwrap();

    let bad = [("TAX_URL", "tax.internal:8080")];
    let dev = Dev::start(&database, data, &bad, &["--workflows", files.to_str().unwrap()]);
    until("it says what is wrong with the setting", async || {
        let (status, text) = dev.get("/readyz").await;
        status == StatusCode::SERVICE_UNAVAILABLE && text.contains("TAX_URL must start with http://")
    })
    .await;
    until("the views have the workflow", async || {
        let query = json!({ "query": "{ workflow(name: \"taxed\") { version } }" }).to_string();
        dev.post("/graphql", "application/json", query).await.1.contains("\"version\":1")
    })
    .await;
    dev.stop();
    let dev = Dev::start(&database, data, &[], &["--workflows", empty, "--unused-workflows", "other,taxed"]);
    until("it is ready", async || dev.get("/readyz").await.0 == StatusCode::OK).await;
    let (status, problem) = dev.place("t-1", "taxed").await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && problem.contains("TAX_URL"), "{status} {problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_with_a_participant_at_a_host_that_is_not_allowed_is_refused() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let data = folder.path().to_str().unwrap();
    let workflow = |name: &str, url: &str| {
        format!("workflow: {name}\nversion: 1\nparticipants:\n  p: {{ url: '{url}' }}\nsteps:\n  a: {{ call: p.a }}")
    };
    let settings = [("TENUTO_PARTICIPANT_HOSTS", "*.internal,[::1]:9"), ("EVIL_URL", "https://u:s3cret@evil.example")];
    let dev = Dev::start(&database, data, &settings, &[]);
    until("it is ready", async || dev.get("/readyz").await.0 == StatusCode::OK).await;
    for (url, says) in [
        ("http://evil.example/", "must not go to evil.example, port 80"),
        ("${EVIL_URL}/x", "must not go to evil.example, port 443"),
        ("http://127.0.0.1:1/", "must not go to 127.0.0.1, port 1"),
        ("http://2852039166/", "must not go to 169.254.169.254"),
    ] {
        let (status, text) = dev.post("/workflows", "application/yaml", workflow("evil", url)).await;
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("/participants/p/url"))
        );
        let detail = problem["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(says) && detail.contains("TENUTO_PARTICIPANT_HOSTS"), "{detail}");
        assert!(!text.contains("s3cret"), "{text}");
    }
    let allowed = workflow("allowed", "http://pay.internal:8080/");
    assert_eq!(dev.post("/workflows", "application/yaml", allowed).await.0, StatusCode::CREATED);
    // The reference services of the process itself need not be named.
    let stock = json!([{ "sku": "11", "quantity": 10 }]).to_string();
    dev.post("/participants/shipping/stock", "application/json", stock).await;
    assert_eq!(dev.place("o-1", "order-fulfilment").await.0, StatusCode::ACCEPTED);
    until("it ends", async || dev.get("/orders/o-1?wait=30").await.1.contains("COMPLETED")).await;
    dev.stop();

    // It was registered before the hosts were limited.
    let limited = [("TENUTO_PARTICIPANT_HOSTS", "pay.example")];
    let dev = Dev::start(&database, data, &limited, &[]);
    until("it says why it is not ready", async || {
        let (status, text) = dev.get("/readyz").await;
        status == StatusCode::SERVICE_UNAVAILABLE && text.contains("must not go to pay.internal, port 8080")
    })
    .await;
    let (status, problem) = dev.place("o-2", "allowed").await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && problem.contains("pay.internal"), "{status} {problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orders_id_may_look_like_a_path() {
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": 100 }])).await;
    assert_eq!(world.get("/orders/batch").await.0, 404);
    for id in ["batch", "BATCH", "orders", "graphql", "personal-data", "cancel", "steps", "-", "~", "_", "a..", "0"] {
        world.place(&order(id, "order-fulfilment", "11", 1)).await;
        let (status, standing) = world.get(&format!("/orders/{id}?wait=30")).await;
        assert_eq!(
            (status, &standing["orderId"], &standing["state"]),
            (200, &json!(id), &json!("COMPLETED")),
            "{standing}"
        );
        let cancel = json!({ "actor": "ann", "reason": "too late" });
        let (status, refused) = world.post(&format!("/orders/{id}/cancel"), &cancel).await;
        assert_eq!((status, &refused["state"]), (409, &json!("COMPLETED")), "{id}: {refused}");
        let (status, _) = world.get(&format!("/orders/{id}/personal-data")).await;
        assert_eq!(status, 200, "{id}");
    }
    for id in [".", "..", "a/b", "a%2Fb", "a b", ""] {
        let (status, problem) = world.post("/orders", &order(id, "order-fulfilment", "11", 1)).await;
        assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/orderId")), "{id}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_in_the_folder_of_dev_find_its_servers_and_report_if_it_does_not_run() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let data = folder.path().join(".tenuto");
    let run = |arguments: &[&str]| {
        let mut command = binary();
        command.current_dir(folder.path()).args(arguments).env("TENUTO_KEYS_PASSPHRASE", "correct horse battery");
        command.output().unwrap()
    };
    let mut dev = Dev::start(&database, data.to_str().unwrap(), &[], &[]);
    until("it is ready", async || dev.get("/readyz").await.0 == StatusCode::OK).await;
    let stock = json!([{ "sku": "11", "quantity": 10 }]).to_string();
    dev.post("/participants/shipping/stock", "application/json", stock).await;
    assert_eq!(dev.place("f-1", "order-fulfilment").await.0, StatusCode::ACCEPTED);
    until("it ends", async || dev.get("/orders/f-1?wait=30").await.1.contains("COMPLETED")).await;

    for (arguments, says) in [
        (&["show", "f-1"][..], "Order f-1 is Shipped"),
        (&["replay", "f-1"], "f-1"),
        (&["audit", "verify", "--all"], "1 orders"),
        (&["rebuild", "--check"], ""),
        (&["projector", "parked"], ""),
        (&["event-store", "backup", "--to", "copy"], "nothing is wrong"),
    ] {
        let output = run(arguments);
        assert!(
            output.status.success() && output_text(&output).contains(says),
            "{arguments:?}: {}",
            output_text(&output)
        );
    }
    assert!(!output_text(&run(&["audit", "verify", "--all"])).contains("no database is named"));
    let in_use = run(&["event-store", "check"]);
    assert!(!in_use.status.success() && output_text(&in_use).contains("in use by process"), "{}", output_text(&in_use));

    dev.process.kill();
    let orders = folder.path().join("orders.jsonl");
    std::fs::write(&orders, order("f-2", "order-fulfilment", "11", 1).to_string()).unwrap();
    // Every command that finds its servers by the folder belongs in this list.
    let by = ["--actor", "ann", "--reason", "a drill"];
    let commands = [
        &["replay", "f-1"][..],
        &["audit", "verify", "--all"],
        &["rebuild", "--check"],
        &["projector", "parked"],
        &["projector", "retry"],
        &["event-store", "backup", "--to", "copy-2"],
        &["keys", "export", "--to", "keys"],
        &["backtest", "--workflow", concat!(env!("CARGO_MANIFEST_DIR"), "/workflows/order-fulfilment.yaml")],
        &["place", "--file", "orders.jsonl"],
        &["show", "f-1"],
        &["watch", "f-1"],
        &["cancel", "f-1", by[0], by[1], by[2], by[3]],
        &["forget", "VINET", by[0], by[1], by[2], by[3]],
    ];
    for arguments in commands {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", output_text(&output));
        assert!(output_text(&output).contains("is not running any more"), "{arguments:?}: {}", output_text(&output));
    }
    let read = run(&["replay", "f-1", "--data", ".tenuto"]);
    assert!(read.status.success(), "{}", output_text(&read));

    // A process that ends by itself removes its record. The folder still has its log.
    std::fs::remove_file(data.join("running.json")).unwrap();
    for arguments in [&["replay", "f-1"][..], &["show", "f-1"], &["place", "--file", "orders.jsonl"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", output_text(&output));
        assert!(
            output_text(&output).contains("`tenuto dev`, which is not running"),
            "{arguments:?}: {}",
            output_text(&output)
        );
    }
}
