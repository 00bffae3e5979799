//! The HTTP API: every route, as the gate admits it and the description of the API describes it.

use std::fs;

use access::routes::ROUTES;
use serde_json::Value;

use super::{code, golden, head, roles, root, row};

const INTRODUCTION: &str = "\
# The HTTP API

Every route of the roles that serve HTTP, generated from the table that admits requests and from
`/openapi.json`. That document has the parameters, the bodies and examples; [Errors](errors.md) has
what refusals mean. `own`: only what the caller placed, or what its participant was asked for.
[Who gets in](../platform/access.md) explains the roles.

Every route may also answer 401, 403, 421, 429 and 503. Without authentication, every caller may use
every route.

";

/// The statuses that every route may answer with.
const EVERYWHERE: [&str; 5] = ["401", "403", "421", "429", "503"];

/// What `/openapi.json` does not describe.
fn undescribed(method: &str, path: &str) -> &'static str {
    match path {
        "/livez" => "Whether the process lives",
        "/readyz" => "Whether the role is ready, and for what it waits",
        "/metrics" => "The [metrics](../platform/metrics.md)",
        "/schema.graphql" => "The schema of GraphQL, as text",
        "/graphql" => "[GraphQL](graphql.md); for browsers, a page to try queries",
        "/" | "/ui" | "/ui/" | "/ui/{*path}" | "/console.json" => "The [console](../operator/console.md)",
        "/me" => "The caller, as the server knows it, and its permissions",
        "/audit/orders/{id}" => "Verify an order's history",
        "/audit/orders/{id}/export" => "An order's history, as a file",
        "/audit/seals" => "The seals in the log",
        "/audit/verification" if method == "POST" => "Begin to verify the log",
        "/audit/verification" => "How far a verification is, or what it found",
        other => panic!("{other} is neither in openapi.json nor described here"),
    }
}

fn statuses(operation: &Value) -> String {
    let all = operation["responses"].as_object().unwrap().keys();
    all.filter(|status| !EVERYWHERE.contains(&status.as_str())).cloned().collect::<Vec<_>>().join(", ")
}

#[test]
fn the_book_lists_every_route() {
    let document = fs::read_to_string(root().join("command-handler/openapi.json")).unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    let mut text = INTRODUCTION.to_owned() + &head(["route", "what it does", "roles", "answers"]);
    for (method, path, operation) in ROUTES {
        let described = &document["paths"][path][method.to_lowercase()];
        let (what, answers) = match described["summary"].as_str() {
            Some(summary) => (summary, statuses(described)),
            None => (undescribed(method, path), String::new()),
        };
        text += &row([&code(&format!("{method} {path}")), what, &roles(*operation), &answers]);
    }
    golden("http.md", &text);
}
