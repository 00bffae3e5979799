//! Random documents at every door: none takes the process, or more than its time, its answer and
//! its memory.
//!
//! `TENUTO_DOCUMENTS=1000000 cargo test --release -p query-api --test it fuzz -- --nocapture` asks
//! a million, and prints what they took; `TENUTO_SEED` begins elsewhere. A round depends on its
//! number alone: `TENUTO_SEED=4711 TENUTO_DOCUMENTS=1` is one.

mod author;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::Request;
use axum::routing::get;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::Message;
use tower::ServiceExt;

use crate::live::serve;
use crate::socket::Socket;
use crate::support::{Row, World};
use author::{Dice, Written};

/// How many documents are tried by default.
const ROUNDS: u64 = 2_000;
const DOORS: [&str; 4] = ["POST", "GET", "SSE", "WebSocket"];
/// Requests under way at once.
const CLIENTS: u64 = 4;
/// What a request may take: a query has 30 s, and the test shares its machine.
const MAX_TIME: Duration = Duration::from_mins(1);
/// The largest answer: `max_answer_bytes`, and the errors.
const MAX_BYTES: usize = 17 * 1024 * 1024;
/// What the process may grow by: large answers (256 MiB together), and what makes them.
const MAX_GROWTH: usize = 1024 * 1024 * 1024;
/// How long a probe may take here: the machine has other work. The long run prints what it took.
const MAX_PROBE: Duration = Duration::from_secs(5);
/// How long the next message of a subscription is waited for.
const BEGINNING: Duration = Duration::from_millis(50);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// What was answered, and how.
#[derive(Debug, Default)]
struct Seen {
    answers: BTreeMap<String, usize>,
    slowest: (Duration, u64),
    largest: (usize, u64),
}

impl Seen {
    fn add(&mut self, round: u64, door: &str, answer: &Answer, took: Duration) {
        assert!(took < MAX_TIME, "document {round} took {took:?} ({door})");
        assert!(answer.bytes < MAX_BYTES, "document {round} was answered with {} bytes ({door})", answer.bytes);
        *self.answers.entry(format!("{door} {}", answer.kind)).or_insert(0) += 1;
        self.slowest = self.slowest.max((took, round));
        self.largest = self.largest.max((answer.bytes, round));
    }
}

struct Answer {
    bytes: usize,
    /// A status, or what a message said.
    kind: String,
}

/// The server: its threads have nothing else to do.
#[derive(Clone)]
struct Server {
    router: Router,
    threads: Handle,
    url: String,
}

impl Server {
    /// Status and body of the answer to a request that is answered there.
    async fn send(&self, request: Request<Body>) -> (u16, Bytes) {
        let answered = self.router.clone().oneshot(request);
        let answer = async {
            let response = answered.await.unwrap();
            let status = response.status().as_u16();
            (status, to_bytes(response.into_body(), usize::MAX).await.unwrap())
        };
        self.threads.spawn(answer).await.unwrap()
    }
}

/// Asks for what is written, by one door. The client has a connection for one of them.
async fn ask(server: &Server, socket: &mut Option<Socket>, door: usize, written: &Written) -> Answer {
    let body = json!({ "query": written.query, "variables": written.variables });
    let post = |accept: &str| {
        let request = Request::post("/graphql").header("content-type", "application/json").header("accept", accept);
        request.body(Body::from(body.to_string())).unwrap()
    };
    match door {
        0 => whole(server, post("application/graphql-response+json")).await,
        1 => match by_url(written) {
            Some(request) => whole(server, request).await,
            None => Answer { bytes: 0, kind: "too long for a URL".to_owned() },
        },
        2 => server.threads.spawn(events(server.router.clone(), post("text/event-stream"))).await.unwrap(),
        _ => by_socket(&server.url, socket, &body).await,
    }
}

fn by_url(written: &Written) -> Option<Request<Body>> {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let (query, variables) = (encode(&written.query), encode(&written.variables.to_string()));
    let request = Request::get(format!("/graphql?query={query}&variables={variables}"));
    request.header("accept", "application/graphql-response+json").body(Body::empty()).ok()
}

/// An answer that has to be JSON, with data or errors.
async fn whole(server: &Server, request: Request<Body>) -> Answer {
    let (status, body) = server.send(request).await;
    assert!([200, 400, 405, 413, 503].contains(&status), "{status}: {}", String::from_utf8_lossy(&body));
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert!(answer.get("data").or(answer.get("errors")).is_some(), "{answer}");
    Answer { bytes: body.len(), kind: status.to_string() }
}

/// The first event of a stream, and the last where it soon follows: a subscription goes on.
async fn events(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (status, mut body) = (response.status().as_u16(), response.into_body().into_data_stream());
    let mut bytes = 0;
    while let Ok(Some(event)) = timeout(if bytes == 0 { MAX_TIME } else { BEGINNING }, body.next()).await {
        bytes += event.unwrap().len();
    }
    Answer { bytes, kind: status.to_string() }
}

