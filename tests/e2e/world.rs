//! A separate world for each test: the binary with a fresh database and a fresh log, on free ports.

use std::path::PathBuf;

use postgres_cluster::testing::{TestDatabase, database};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Process, until};

/// All roles in one process.
pub struct World {
    pub base: String,
    pub log: String,
    pub http: reqwest::Client,
    pub process: Process,
    pub database: TestDatabase,
    pub folder: TempDir,
}

impl World {
    /// `tenuto dev`, without the sample orders.
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same with more arguments.
    pub async fn with(more: &[&str]) -> Self {
        let database = database().await;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_str().unwrap();
        let mut arguments = vec!["dev", "--listen", "127.0.0.1:0", "--data", data, "--no-samples"];
        arguments.extend(more);
        let process = Process::start(&arguments, &[("TENUTO_POSTGRES", database.url())]);
        let base = process.line_after("commands   POST ").trim_end_matches("/orders").to_owned();
        let log = process.line_after("log        ");
        let http = reqwest::Client::builder().tcp_nodelay(true).build().unwrap();
        let world = Self { base, log, http, process, database, folder };
        world.until("it is ready", async || world.get("/readyz").await.0 == 200).await;
        world
    }

    /// Status and body of a GET.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.http.get(format!("{}{path}", self.base)).send().await.unwrap();
        answer(response).await
    }

    /// Status and body of a POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let response = self.http.post(format!("{}{path}", self.base)).json(body).send().await.unwrap();
        answer(response).await
    }

    /// The `data` of a GraphQL query; errors fail the test.
    pub async fn query(&self, query: &str) -> Value {
        let (status, mut body) = self.post("/graphql", &json!({ "query": query })).await;
        assert!(status == 200 && body.get("errors").is_none(), "{query}: {status} {body}");
        body["data"].take()
    }

    /// Status and body of the answer to the registration of a workflow file.
    pub async fn try_register(&self, workflow: &str) -> (u16, Value) {
        let request = self.http.post(format!("{}/workflows", self.base)).header("content-type", "application/yaml");
        answer(request.body(workflow.to_owned()).send().await.unwrap()).await
    }

    /// Registers a new workflow file.
    pub async fn register(&self, workflow: &str) {
        let (status, body) = self.try_register(workflow).await;
        assert_eq!(status, 201, "{body}");
    }

    /// Sets the stock of the shipping service.
    pub async fn stock(&self, stock: &Value) {
        let (status, body) = self.post("/participants/shipping/stock", stock).await;
        assert!((200..300).contains(&status), "{status} {body}");
    }

    /// Places an order. The answer must be an acceptance.
    pub async fn place(&self, order: &Value) -> Value {
        let (status, body) = self.post("/orders", order).await;
        assert_eq!(status, 202, "{body}");
        body
    }

    /// An order from GraphQL, with these fields.
    pub async fn order(&self, id: &str, fields: &str) -> Value {
        self.query(&format!("{{ order(id: {id:?}) {{ {fields} }} }}")).await["order"].take()
    }

    /// Waits until the order has this status and state.
    pub async fn comes_to(&self, id: &str, status: &str, state: &str) {
        self.until(&format!("order {id} is {status} and {state}"), async || {
            let order = self.order(id, "status state").await;
            order["status"] == status && order["state"] == state
        })
        .await;
    }

    /// Waits until a condition holds.
    pub async fn until(&self, what: &str, condition: impl AsyncFn() -> bool) {
        until(what, condition).await;
    }

    /// The data folder of the binary.
    pub fn data(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

async fn answer(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// An order with one line.
pub fn order(id: &str, workflow: &str, sku: &str, quantity: u32) -> Value {
    json!({
        "orderId": id,
        "workflow": workflow,
        "customer": { "id": "VINET", "name": "Vins et alcools Chevalier", "email": "orders@vinet.example" },
        "currency": "EUR",
        "lines": [{ "sku": sku, "name": "Queso Cabrales", "quantity": quantity, "unitPrice": "14.00" }],
        "shipTo": { "city": "Reims", "country": "France" },
    })
}
