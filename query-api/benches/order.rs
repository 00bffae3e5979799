//! The cost of GraphQL: `order` with its steps and its timeline, compared with a bare axum handler
//! that runs the same statements in the same snapshot and writes the same JSON. `cargo bench -p
//! query-api --bench order`.
//!
//! Both are served over HTTP in this process, to the same clients, in turns. The figures are
//! answers per second, and the median and the 99th percentile of their times.
//! `TENUTO_BENCH_SECONDS` is the length of each turn (default: 3), `TENUTO_BENCH_CLIENTS` the
//! number of clients (default: 8).

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]
#![expect(clippy::cast_precision_loss, reason = "there are fewer answers than that")]

use std::time::{Duration, Instant};

use access::Caller;
use axum::extract::{Path, State};
use axum::{Extension, Json, Router, routing};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::{DateTime, Utc};
use domain::ids::OrderId;
use domain::order::{CustomerKey, Line, Sealed};
use event_store::EventStore;
use postgres_cluster::testing::database;
use query_api::Options;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ORDERS: usize = 2_000;
const TURNS: usize = 5;
const QUERY: &str = "query ($id: ID!) { order(id: $id) {
    id status state currency total placedAt updatedAt endedAt revision position result stuckReason
    customer { id name email } lines { sku name quantity unitPrice }
    steps { id participant action mode status outcome data attempts lastError startedAt endedAt nextAttemptAt }
    timeline(first: 50) {
      edges { cursor node { revision type recordedAt summary step actor reason data correlationId causationId hash } }
      pageInfo { hasNextPage endCursor }
    } } }";

fn main() {
    // `cargo bench` passes `--bench`. A run that only lists or tests the targets measures nothing.
    if std::env::args().any(|argument| argument == "--bench") {
        tokio::runtime::Runtime::new().unwrap().block_on(measure());
    }
}

async fn measure() {
    let (seconds, clients) = (number("TENUTO_BENCH_SECONDS", 3), number("TENUTO_BENCH_CLIENTS", 8));
    let database = database().await;
    let pool = PgPoolOptions::new().max_connections(16).connect(database.url()).await.unwrap();
    views::migrate(&pool).await.unwrap();
    fill(&pool).await;
    let log = EventStore::connect("esdb://127.0.0.1:1?tls=false").unwrap();
    let graphql =
        serve(query_api::router(pool.clone(), log, &Options::default()).layer(Extension(Caller::Anyone))).await;
    let bare = serve(Router::new().route("/orders/{id}", routing::get(order)).with_state(pool)).await;
    let http = reqwest::Client::builder().tcp_nodelay(true).build().unwrap();

    let by_graphql = async |id: String| {
        let body = json!({ "query": QUERY, "variables": { "id": id } });
        let answer = http.post(format!("{graphql}/graphql")).json(&body).send().await.unwrap();
        answer.bytes().await.unwrap()
    };
    let by_bare = async |id: String| {
        let answer = http.get(format!("{bare}/orders/{id}")).send().await.unwrap();
        answer.bytes().await.unwrap()
    };
    // Both answers must be equal.
    let (one, other) = (by_graphql("o7".to_owned()).await, by_bare("o7".to_owned()).await);
    let read = |bytes: &[u8]| comparable(serde_json::from_slice(bytes).unwrap());
    assert_eq!(read(&one)["data"]["order"], read(&other));

    let length = Duration::from_secs(seconds as u64);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for turn in 0..=TURNS {
        let asked = [ask(&by_graphql, length, clients).await, ask(&by_bare, length, clients).await];
        // The first turn warms up.
        if turn > 0 {
            let [graphql, bare] = asked;
            with.extend(graphql);
            without.extend(bare);
        }
    }
    let in_all = length.as_secs_f64() * TURNS as f64;
    for (name, took) in [("graphql", &mut with), ("bare", &mut without)] {
        took.sort_unstable();
        let (median, slow) = (took[took.len() / 2], took[took.len() * 99 / 100]);
        println!("{name:>8}: {:>7.0} a second, median {median:?}, p99 {slow:?}", took.len() as f64 / in_all);
    }
    println!("GraphQL gives {:.0} % of the bare handler's answers", 100.0 * with.len() as f64 / without.len() as f64);
}

/// Lets some clients query one order after another for this time. Returns the time of each answer.
async fn ask<T>(one: &impl AsyncFn(String) -> T, length: Duration, clients: usize) -> Vec<Duration> {
    let begun = Instant::now();
    let client = async |client: usize| {
        let mut took = Vec::new();
        let mut number = client * 7919;
        while begun.elapsed() < length {
            number = (number + 104_729) % ORDERS;
            let asked = Instant::now();
            one(format!("o{number}")).await;
            took.push(asked.elapsed());
        }
        took
    };
    futures::future::join_all((0..clients).map(client)).await.concat()
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        axum::serve(axum::serve::ListenerExt::tap_io(listener, |io| io.set_nodelay(true).unwrap()), router).await
    });
    format!("http://{address}")
}

