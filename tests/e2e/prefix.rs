//! A log that other applications use too: orders are stored under a prefix, which the log records.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use event_store::{EventStore, Expected, NewEvent};
use event_store_node::{Node, NodeOptions};
use postgres_cluster::testing::database;
use reqwest::Url;
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;
use uuid::Uuid;

use crate::process::{Process, binary, output_text, until};
use crate::world::{World, order};

fn ends(arguments: &[&str], code: i32) -> String {
    let output = binary().args(arguments).output().unwrap();
    let reported = output_text(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {reported}");
    reported
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_stored_under_the_prefix_in_the_log_and_no_role_runs_with_another() {
    let world = World::with(&["--stream-prefix", "shop-order-"]).await;
    let log = EventStore::connect(&world.log).unwrap();
    let foreign = || NewEvent {
        id: Uuid::new_v4(),
        event_type: "OrderPlaced".to_owned(),
        data: "{}".into(),
        metadata: "{}".into(),
    };
    log.append("order-A", Expected::NoStream, vec![foreign(), foreign()]).await.unwrap();
    log.append("shop-order-foreign", Expected::NoStream, vec![foreign()]).await.unwrap();
    world.stock(&json!([{ "sku": "11", "quantity": 5 }])).await;
    world.place(&order("A", "order-fulfilment", "11", 2)).await;
    world.until("A is COMPLETED", async || world.order("A", "state").await["state"] == "COMPLETED").await;
    assert!(!log.read_stream("shop-order-A", 0, 1).await.unwrap().is_empty());
    assert_eq!(log.read_stream("order-A", 0, 10).await.unwrap().len(), 2);
    assert_eq!(world.query("{ overview { parked } }").await["overview"]["parked"], 0);
    assert_eq!(
        world.order("A", "timeline { edges { node { revision } } }").await["timeline"]["edges"][0]["node"]["revision"],
        0
    );

    let (server, postgres) = (world.log.as_str(), world.database.url());
    let both = ["--event-store", server, "--postgres", postgres];
    ends(&["audit", "verify", "A", "--event-store", server], 0);
    ends(&["replay", "A", "--event-store", server], 0);
    ends(&[["rebuild", "--check"].as_slice(), &both].concat(), 0);
    let other = ["--stream-prefix", "order-"];
    for role in [["projector"].as_slice(), &["command-handler", "--listen", "127.0.0.1:0"]] {
        let reported = ends(&[role, &other, &both].concat(), 2);
        assert!(reported.contains("shop-order-") && reported.contains("--stream-prefix"), "{role:?}: {reported}");
    }
    let reported = ends(&[["projector", "--stream-prefix", "key-"].as_slice(), &both].concat(), 2);
    assert!(reported.contains("must not begin like key-"), "{reported}");
}

/// A proxy in front of Postgres. It holds every connection until it is opened.
struct Held {
    url: String,
    waiting: Arc<AtomicUsize>,
    is_open: watch::Sender<bool>,
}

impl Held {
    async fn before(postgres: &str) -> Self {
        let mut url: Url = postgres.parse().unwrap();
        let folder = url.query_pairs().find(|(name, _)| name == "host").unwrap().1.into_owned();
        let socket = PathBuf::from(folder).join(format!(".s.PGSQL.{}", url.port().unwrap_or(5432)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_query(Some("sslmode=disable"));
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let (is_open, open) = watch::channel(false);
        let waiting = Arc::new(AtomicUsize::new(0));
        let counted = waiting.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (mut open, socket) = (open.clone(), socket.clone());
                tokio::spawn(async move {
                    open.wait_for(|is_open| *is_open).await.unwrap();
                    let mut server = UnixStream::connect(socket).await.unwrap();
                    // The client may disconnect at any time.
                    let _ = copy_bidirectional(&mut client, &mut server).await.is_ok();
                });
            }
        });
        Self { url: url.into(), waiting, is_open }
    }
}

/// Each role has found no prefix in the log, and waits for Postgres. Meanwhile another process
/// begins the log with a prefix.
#[tokio::test(flavor = "multi_thread")]
async fn roles_that_started_before_the_log_had_a_prefix_use_the_prefix_that_it_gets() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let (log, held) = (node.connection_string(), Held::before(database.url()).await);
    let servers = [("TENUTO_POSTGRES", held.url.as_str()), ("TENUTO_EVENTSTORE", log.as_str())];
    let handler = Process::start(&["command-handler", "--listen", "127.0.0.1:0"], &servers);
    let projector = Process::start(&["projector"], &servers);
    let queries = Process::start(&["query-api", "--listen", "127.0.0.1:0"], &servers);
    until("all of them wait for Postgres", async || held.waiting.load(Ordering::SeqCst) >= 3).await;
    let store = EventStore::connect(&log).unwrap();
    store.begin(Some("shop-order-")).await.unwrap();
    held.is_open.send_replace(true);

    let (commands, at) = (handler.line_after("commands at "), queries.line_after("queries at "));
    projector.line_after("projecting");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let placed = http.post(&commands).json(&order("A", "order-parallel", "11", 1)).send().await.unwrap();
    assert_eq!(placed.status(), 202, "{}", placed.text().await.unwrap());
    assert!(!store.read_stream("shop-order-A", 0, 1).await.unwrap().is_empty());
    assert!(store.read_stream("order-A", 0, 1).await.unwrap().is_empty());
    let shown = format!("{}/orders/A?wait=5", at.trim_end_matches("/graphql"));
    until("the views have the order", async || http.get(&shown).send().await.unwrap().status() == 200).await;
    // The query API reads the order's stream for its past.
    let past = json!({ "query": "{ order(id: \"A\", atRevision: 0) { state } }" });
    until("the query side reads the stream", async || {
        let reported = http.post(&at).json(&past).send().await.unwrap().text().await.unwrap();
        reported.contains("RUNNING")
    })
    .await;
    let both = ["--event-store", &log, "--postgres", database.url()];
    let other = ["command-handler", "--listen", "127.0.0.1:0", "--stream-prefix", "order-"];
    let reported = ends(&[other.as_slice(), &both].concat(), 2);
    assert!(reported.contains("shop-order-"), "{reported}");
}

/// Both try to begin the same empty log. One of them succeeds, and the other one ends with an
/// error.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_roles_that_begin_a_log_at_once_with_different_prefixes_one_runs() {
    for round in 0..3 {
        let (database, folder) = (database().await, tempfile::tempdir().unwrap());
        let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
        let log = node.connection_string();
        let start = |prefix: &'static str| {
            let role = ["command-handler", "--listen", "127.0.0.1:0", "--stream-prefix", prefix];
            let servers = [("TENUTO_POSTGRES", database.url()), ("TENUTO_EVENTSTORE", log.as_str())];
            Process::start(&role, &servers)
        };
        let mut roles = [("a-", start("a-")), ("b-", start("b-"))];
        let settings = async || EventStore::connect(&log).unwrap().settings().await.unwrap();
        until("the log has begun", async || settings().await.is_some()).await;
        let kept = settings().await.unwrap().stream_prefix.unwrap();
        let (_, refused) = roles.iter_mut().find(|(prefix, _)| *prefix != kept).unwrap();
        assert_eq!(refused.ended().code(), Some(2), "round {round}");
        let (_, runs) = roles.iter_mut().find(|(prefix, _)| *prefix == kept).unwrap();
        assert!(runs.runs(), "round {round}");
    }
}
