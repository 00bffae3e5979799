//! The 830 orders of Northwind: every one comes to its end, and everything adds up, whatever is killed on the way.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use postgres_cluster::testing::database;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::world::{LIMIT, Process, World, binary, until};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/northwind").join(name)
}

/// What the file says, and what has to follow from it.
struct Northwind {
    orders: BTreeMap<String, Order>,
    stock: Value,
}

struct Order {
    total: Decimal,
    needs: BTreeMap<String, u64>,
    can_wait: bool,
}

impl Northwind {
    fn read() -> Self {
        let text = std::fs::read_to_string(file("orders.jsonl")).unwrap();
        let orders = text.lines().map(|line| {
            let order: Value = serde_json::from_str(line).unwrap();
            let mut needs = BTreeMap::new();
            let mut total = Decimal::ZERO;
            for line in order["lines"].as_array().unwrap() {
                let quantity = line["quantity"].as_u64().unwrap();
                *needs.entry(line["sku"].as_str().unwrap().to_owned()).or_default() += quantity;
                total += line["unitPrice"].as_str().unwrap().parse::<Decimal>().unwrap() * Decimal::from(quantity);
            }
            let can_wait = order["workflow"] == "order-fulfilment";
            (order["orderId"].as_str().unwrap().to_owned(), Order { total, needs, can_wait })
        });
        let stock = serde_json::from_str(&std::fs::read_to_string(file("stock.json")).unwrap()).unwrap();
        Self { orders: orders.collect(), stock }
    }

    /// Compares what the services recorded with what the file and the orders' ends make necessary.
    async fn adds_up(&self, ends: &BTreeMap<String, (String, String)>, participants: &str) {
        assert_eq!(ends.len(), self.orders.len());
        let get = async |path: &str| {
            let response = reqwest::get(format!("{participants}{path}")).await.unwrap();
            response.error_for_status().unwrap().json::<Value>().await.unwrap()
        };
        let with_status = |status: &str| {
            let ids = ends.iter().filter(|(_, end)| end.0 == status).map(|(id, _)| id.clone());
            ids.collect::<Vec<String>>()
        };
        let (shipped, backordered, canceled) =
            (with_status("Shipped"), with_status("BackOrdered"), with_status("Canceled"));
        assert_eq!(shipped.len() + backordered.len() + canceled.len(), self.orders.len());
        assert!(!shipped.is_empty() && !backordered.is_empty() && !canceled.is_empty());
        assert!(backordered.iter().all(|id| self.orders[id].can_wait), "only those that can wait do");
        assert!(canceled.iter().all(|id| !self.orders[id].can_wait), "those that can wait are not undone");

        let mut stock = numbers(&self.stock, "quantity");
        for (sku, quantity) in shipped.iter().flat_map(|id| &self.orders[id].needs) {
            let left = stock.get_mut(sku).unwrap();
            *left = left.checked_sub(*quantity).unwrap_or_else(|| panic!("more of {sku} was shipped than there was"));
        }
        let recorded = get("/shipping/stock").await;
        assert_eq!(numbers(&recorded, "onHand"), stock);
        assert!(numbers(&recorded, "reserved").values().all(|reserved| *reserved == 0), "{recorded}");
        // Stock only ever went down: whoever did not get any could not get any now either.
        for id in backordered.iter().chain(&canceled) {
            let short = self.orders[id].needs.iter().any(|(sku, quantity)| stock[sku] < *quantity);
            assert!(short, "order {id} could have been shipped");
        }

        let sum = |ids: &[String]| ids.iter().map(|id| self.orders[id].total).sum::<Decimal>();
        let all: Vec<String> = self.orders.keys().cloned().collect();
        let totals = get("/payments/totals").await;
        assert_eq!(totals.as_array().unwrap().len(), 1, "{totals}");
        let money = |name: &str| totals[0][name].as_str().unwrap().parse::<Decimal>().unwrap();
        assert_eq!((money("charged"), &totals[0]["charges"]), (sum(&all), &json!(all.len())));
        assert_eq!((money("refunded"), &totals[0]["refunds"]), (sum(&canceled), &json!(canceled.len())));

        let mails = get("/notifications/mailbox?limit=1000").await;
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for mail in mails["mails"].as_array().unwrap() {
            *counts.entry(mail["template"].as_str().unwrap()).or_default() += 1;
        }
        let expected = BTreeMap::from([
            ("order-shipped", shipped.len()),
            ("order-backordered", backordered.len()),
            ("order-canceled", canceled.len()),
        ]);
        assert_eq!(counts, expected);

        let handled = get("/audit/repeats").await;
        let count = |participant: &str, action: &str| {
            let tally =
                handled.as_array().unwrap().iter().find(|t| t["participant"] == participant && t["action"] == action);
            tally.and_then(|tally| tally["handled"].as_u64()).unwrap_or_default()
        };
        let of = |ids: &[String]| u64::try_from(ids.len()).unwrap();
        assert_eq!(count("orders", "create"), of(&all));
        assert_eq!(count("shipping", "ship"), of(&all));
        assert_eq!(count("orders", "cancel"), of(&canceled));
        println!(
            "{} shipped, {} back-ordered, {} canceled; {} charged, {} refunded",
            shipped.len(),
            backordered.len(),
            canceled.len(),
            money("charged"),
            money("refunded"),
        );
    }
}