/// Orders of six steps and twenty events each, with sealed personal data.
async fn fill(pool: &PgPool) {
    let key = CustomerKey::new(Uuid::from_u128(1), &[7; CustomerKey::LENGTH]).unwrap();
    sqlx::query("INSERT INTO customer_keys (id, customer_id, secret) VALUES ($1, 'VINET', $2)")
        .bind(key.id())
        .bind([7_u8; CustomerKey::LENGTH].as_slice())
        .execute(pool)
        .await
        .unwrap();
    sqlx::raw_sql(
        r"INSERT INTO workflows (name, version, source, outline, registered_at, position)
        SELECT 'order-fulfilment', 1, '', jsonb_agg(jsonb_build_object('id', 's' || n, 'participant', 'orders', 'action', 'create',
                                                    'mode', 'CALL', 'after', '[]'::jsonb, 'compensated', false)), now(), 1
        FROM generate_series(1, 6) AS n;",
    )
    .execute(pool)
    .await
    .unwrap();
    for number in 0..ORDERS {
        let id = format!("o{number}");
        let sealed = sealed(&key, &id);
        sqlx::query(
            r#"INSERT INTO orders (id, workflow, workflow_version, status, state, customer_id, currency, total, lines, attributes, result,
                                   placed_at, updated_at, ended_at, revision, position, sealed)
            VALUES ($1, 'order-fulfilment', 1, 'Shipped', 'COMPLETED', 'VINET', 'EUR', 440.00,
                    '[{"sku": "11", "name": "Queso Cabrales", "quantity": 12, "unitPrice": "14.00"},
                      {"sku": "42", "name": "Singaporean Hokkien Fried Mee", "quantity": 10, "unitPrice": "9.80"},
                      {"sku": "72", "name": "Mozzarella di Giovanni", "quantity": 5, "unitPrice": "34.80"}]',
                    '{}', '{"tracking": "TN-1"}', now(), now(), now(), 19, 20, $2)"#,
        )
        .bind(&id)
        .bind(sqlx::types::Json(&sealed))
        .execute(pool)
        .await
        .unwrap();
    }
    sqlx::raw_sql(
        r#"INSERT INTO steps (order_id, step, participant, action, mode, status, outcome, data, attempts, started_at, ended_at)
        SELECT id, 's' || n, 'orders', 'create', 'CALL', 'COMPLETED', 'created', '{"record": "R-1", "at": "2026-01-01"}', 1, now(), now()
        FROM orders CROSS JOIN generate_series(1, 6) AS n;
        INSERT INTO timeline (order_id, revision, event_id, position, type, recorded_at, summary, step, data, correlation_id, causation_id, hash)
        SELECT id, n, gen_random_uuid(), n, 'StepCompleted', now(), 'Step s1 ended as created', 's1',
               '{"at": "2026-01-01T00:00:00Z", "step": "s1", "direction": "do", "outcome": "created", "basis": "answer", "data": {"record": "R-1"}}',
               id, gen_random_uuid(), repeat('ab', 32)
        FROM orders CROSS JOIN generate_series(0, 19) AS n"#,
    )
    .execute(pool)
    .await
    .unwrap();
    sqlx::raw_sql("VACUUM (ANALYZE) orders, steps, timeline").execute(pool).await.unwrap();
}

fn sealed(key: &CustomerKey, id: &str) -> Sealed {
    let placed: domain::order::OrderPlaced = serde_json::from_value(json!({
        "orderId": id, "workflow": { "name": "order-fulfilment", "version": 1 }, "customerId": "VINET",
        "personal": { "name": "Vins et alcools Chevalier", "email": "orders@vinet.example",
                      "shipTo": { "street": "59 rue de l'Abbaye", "city": "Reims", "postalCode": "51100", "country": "France" } },
        "currency": "EUR", "lines": [], "total": "440.00", "attributes": {}, "status": "Placed", "fingerprint": "ab",
        "at": "2026-01-01T00:00:00Z",
    }))
    .unwrap();
    placed.sealed_with(key, Uuid::new_v4()).unwrap().sealed.unwrap()
}

#[derive(FromRow)]
struct OrderRow {
    id: String,
    workflow: String,
    workflow_version: i32,
    status: String,
    state: String,
    customer_id: String,
    currency: String,
    total: Decimal,
    lines: sqlx::types::Json<Vec<Line>>,
    result: Option<sqlx::types::Json<Value>>,
    stuck_reason: Option<String>,
    placed_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    revision: i64,
    position: i64,
    sealed: Option<sqlx::types::Json<Sealed>>,
}

#[derive(FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
struct StepRow {
    #[serde(rename = "id")]
    step: String,
    participant: Option<String>,
    action: Option<String>,
    mode: Option<String>,
    status: String,
    outcome: Option<String>,
    data: Option<sqlx::types::Json<Value>>,
    attempts: i32,
    last_error: Option<String>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    next_attempt_at: Option<DateTime<Utc>>,
}

