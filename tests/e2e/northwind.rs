//! The 830 orders of Northwind: every order ends, and all books add up, whatever is killed
//! meanwhile.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use postgres_cluster::testing::database;
use reqwest::Client;
use serde_json::{Value, json};

use crate::as_of::orders_were_as_their_events_say;
use crate::ledger::{Ends, Ledger, at_rest, ends, set_stock};
use crate::process::{Address, LIMIT, Process, binary, from_environment, until};
use crate::security::{Security, Settings, borrowed};
use crate::world::World;

pub fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/northwind").join(name)
}

pub fn northwind() -> Ledger {
    let text = std::fs::read_to_string(file("orders.jsonl")).unwrap();
    let orders: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    Ledger::new(&orders, serde_json::from_str(&std::fs::read_to_string(file("stock.json")).unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_orders_of_northwind_end_and_everything_adds_up() {
    let northwind = northwind();
    assert_eq!(northwind.orders.len(), 830);
    let world = World::new().await;
    let participants = format!("{}/participants", world.base);
    set_stock(&world.http, &participants, &northwind.stock).await;
    let place = binary().args(["place", "--server", &world.base, "--file"]).arg(file("orders.jsonl")).output().unwrap();
    let (reported, errors) = (String::from_utf8_lossy(&place.stdout), String::from_utf8_lossy(&place.stderr));
    assert_eq!(place.status.code(), Some(0), "{reported}\n{errors}");
    println!("{reported}");
    let ends = ends(&world.http, &world.base).await;
    assert!(ends.values().all(at_rest), "{ends:?}");
    northwind.adds_up(&world.http, &ends, &participants, world.database.url()).await;
    let ids: Vec<&str> = northwind.orders.keys().map(String::as_str).collect();
    orders_were_as_their_events_say(&world, &ids).await;
}

/// Each role as a separate process, so that the orchestrator can be killed alone.
struct Roles {
    participants: String,
    queries: String,
    commands: Address,
    log: String,
    postgres: String,
    /// What clients send requests with.
    http: Client,
    security: Option<Security>,
    _running: Vec<Process>,
}

impl Roles {
    fn start(postgres: &str, data: &str, security: Option<Security>) -> Self {
        let any = "127.0.0.1:0";
        let of = |settings: fn(&Security) -> Settings| security.as_ref().map(settings).unwrap_or_default();
        let started = |arguments: &[&str], servers: &[(&str, &str)], settings: fn(&Security) -> Settings| {
            Process::start(arguments, &[servers, &borrowed(&of(settings))].concat())
        };
        let node = started(&["event-store", "--data", data, "--listen", any], &[], Security::of_node);
        let printed = node.line_after("the log at ");
        let log = security.as_ref().map_or_else(|| printed.clone(), |security| security.log(&printed));
        let servers = [("TENUTO_POSTGRES", postgres), ("TENUTO_EVENTSTORE", log.as_str())];
        let services = started(&["participants", "--listen", any], &servers, Security::of_services);
        let participants = services.line_after("notifications at ");
        let projector = started(&["projector", "--listen", any], &servers, Security::of_role);
        let api = started(&["query-api", "--listen", any], &servers, Security::of_role);
        let queries = api.line_after("queries at ").trim_end_matches("/graphql").to_owned();
        let (commands, postgres) = (Address::new(), postgres.to_owned());
        let http = security.as_ref().map_or_else(Client::new, Security::client);
        let running = vec![node, services, projector, api];
        Self { participants, queries, commands, log, postgres, http, security, _running: running }
    }

    fn commands_url(&self) -> String {
        let scheme = if self.security.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.commands.as_str())
    }

    fn place_in_background(&self, file: &Path) -> Child {
        let settings = self.security.as_ref().map(Security::of_command).unwrap_or_default();
        place_in_background(&self.commands_url(), file, &settings)
    }

    fn command_handler(&self) -> Process {
        let urls = ["orders", "payments", "shipping", "notifications"]
            .map(|name| (format!("{}_URL", name.to_uppercase()), format!("{}/{name}", self.participants)));
        let mut environment =
            vec![("TENUTO_POSTGRES", self.postgres.as_str()), ("TENUTO_EVENTSTORE", self.log.as_str())];
        environment.extend(urls.iter().map(|(name, url)| (name.as_str(), url.as_str())));
        let secured = self.security.as_ref().map(Security::of_role).unwrap_or_default();
        environment.extend(borrowed(&secured));
        let process = Process::start(&["command-handler", "--listen", self.commands.as_str()], &environment);
        process.line_after("commands at ");
        process
    }
}

/// Waits for some more orders to come to rest, so that the next kill hits work in progress at a
/// random point.
async fn more_come_to_rest(http: &Client, queries: &str, count: usize) {
    let before = ends(http, queries).await.values().filter(|end| at_rest(end)).count();
    until("some more orders came to rest, or all were placed", async || {
        let now = ends(http, queries).await;
        now.values().filter(|end| at_rest(end)).count() >= before + 20 || now.len() == count
    })
    .await;
}

async fn all_at_rest(mut place: Child, http: &Client, queries: &str, count: usize) -> Ends {
    let placed = tokio::task::spawn_blocking(move || place.wait().unwrap()).await.unwrap();
    assert!(placed.success(), "{placed}");
    let start = Instant::now();
    loop {
        let ends = ends(http, queries).await;
        if ends.len() == count && ends.values().all(at_rest) {
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

fn place_in_background(server: &str, file: &Path, settings: &Settings) -> Child {
    let mut command = binary();
    command.args(["place", "--no-wait", "--concurrency", "16", "--server", server, "--file"]).arg(file);
    command.envs(borrowed(settings));
    command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_orchestrator_ten_times_changes_no_sum() {
    let northwind = northwind();
    let database = database().await;
    let folder = tempfile::tempdir().unwrap();
    let roles = Roles::start(database.url(), folder.path().to_str().unwrap(), None);
    let kills = 10;
    everything_adds_up_despite_kills(&roles, &northwind, &file("orders.jsonl"), kills).await;
    let cut_off = lost_attempts(database.url()).await;
    println!("{cut_off} attempts were cut off by {kills} kills");
    assert!(cut_off > 0, "the kills hit something");
}

async fn everything_adds_up_despite_kills(roles: &Roles, northwind: &Ledger, file: &Path, kills: usize) {
    let (http, queries, count) = (&roles.http, roles.queries.as_str(), northwind.orders.len());
    set_stock(http, &roles.participants, &northwind.stock).await;
    let mut handler = roles.command_handler();
    let place = roles.place_in_background(file);
    for _ in 0..kills {
        more_come_to_rest(http, queries, count).await;
        handler.kill();
        handler = roles.command_handler();
    }
    let ends = all_at_rest(place, http, queries, count).await;
    northwind.adds_up(http, &ends, &roles.participants, &roles.postgres).await;
    drop(handler);
}

/// The first orders, and as much stock as is their share.
fn first_of_northwind(count: usize) -> (Ledger, String) {
    let text = std::fs::read_to_string(file("orders.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().take(count).collect();
    let orders: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let Ledger { orders: all, mut stock } = northwind();
    for item in stock.as_array_mut().unwrap() {
        item["quantity"] = json!((item["quantity"].as_u64().unwrap() * orders.len() as u64).div_ceil(all.len() as u64));
    }
    (Ledger::new(&orders, stock), lines.join("\n") + "\n")
}

/// `TENUTO_SECURED_ORDERS` sets the number of orders.
#[tokio::test(flavor = "multi_thread")]
async fn with_tls_users_keys_and_signatures_on_every_way_kills_change_no_sum_either() {
    let count = usize::try_from(from_environment("TENUTO_SECURED_ORDERS", 100)).unwrap();
    let (northwind, lines) = first_of_northwind(count);
    let security = Security::new();
    let (_postgres, postgres) = security.postgres().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders.jsonl");
    std::fs::write(&file, lines).unwrap();
    let roles = Roles::start(&postgres, folder.path().join("log").to_str().unwrap(), Some(security));
    everything_adds_up_despite_kills(&roles, &northwind, &file, 3).await;
    let stranger = roles.security.as_ref().unwrap().transport();
    let refused = stranger.post(format!("{}/graphql", roles.queries)).json(&json!({ "query": "{ a }" })).send().await;
    assert_eq!(refused.unwrap().status(), 401, "callers need a key");
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_everything_five_times_changes_no_sum() {
    let northwind = northwind();
    let database = database().await;
    let folder = tempfile::tempdir().unwrap();
    let address = Address::new();
    let start = || {
        let data = folder.path().to_str().unwrap();
        let arguments = ["dev", "--listen", address.as_str(), "--data", data, "--no-samples"];
        let process = Process::start(&arguments, &[("TENUTO_POSTGRES", database.url())]);
        process.line_after("commands   POST ");
        process
    };
    let base = address.url();
    let mut everything = start();
    let (http, count) = (Client::new(), northwind.orders.len());
    set_stock(&http, &format!("{base}/participants"), &northwind.stock).await;
    let place = place_in_background(&base, &file("orders.jsonl"), &Settings::new());
    for _ in 0..5 {
        more_come_to_rest(&http, &base, count).await;
        everything.kill();
        everything = start();
    }
    let ends = all_at_rest(place, &http, &base, count).await;
    northwind.adds_up(&http, &ends, &format!("{base}/participants"), database.url()).await;
    drop(everything);
}