fn numbers(list: &Value, field: &str) -> BTreeMap<String, u64> {
    let entry = |item: &Value| (item["sku"].as_str().unwrap().to_owned(), item[field].as_u64().unwrap());
    list.as_array().unwrap().iter().map(entry).collect()
}

/// Status and state of every order, by GraphQL.
async fn ends(queries: &str) -> BTreeMap<String, (String, String)> {
    let http = reqwest::Client::new();
    let mut ends = BTreeMap::new();
    let mut after = Value::Null;
    loop {
        let query = "query($after: String) { orders(first: 200, after: $after) { \
                     edges { node { id status state } } pageInfo { hasNextPage endCursor } } }";
        let body = json!({ "query": query, "variables": { "after": after } });
        let response = http.post(format!("{queries}/graphql")).json(&body).send().await.unwrap();
        let page: Value = response.json().await.unwrap();
        let orders = &page["data"]["orders"];
        for edge in orders["edges"].as_array().unwrap_or_else(|| panic!("{page}")) {
            let text = |name: &str| edge["node"][name].as_str().unwrap().to_owned();
            ends.insert(text("id"), (text("status"), text("state")));
        }
        if orders["pageInfo"]["hasNextPage"] != true {
            return ends;
        }
        after = orders["pageInfo"]["endCursor"].clone();
    }
}

fn at_rest(end: &(String, String)) -> bool {
    let (status, state) = (end.0.as_str(), end.1.as_str());
    matches!((status, state), ("Shipped", "COMPLETED") | ("BackOrdered", "WAITING") | ("Canceled", "CANCELED"))
}