#[derive(FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    revision: i64,
    r#type: String,
    recorded_at: DateTime<Utc>,
    summary: String,
    step: Option<String>,
    actor: Option<String>,
    reason: Option<String>,
    data: sqlx::types::Json<Value>,
    correlation_id: Option<String>,
    causation_id: Option<Uuid>,
    hash: String,
}

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
                     SET LOCAL statement_timeout = '30s'; SET LOCAL jit = off;
                     LOCK TABLE orders, steps, timeline, todo, order_counts, workflow_counts, estimates, expectations, workflows, parked IN ACCESS SHARE MODE";

/// The bare handler.
async fn order(State(pool): State<PgPool>, Path(id): Path<String>) -> Json<Order> {
    let mut db = pool.begin_with(BEGIN).await.unwrap();
    let row: OrderRow = sqlx::query_as(
        "SELECT id, workflow, workflow_version, status, state, customer_id, customer_name, customer_email,
                currency, total, lines, ship_to, attributes, result, stuck_reason, placed_at, updated_at, ended_at, revision, position,
                parked, sealed FROM orders WHERE id = $1",
    )
    .bind(&id)
    .fetch_one(&mut *db)
    .await
    .unwrap();
    let sealed = row.sealed.unwrap().0;
    let (key, secret): (Uuid, Vec<u8>) =
        sqlx::query_as("SELECT id, secret, destroyed_at FROM customer_keys WHERE id = ANY($1)")
            .bind([sealed.key].as_slice())
            .fetch_one(&mut *db)
            .await
            .unwrap();
    let steps: Vec<StepRow> = sqlx::query_as(
        "SELECT order_id, step, participant, action, mode, status, outcome, data, attempts, last_error, started_at, ended_at,
                next_attempt_at
         FROM steps WHERE order_id = ANY($1) ORDER BY order_id, started_at, step",
    )
    .bind([&id].as_slice())
    .fetch_all(&mut *db)
    .await
    .unwrap();
    let _outline: (sqlx::types::Json<Value>,) = sqlx::query_as(
        "SELECT outline FROM workflows JOIN unnest($1::text[], $2::integer[]) AS wanted (name, version) USING (name, version)",
    )
    .bind([&row.workflow].as_slice())
    .bind([row.workflow_version].as_slice())
    .fetch_one(&mut *db)
    .await
    .unwrap();
    let entries: Vec<Entry> = sqlx::query_as(
        "SELECT entry.* FROM unnest($1::text[], $2::bigint[]) AS wanted (id, last) CROSS JOIN LATERAL (
             SELECT order_id, revision, type, recorded_at, summary, step, actor, reason, data, correlation_id, causation_id, hash
             FROM timeline WHERE order_id = wanted.id AND revision <= wanted.last ORDER BY revision ASC LIMIT $3) AS entry",
    )
    .bind([&id].as_slice())
    .bind([row.revision].as_slice())
    .bind(51_i64)
    .fetch_all(&mut *db)
    .await
    .unwrap();
    db.commit().await.unwrap();
    let key = CustomerKey::new(key, &secret).unwrap();
    let personal = key.open(&OrderId::new(row.id.as_str()).unwrap(), &sealed).unwrap().personal;
    let edges: Vec<Edge> = entries.into_iter().map(Edge::of).collect();
    let end_cursor = edges.last().map(|edge| edge.cursor.clone());
    let customer = Customer { id: row.customer_id, name: personal.name, email: personal.email };
    Json(Order {
        id: row.id,
        status: row.status,
        state: row.state,
        currency: row.currency,
        total: row.total,
        placed_at: row.placed_at,
        updated_at: row.updated_at,
        ended_at: row.ended_at,
        revision: row.revision,
        position: row.position.to_string(),
        result: row.result,
        stuck_reason: row.stuck_reason,
        customer,
        lines: row.lines,
        steps,
        timeline: Timeline { edges, page_info: PageInfo { has_next_page: false, end_cursor } },
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    id: String,
    status: String,
    state: String,
    currency: String,
    total: Decimal,
    placed_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    revision: i64,
    position: String,
    result: Option<sqlx::types::Json<Value>>,
    stuck_reason: Option<String>,
    customer: Customer,
    lines: sqlx::types::Json<Vec<Line>>,
    steps: Vec<StepRow>,
    timeline: Timeline,
}

#[derive(Serialize)]
struct Customer {
    id: String,
    name: Option<String>,
    email: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Timeline {
    edges: Vec<Edge>,
    page_info: PageInfo,
}

#[derive(Serialize)]
struct Edge {
    cursor: String,
    node: Entry,
}

impl Edge {
    fn of(node: Entry) -> Self {
        Self { cursor: BASE64_URL_SAFE_NO_PAD.encode(format!("revision|{}", node.revision)), node }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

/// An answer with its times in one notation.
fn comparable(value: Value) -> Value {
    match value {
        Value::String(text) => {
            text.parse::<DateTime<Utc>>().map_or(Value::String(text), |moment| moment.to_rfc3339().into())
        }
        Value::Array(items) => items.into_iter().map(comparable).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, field)| (name, comparable(field))).collect(),
        other => other,
    }
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}
