//! `GET /openapi.json`: the HTTP interface, for programs.
//!
//! The document is generated. Each handler describes its operation in its own file; limits and
//! enumerations are the constants of the code, and errors are made by the handlers' own mapping.
//! Schemas of bodies are written by hand in this folder, because bodies are read by hand.
//! `openapi.json` is the golden copy.

mod answers;
mod batches;
pub(super) mod example;
pub(super) mod filter;
mod operation;
mod orders;
pub(super) mod parts;
mod shared;
mod status;
#[cfg(test)]
mod tests;
mod trials;

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use bytes::Bytes;
use serde_json::{Map, Value, json};

pub(super) use self::operation::Operation;
pub(super) use self::parts::{body, content, json_limits, order_path, parameter_ref, schema_ref};
pub(super) use self::shared::Shared;
use super::instruction::OperatorAction;
use super::requests::Settle;
use super::{batch, circuits, forget, operate, outcome, personal_data, place, requests, webhooks, workflows};

/// The path of this document.
pub(super) const PATH: &str = "/openapi.json";

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(document().to_string()));

pub(super) async fn handle() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.clone())
}

fn described() -> Operation {
    let content = json!({ "application/json": {
        "schema": { "type": "object", "required": ["openapi", "info", "paths"] },
    } });
    Operation::get(PATH, "getOpenApi", "service", "This document")
        .answer_with(200, json!({ "description": "OpenAPI 3.1.", "content": content }))
}

fn document() -> Value {
    let operations = [
        place::described(),
        status::described(),
        status::described_for_batch(),
        outcome::described(),
        personal_data::described(),
        batch::described(),
        forget::described(),
        circuits::described(),
        described(),
    ];
    let mut paths: Map<String, Value> = Map::new();
    let operations = operations.into_iter().chain(workflows::described()).chain(trials::described());
    let operations = operations.chain(webhooks::described());
    let operations = operations.chain(Settle::ALL.map(requests::described)).chain(requests::described_to_read());
    for operation in operations.chain(OperatorAction::ALL.map(operate::described)) {
        let (path, method) = (operation.path.clone(), operation.method.as_str().to_lowercase());
        let mut operation = operation.into_json();
        for shared in Shared::OF_THE_GATE {
            let answer = &mut operation["responses"][shared.status().to_string()];
            if answer.is_null() {
                *answer = shared.reference();
            }
        }
        paths.entry(path).or_insert_with(|| json!({}))[method] = operation;
    }
    let responses: Map<String, Value> =
        Shared::ALL.map(|shared| (shared.name(), shared.response())).into_iter().collect();
    let schemas: Map<String, Value> =
        [orders::schemas(), batches::schemas(), answers::schemas(), trials::schemas(), webhooks::schemas()]
            .into_iter()
            .flatten()
            .collect();
    json!({
        "openapi": "3.1.1",
        "info": info(),
        "servers": [{ "url": "/" }],
        "security": [{}, { "bearer": [] }],
        "tags": tags(),
        "paths": paths,
        "components": {
            "requestBodies": shared::request_bodies(),
            "parameters": shared::parameters(),
            "responses": responses,
            "schemas": schemas,
            "securitySchemes": { "bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key, or a token of an OIDC issuer. Without `--access`, none is needed.",
            } },
        },
    })
}

fn info() -> Value {
    let depth = domain::json::MAX_DEPTH;
    let description = format!(
        "202 means that the command is durably in the log, not that its effects have happened.\n\n\
         JSON is RFC 8259, with rules for what readers interpret differently: no key twice in one object, no NUL, no \
         number that neither a double nor a 64-bit integer holds exactly, at most {depth} levels. An unknown field is \
         refused. `null` means the same as a missing field.\n\n\
         Errors are RFC 9457 problems. 503 comes with `Retry-After`: send the same request again. A method that this \
         document does not list for a path gets 405, and `Allow` lists the allowed ones.\n\n\
         The query side serves `GET /orders/{{id}}`, `GET /requests`, `GET /requests/{{id}}`, `POST /workflows/backtest` and `POST /workflows/test`, and the \
         command handler every other path. `tenuto dev` serves both at one address. Lists, details and timelines of \
         orders are at `/graphql`.\n\n\
         `x-max-bytes` and `x-max-depth` are limits without a keyword in JSON Schema: bytes in UTF-8, and nested \
         objects and arrays."
    );
    json!({
        "title": "Tenuto",
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "Places orders, takes answers, lets operators act, registers workflows, notifies systems.",
        "description": description,
        "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
    })
}

fn tags() -> Value {
    json!([
        { "name": "orders", "description": "For shops." },
        { "name": "participants", "description": "For services that act on orders." },
        { "name": "operators", "description":
            "For operators. The log records each command with its actor and its reason. A command that the state of the \
             order does not allow is refused with that state. Commands about one order are decided one after another: a \
             later one is decided for the order as the earlier ones changed it." },
        { "name": "workflows", "description": "For authors of workflows." },
        { "name": "webhooks", "description": "For administrators: systems of the shop are notified of what happens to orders." },
        { "name": "service", "description": "About the interface itself." },
    ])
}
