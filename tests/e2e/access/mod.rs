//! Callers are authenticated: who gets in, who does not, and what each role may do.

mod counted;
mod issuer;
mod matrix;
mod own_orders;
mod second_person;
mod tokens;

use std::path::Path;

use postgres_cluster::testing::{TestDatabase, database};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Process, binary, ends, until};
use issuer::Issuer;

pub const ROLES: [&str; 7] = ["shop", "participant:payments", "viewer", "operator", "auditor", "author", "admin"];

/// Everything in one process, with an issuer whose roles are called like Tenuto's.
pub struct Guarded {
    pub base: String,
    pub issuer: Issuer,
    pub http: Client,
    database: TestDatabase,
    _process: Process,
    _folder: TempDir,
}

impl Guarded {
    pub async fn new() -> Self {
        Self::with("").await
    }

    /// The same, with more in the access file.
    pub async fn with(more: &str) -> Self {
        let (database, issuer, folder) = (database().await, Issuer::new().await, tempfile::tempdir().unwrap());
        let file = folder.path().join("access.toml");
        std::fs::write(&file, access_file(&issuer.url) + more).unwrap();
        let process = start(folder.path(), &file, database.url());
        let base = process.line_after("commands   POST ").trim_end_matches("/orders").to_owned();
        let guarded = Self { base, issuer, http: Client::new(), database, _process: process, _folder: folder };
        until("it is ready", async || guarded.ask(Method::GET, "/readyz", None, None).await.status() == 200).await;
        guarded
    }

    /// The answer to a request with this token and this body.
    pub async fn ask(&self, method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> Response {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.unwrap()
    }

    /// Status and body of the answer to a query.
    pub async fn query(&self, token: &str, query: &str) -> Value {
        let answer = self.ask(Method::POST, "/graphql", Some(token), Some(&json!({ "query": query }))).await;
        answer.json().await.unwrap()
    }

    /// Creates an API key with these options. Returns its id and the key.
    pub fn key(&self, options: &[&str]) -> (String, String) {
        let mut command = binary();
        command.args(["key", "create"]).args(options).env("TENUTO_POSTGRES", self.database.url());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (said, key) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
        let id = said.split_whitespace().nth(2).unwrap();
        (id.to_owned(), key.trim().to_owned())
    }

    /// Revokes an API key.
    pub fn revoke(&self, id: &str) {
        let output = binary().args(["key", "revoke", id]).env("TENUTO_POSTGRES", self.database.url()).output().unwrap();
        ends(&output, 0);
    }
}

fn access_file(issuer: &str) -> String {
    let roles = ROLES.map(|role| format!("{role:?} = [{role:?}]\n")).concat();
    format!("[issuers.company]\nurl = {issuer:?}\naudiences = [\"tenuto\"]\n[issuers.company.roles]\n{roles}")
}

fn start(data: &Path, access: &Path, postgres: &str) -> Process {
    let (data, access) = (data.to_str().unwrap(), access.to_str().unwrap());
    let arguments = ["dev", "--listen", "127.0.0.1:0", "--data", data, "--no-samples", "--access", access];
    Process::start(&arguments, &[("TENUTO_POSTGRES", postgres)])
}