async fn by_socket(url: &str, kept: &mut Option<Socket>, payload: &Value) -> Answer {
    let mut socket = match kept.take() {
        Some(socket) => socket,
        None => Socket::open(url).await,
    };
    let mut answer = Answer { bytes: 0, kind: String::new() };
    let asked = json!({ "type": "subscribe", "id": "a", "payload": payload }).to_string();
    // The server closes the connection at a message that is too large, which may be before all of
    // it is written.
    if socket.0.send(Message::text(asked)).await.is_err() {
        return Answer { kind: "closed".to_owned(), ..answer };
    }
    loop {
        let limit = if answer.bytes == 0 { MAX_TIME } else { BEGINNING };
        let text = match timeout(limit, socket.0.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => text,
            Ok(Some(Ok(Message::Ping(_)))) => continue,
            // A subscription that goes on ends with its connection.
            Err(_) if answer.bytes > 0 => return answer,
            // A message may be larger than is taken.
            Ok(_) => return Answer { kind: "closed".to_owned(), ..answer },
            Err(late) => panic!("no answer in time: {late}"),
        };
        answer.bytes = answer.bytes.max(text.len());
        let told: Value = serde_json::from_str(&text).unwrap();
        match told["type"].as_str().unwrap() {
            "next" => "next".clone_into(&mut answer.kind),
            "complete" => break,
            kind => {
                kind.clone_into(&mut answer.kind);
                break;
            }
        }
    }
    *kept = Some(socket);
    answer
}

/// Asks for `/livez` all the time, from outside of the server's runtime; watches the memory too.
struct Probe {
    ended: Arc<AtomicBool>,
    thread: thread::JoinHandle<Probed>,
}

struct Probed {
    count: usize,
    slowest: Duration,
    late: usize,
    growth: usize,
}

impl Probe {
    fn start(address: SocketAddr) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let until = ended.clone();
        let thread = thread::spawn(move || {
            let before = resident();
            let mut probed = Probed { count: 0, slowest: Duration::ZERO, late: 0, growth: 0 };
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            while !until.load(Ordering::Relaxed) {
                let start = Instant::now();
                stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
                let mut answer = [0; 1_000];
                let length = stream.read(&mut answer).unwrap();
                assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
                let took = start.elapsed();
                probed.count += 1;
                probed.slowest = probed.slowest.max(took);
                probed.late += usize::from(took > Duration::from_millis(100));
                probed.growth = probed.growth.max(resident().saturating_sub(before));
                thread::sleep(Duration::from_millis(5));
            }
            probed
        });
        Self { ended, thread }
    }

    fn end(self) -> Probed {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// What the process holds in memory, in bytes; 0 where the system does not say.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok()).unwrap_or(0) * 1024
}

async fn world() -> World {
    let world = World::new().await;
    for number in 0..50 {
        world.insert(&Row::new(format!("o{number}"))).await;
    }
    world.count().await;
    world.sql("INSERT INTO workflows (name, version, source, outline, registered_at, position) VALUES ('long', 1, repeat('x', 256000), '[]', now(), 1)").await;
    world
}

/// One client, which asks every so many rounds.
async fn client(server: Server, rounds: Range<u64>, first: u64, seen: Arc<Mutex<Seen>>) {
    let mut socket = None;
    let total = rounds.end - rounds.start;
    for round in rounds.filter(|round| round % CLIENTS == first) {
        let mut dice = Dice::seeded(round);
        let written = author::write(&mut dice);
        // Each client uses all endpoints equally often.
        let door = dice.below(DOORS.len());
        let start = Instant::now();
        let answer = ask(&server, &mut socket, door, &written).await;
        seen.lock().unwrap().add(round, DOORS[door], &answer, start.elapsed());
        if total > ROUNDS && round % 10_000 == 0 {
            println!("{round}");
        }
    }
}

fn threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn no_document_takes_the_process_or_more_than_its_budget_at_any_door() {
    let (threads, clients) = (threads(), threads());
    let (server, world) = threads.block_on(async {
        let world = world().await;
        let router = world.router.clone().route("/livez", get(async || "alive"));
        let url = serve(router.clone()).await;
        (Server { router, threads: Handle::current(), url }, world)
    });
    let address = server.url.trim_start_matches("ws://").trim_end_matches("/graphql").parse().unwrap();
    let first = number("TENUTO_SEED").unwrap_or_default();
    let rounds = first..first + number("TENUTO_DOCUMENTS").unwrap_or(ROUNDS);
    let (probe, seen) = (Probe::start(address), Arc::new(Mutex::new(Seen::default())));
    let start = Instant::now();
    let asked: Vec<_> = (0..CLIENTS)
        .map(|first| {
            let asked = client(server.clone(), rounds.clone(), first, seen.clone());
            clients.spawn(asked)
        })
        .collect();
    for asked in asked {
        clients.block_on(asked).unwrap();
    }
    let (took, probed, seen) = (start.elapsed(), probe.end(), seen.lock().unwrap());
    println!("{} documents in {took:?}: {:#?}", rounds.end - rounds.start, *seen);
    println!(
        "{} probes, the slowest {:?}, {} over 100 ms; the process grew by {} MiB",
        probed.count,
        probed.slowest,
        probed.late,
        probed.growth >> 20
    );
    assert!(probed.count > 0 && probed.slowest < MAX_PROBE, "/livez took {:?}", probed.slowest);
    assert!(probed.growth < MAX_GROWTH, "the process grew by {} bytes", probed.growth);
    if rounds.end - rounds.start >= ROUNDS {
        let answered = |kind: &str| seen.answers.get(kind).is_some_and(|count| *count > 20);
        let all = ["POST 200", "POST 400", "GET 200", "GET 400", "SSE 200", "WebSocket next", "WebSocket error"];
        assert!(all.into_iter().all(answered), "{:?}", seen.answers);
    }
    drop(world);
    threads.shutdown_background();
    clients.shutdown_background();
}