async fn set_stock(participants: &str, stock: &Value) {
    let request = reqwest::Client::new().post(format!("{participants}/shipping/stock")).json(stock);
    request.send().await.unwrap().error_for_status().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn all_orders_of_northwind_come_to_their_ends_and_everything_adds_up() {
    let northwind = Northwind::read();
    assert_eq!(northwind.orders.len(), 830);
    let world = World::new().await;
    let participants = format!("{}/participants", world.base);
    set_stock(&participants, &northwind.stock).await;
    let place = binary().args(["place", "--server", &world.base, "--file"]).arg(file("orders.jsonl")).output().unwrap();
    let (told, errors) = (String::from_utf8_lossy(&place.stdout), String::from_utf8_lossy(&place.stderr));
    assert_eq!(place.status.code(), Some(0), "{told}\n{errors}");
    println!("{told}");
    let ends = ends(&world.base).await;
    assert!(ends.values().all(at_rest), "{ends:?}");
    northwind.adds_up(&ends, &participants).await;
}

/// One role each, so that the orchestrator can be killed alone.
struct Roles {
    participants: String,
    queries: String,
    commands: String,
    log: String,
    postgres: String,
    _running: Vec<Process>,
}

impl Roles {
    fn start(postgres: &str, data: &str) -> Self {
        let any = "127.0.0.1:0";
        let node = Process::start(&["event-store", "--data", data, "--listen", any], &[]);
        let log = node.told("the log at ");
        let servers = [("TENUTO_POSTGRES", postgres), ("TENUTO_EVENTSTORE", log.as_str())];
        let services = Process::start(&["participants", "--listen", any], &servers);
        let participants = services.told("notifications at ");
        let projector = Process::start(&["projector"], &servers);
        let api = Process::start(&["query-api", "--listen", any], &servers);
        let queries = api.told("queries at ").trim_end_matches("/graphql").to_owned();
        let (commands, postgres) = (free_address(), postgres.to_owned());
        Self { participants, queries, commands, log, postgres, _running: vec![node, services, projector, api] }
    }

    fn command_handler(&self) -> Process {
        let urls = ["orders", "payments", "shipping", "notifications"]
            .map(|name| (format!("{}_URL", name.to_uppercase()), format!("{}/{name}", self.participants)));
        let mut environment =
            vec![("TENUTO_POSTGRES", self.postgres.as_str()), ("TENUTO_EVENTSTORE", self.log.as_str())];
        environment.extend(urls.iter().map(|(name, url)| (name.as_str(), url.as_str())));
        let process = Process::start(&["command-handler", "--listen", &self.commands], &environment);
        process.told("commands at ");
        process
    }
}

/// Not a round number of orders, nor a quiet moment: whatever is under way then is cut off wherever it is.
async fn more_come_to_rest(queries: &str) {
    let before = ends(queries).await.values().filter(|end| at_rest(end)).count();
    until("some more orders came to rest, or all were placed", async || {
        let now = ends(queries).await;
        now.values().filter(|end| at_rest(end)).count() >= before + 20 || now.len() == 830
    })
    .await;
}

async fn all_at_rest(mut place: Child, queries: &str) -> BTreeMap<String, (String, String)> {
    let placed = tokio::task::spawn_blocking(move || place.wait().unwrap()).await.unwrap();
    assert!(placed.success(), "{placed}");
    let start = Instant::now();
    loop {
        let ends = ends(queries).await;
        if ends.len() == 830 && ends.values().all(at_rest) {
            return ends;
        }
        let open: Vec<_> = ends.iter().filter(|(_, end)| !at_rest(end)).collect();
        assert!(start.elapsed() < LIMIT, "{} orders, these not at rest: {open:?}", ends.len());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn lost_attempts(views: &str) -> i64 {
    let pool = sqlx::PgPool::connect(views).await.unwrap();
    let count = "SELECT count(*) FROM timeline WHERE type = 'StepAttemptFailed' AND data->>'lost' = 'true'";
    sqlx::query_scalar(count).fetch_one(&pool).await.unwrap()
}

/// An address to keep over several lives of a process.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn place_in_background(server: &str) -> Child {
    let mut command = binary();
    command.args(["place", "--no-wait", "--concurrency", "16", "--server", server, "--file"]).arg(file("orders.jsonl"));
    command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_orchestrator_ten_times_changes_no_sum() {
    let northwind = Northwind::read();
    let database = database().await;
    let folder = tempfile::tempdir().unwrap();
    let roles = Roles::start(database.url(), folder.path().to_str().unwrap());
    set_stock(&roles.participants, &northwind.stock).await;
    let mut handler = roles.command_handler();
    let place = place_in_background(&format!("http://{}", roles.commands));
    let kills = 10;
    for _ in 0..kills {
        more_come_to_rest(&roles.queries).await;
        handler.kill();
        handler = roles.command_handler();
    }
    let ends = all_at_rest(place, &roles.queries).await;
    northwind.adds_up(&ends, &roles.participants).await;
    let cut_off = lost_attempts(database.url()).await;
    println!("{cut_off} attempts were cut off by {kills} kills");
    assert!(cut_off > 0, "the kills hit something");
    drop(handler);
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_everything_five_times_changes_no_sum() {
    let northwind = Northwind::read();
    let database = database().await;
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let start = || {
        let data = folder.path().to_str().unwrap();
        let arguments = ["dev", "--listen", &address, "--data", data, "--no-samples"];
        let process = Process::start(&arguments, &[("TENUTO_POSTGRES", database.url())]);
        process.told("commands   POST ");
        process
    };
    let base = format!("http://{address}");
    let mut everything = start();
    set_stock(&format!("{base}/participants"), &northwind.stock).await;
    let place = place_in_background(&base);
    for _ in 0..5 {
        more_come_to_rest(&base).await;
        everything.kill();
        everything = start();
    }
    let ends = all_at_rest(place, &base).await;
    northwind.adds_up(&ends, &format!("{base}/participants")).await;
    drop(everything);
}
