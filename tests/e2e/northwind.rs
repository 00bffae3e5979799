//! The 830 orders of Northwind: every order ends, and all books add up, whatever is killed
//! meanwhile.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use postgres_cluster::testing::database;
use serde_json::Value;

use crate::as_of::orders_were_as_their_events_say;
use crate::ledger::{Ends, Ledger, at_rest, ends, set_stock};
use crate::process::{Address, LIMIT, Process, binary, until};
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
    set_stock(&participants, &northwind.stock).await;
    let place = binary().args(["place", "--server", &world.base, "--file"]).arg(file("orders.jsonl")).output().unwrap();
    let (reported, errors) = (String::from_utf8_lossy(&place.stdout), String::from_utf8_lossy(&place.stderr));
    assert_eq!(place.status.code(), Some(0), "{reported}\n{errors}");
    println!("{reported}");
    let ends = ends(&world.base).await;
    assert!(ends.values().all(at_rest), "{ends:?}");
    northwind.adds_up(&ends, &participants, world.database.url()).await;
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
    _running: Vec<Process>,
}

impl Roles {
    fn start(postgres: &str, data: &str) -> Self {
        let any = "127.0.0.1:0";
        let node = Process::start(&["event-store", "--data", data, "--listen", any], &[]);
        let log = node.line_after("the log at ");
        let servers = [("TENUTO_POSTGRES", postgres), ("TENUTO_EVENTSTORE", log.as_str())];
        let services = Process::start(&["participants", "--listen", any], &servers);
        let participants = services.line_after("notifications at ");
        let projector = Process::start(&["projector"], &servers);
        let api = Process::start(&["query-api", "--listen", any], &servers);
        let queries = api.line_after("queries at ").trim_end_matches("/graphql").to_owned();
        let (commands, postgres) = (Address::new(), postgres.to_owned());
        Self { participants, queries, commands, log, postgres, _running: vec![node, services, projector, api] }
    }

    fn command_handler(&self) -> Process {
        let urls = ["orders", "payments", "shipping", "notifications"]
            .map(|name| (format!("{}_URL", name.to_uppercase()), format!("{}/{name}", self.participants)));
        let mut environment =
            vec![("TENUTO_POSTGRES", self.postgres.as_str()), ("TENUTO_EVENTSTORE", self.log.as_str())];
        environment.extend(urls.iter().map(|(name, url)| (name.as_str(), url.as_str())));
        let process = Process::start(&["command-handler", "--listen", self.commands.as_str()], &environment);
        process.line_after("commands at ");
        process
    }
}

/// Waits for some more orders to come to rest, so that the next kill hits work in progress at a
/// random point.
async fn more_come_to_rest(queries: &str) {
    let before = ends(queries).await.values().filter(|end| at_rest(end)).count();
    until("some more orders came to rest, or all were placed", async || {
        let now = ends(queries).await;
        now.values().filter(|end| at_rest(end)).count() >= before + 20 || now.len() == 830
    })
    .await;
}

async fn all_at_rest(mut place: Child, queries: &str) -> Ends {
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

fn place_in_background(server: &str) -> Child {
    let mut command = binary();
    command.args(["place", "--no-wait", "--concurrency", "16", "--server", server, "--file"]).arg(file("orders.jsonl"));
    command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_orchestrator_ten_times_changes_no_sum() {
    let northwind = northwind();
    let database = database().await;
    let folder = tempfile::tempdir().unwrap();
    let roles = Roles::start(database.url(), folder.path().to_str().unwrap());
    set_stock(&roles.participants, &northwind.stock).await;
    let mut handler = roles.command_handler();
    let place = place_in_background(&roles.commands.url());
    let kills = 10;
    for _ in 0..kills {
        more_come_to_rest(&roles.queries).await;
        handler.kill();
        handler = roles.command_handler();
    }
    let ends = all_at_rest(place, &roles.queries).await;
    northwind.adds_up(&ends, &roles.participants, database.url()).await;
    let cut_off = lost_attempts(database.url()).await;
    println!("{cut_off} attempts were cut off by {kills} kills");
    assert!(cut_off > 0, "the kills hit something");
    drop(handler);
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
    set_stock(&format!("{base}/participants"), &northwind.stock).await;
    let place = place_in_background(&base);
    for _ in 0..5 {
        more_come_to_rest(&base).await;
        everything.kill();
        everything = start();
    }
    let ends = all_at_rest(place, &base).await;
    northwind.adds_up(&ends, &format!("{base}/participants"), database.url()).await;
    drop(everything);
}
