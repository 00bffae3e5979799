//! Every route and field, as every role and with every kind of credentials that is not accepted,
//! compared with the golden table.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Guarded, ROLES};

const PAGE: &str = include_str!("../../../docs/platform/access.md");

/// A row: the route or the field, and a cell for each role.
fn rows() -> Vec<(&'static str, Vec<&'static str>)> {
    let table = PAGE.lines().skip_while(|line| !line.starts_with("| route or field")).skip(2);
    let rows = table.take_while(|line| line.starts_with('|')).map(|line| {
        let mut cells = line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`'));
        (cells.next().unwrap(), cells.collect())
    });
    rows.collect()
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Unauthenticated,
    Forbidden,
    Passed,
}

/// Asks for a route or a field. The request is well-formed, and names what does not exist.
async fn ask(guarded: &Guarded, what: &str, token: Option<&str>) -> Answer {
    if let Some((kind, field)) = what.split_once('.').filter(|_| !what.contains(' ')) {
        return ask_field(guarded, kind, field, token).await;
    }
    let (method, path) = what.split_once(' ').unwrap();
    let path = path.replace("{id}", "nowhere").replace("{step}", "nothing");
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let body = json!({});
    let response = guarded.ask(method.clone(), &path, token, (method == Method::POST).then_some(&body)).await;
    match response.status().as_u16() {
        401 => {
            let challenge = response.headers()["www-authenticate"].to_str().unwrap();
            assert!(challenge.starts_with("Bearer"), "{what}: {challenge}");
            Answer::Unauthenticated
        }
        403 => Answer::Forbidden,
        status if status < 500 => Answer::Passed,
        status => panic!("{what}: {status}"),
    }
}

async fn ask_field(guarded: &Guarded, kind: &str, field: &str, token: Option<&str>) -> Answer {
    let selection = match field {
        "__typename" => "__typename",
        "__schema" => "__schema { queryType { name } }",
        "__type" => "__type(name: \"Order\") { name }",
        "order" => "order(id: \"nowhere\") { id }",
        "orders" if kind == "Query" => "orders { nodes { id } }",
        "orders" => "orders { id }",
        "workflow" => "workflow(name: \"nowhere\") { name }",
        "workflows" => "workflows { truncated }",
        "approvals" => "approvals { nodes { step } }",
        "operationRequests" => "operationRequests { nodes { request { id } } }",
        "troubles" => "troubles { truncated }",
        "actions" => "actions { nodes { actor } }",
        "participants" => "participants { truncated }",
        "webhooks" => "webhooks { url }",
        "parkedEvents" => "parkedEvents(order: \"nowhere\") { reason }",
        "overview" => "overview { orders }",
        "ordersByHour" => "ordersByHour(from: \"2026-01-01T00:00:00Z\", to: \"2026-01-01T01:00:00Z\") { count }",
        "counts" => "counts(asOf: \"2026-01-01T00:00:00Z\") { orders }",
        "calls" => "calls(from: \"2026-01-01T00:00:00Z\", to: \"2026-01-01T01:00:00Z\") { truncated }",
        "ends" => "ends(from: \"2026-01-01T00:00:00Z\", to: \"2026-01-01T01:00:00Z\") { truncated }",
        other => panic!("how to ask for {kind}.{other}?"),
    };
    let query = format!("{} {{ {selection} }}", kind.to_lowercase());
    let mut request = guarded.http.post(format!("{}/graphql", guarded.base)).json(&json!({ "query": query }));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if kind == "Subscription" {
        request = request.header("accept", "text/event-stream");
    }
    let mut response = request.send().await.unwrap();
    match response.status().as_u16() {
        401 => return Answer::Unauthenticated,
        403 => return Answer::Forbidden,
        _ => {}
    }
    if kind == "Subscription" && field != "__typename" {
        // A subscription that is allowed has no event, and its stream stays open.
        let first = tokio::time::timeout(std::time::Duration::from_millis(300), response.chunk()).await;
        let text = first.ok().and_then(|chunk| chunk.unwrap()).unwrap_or_default();
        let is_refused = String::from_utf8_lossy(&text).contains("\"FORBIDDEN\"");
        return if is_refused { Answer::Forbidden } else { Answer::Passed };
    }
    let text = response.text().await.unwrap();
    if text.contains("\"FORBIDDEN\"") { Answer::Forbidden } else { Answer::Passed }
}

fn expected(cell: &str) -> Answer {
    if cell == "–" { Answer::Forbidden } else { Answer::Passed }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_and_field_answers_each_role_and_each_kind_of_credentials_as_the_table_says() {
    let guarded = Guarded::new().await;
    let issuer = &guarded.issuer;
    let with = |name: &str, value: Value| {
        let mut claims = issuer.claims("ann", &["admin"]);
        claims[name] = value;
        issuer.sign(&claims)
    };
    let stranger = super::Issuer::new().await;
    let (revoked_id, revoked) = guarded.key(&["--role", "admin", "--name", "old"]);
    guarded.revoke(&revoked_id);
    let rejected = [
        ("none", None),
        ("expired", Some(with("exp", json!(chrono::Utc::now().timestamp() - 31)))),
        ("of another issuer", Some(stranger.token("ann", "admin"))),
        ("for another audience", Some(with("aud", json!("mail")))),
        ("of a revoked key", Some(revoked)),
        ("of no known key", Some("tnt_AAAAAAAAAAAA_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned())),
        ("nonsense", Some("nonsense".to_owned())),
    ];
    let accepted =
        ROLES.map(|role| (role, issuer.token("ann", role), guarded.key(&["--role", role, "--name", "machine"]).1));
    let mut asked = 0;
    for (what, cells) in rows() {
        let (is_probe, is_public) = (what.ends_with("/livez") || what.ends_with("/readyz"), cells[0] == "public");
        let is_field = !what.contains(' ');
        for (kind, token) in &rejected {
            let passes = is_probe || (is_public && !is_field && token.is_none());
            let expected = if passes { Answer::Passed } else { Answer::Unauthenticated };
            assert_eq!(ask(&guarded, what, token.as_deref()).await, expected, "{what}, credentials: {kind}");
            asked += 1;
        }
        for ((role, token, key), cell) in accepted.iter().zip(&cells) {
            let may_query = !is_field || *role != "participant:payments";
            let expected = if may_query { expected(cell) } else { Answer::Forbidden };
            for (kind, credentials) in [("token", token), ("key", key)] {
                assert_eq!(ask(&guarded, what, Some(credentials)).await, expected, "{what} as {role}, by {kind}");
                asked += 1;
            }
        }
    }
    println!("{asked} requests: {} routes and fields", rows().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_the_description_and_every_root_field_of_the_schema_is_in_the_table() {
    let guarded = Guarded::new().await;
    let known: Vec<&str> = rows().into_iter().map(|(what, _)| what).collect();
    let openapi: Value = guarded.ask(Method::GET, "/openapi.json", None, None).await.json().await.unwrap();
    for (path, item) in openapi["paths"].as_object().unwrap() {
        for method in
            item.as_object().unwrap().keys().filter(|key| ["get", "post", "put", "delete"].contains(&key.as_str()))
        {
            let route = format!("{} {path}", method.to_uppercase());
            assert!(known.contains(&route.as_str()), "{route} is not in the table");
        }
    }
    let query = "{ __schema { queryType { name fields { name } } subscriptionType { name fields { name } } } }";
    let schema = guarded.query(&guarded.issuer.token("ann", "viewer"), query).await["data"]["__schema"].take();
    for kind in [&schema["queryType"], &schema["subscriptionType"]] {
        for field in kind["fields"].as_array().unwrap() {
            let field = format!("{}.{}", kind["name"].as_str().unwrap(), field["name"].as_str().unwrap());
            assert!(known.contains(&field.as_str()), "{field} is not in the table");
        }
    }
}
