//! A listener with clients that do not behave.

use std::net::SocketAddr;

use axum::body::{Bytes, to_bytes};
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures::stream;
use tls::file::PemFile;
use tls::testing::{Authority, Files};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::*;

/// The limit for an expected event.
const PATIENCE: Duration = Duration::from_secs(30);
/// A time limit that a test waits for.
const SHORT: Duration = Duration::from_millis(200);
/// More than the buffers of both sockets hold.
const LARGE: usize = 64 * 1024 * 1024;

/// Counts the requests that wait in `/wait`.
fn router(waiting: watch::Sender<usize>) -> Router {
    let body = async |body: Body| match to_bytes(body, 1 << 20).await {
        Ok(body) => (StatusCode::OK, body.len().to_string()),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()),
    };
    let event = async |millis: u64| {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok::<_, Infallible>(Event::default().data("here"))
    };
    let name = async |certificate: Option<Extension<ClientCertificate>>| {
        certificate.map_or("-".to_owned(), |Extension(certificate)| certificate.names.join(","))
    };
    let wait = async move || {
        waiting.send_modify(|waiting| *waiting += 1);
        std::future::pending::<()>().await;
    };
    Router::new()
        .route("/livez", get(async || "alive"))
        .route("/name", get(name))
        .route("/other", get(async || "here"))
        .route("/wait", get(wait))
        .route("/body", post(body))
        .route("/large", get(async || Bytes::from(vec![b'x'; LARGE])))
        .route("/events", get(async move || Sse::new(stream::once(event(1_000)))))
}

async fn listening(limits: Limits) -> (SocketAddr, CancellationToken) {
    listening_to(router(watch::Sender::default()), limits).await
}

async fn listening_to(router: Router, limits: Limits) -> (SocketAddr, CancellationToken) {
    listening_with(&ListenerFiles::default(), router, limits).await
}

async fn listening_with(tls: &ListenerFiles, router: Router, limits: Limits) -> (SocketAddr, CancellationToken) {
    let listener = bind(([127, 0, 0, 1], 0).into(), &Exposure::default(), tls, None).await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    tokio::spawn(serve_within(limits, listener, router, stop.clone()));
    (address, stop)
}

async fn connect(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// The bytes until the connection is closed.
async fn rest(mut stream: impl AsyncRead + Unpin) -> String {
    let mut text = Vec::new();
    // A connection that is cut may be reset.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut text)).await.expect("it is not closed in time");
    String::from_utf8(text).unwrap()
}

async fn ask(address: SocketAddr, path: &str) -> String {
    rest(connect(address, &request(path)).await).await
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

fn head(declared: usize) -> String {
    format!("POST /body HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {declared}\r\n\r\n")
}

fn is_ok(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 200")
}

fn few_connections() -> Limits {
    Limits { connections: 10, reserve: 10, ..Limits::default() }
}

#[tokio::test]
async fn half_requests_make_room_for_those_that_are_complete() {
    let (address, _stop) = listening(few_connections()).await;
    let mut half = Vec::new();
    for _ in 0..60 {
        half.push(connect(address, "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: ").await);
    }
    assert!(is_ok(&ask(address, "/livez").await));
    assert!(is_ok(&ask(address, "/other").await));
    assert_eq!(rest(half.remove(0)).await, "", "the oldest has made room");
}

#[tokio::test]
async fn where_no_connection_is_idle_probes_are_answered_and_others_told_to_come_later() {
    let waiting = watch::Sender::new(0);
    let (address, _stop) = listening_to(router(waiting.clone()), few_connections()).await;
    let mut held = Vec::new();
    for count in 1..=10 {
        held.push(connect(address, &request("/wait")).await);
        let waits = async { waiting.subscribe().wait_for(|waiting| *waiting == count).await.map(|_| ()) };
        timeout(PATIENCE, waits).await.expect("it is not asked").unwrap();
    }
    let refused = ask(address, "/wait").await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 1"), "{refused}");
    assert!(is_ok(&ask(address, "/livez").await));
    assert!(ask(address, "/other").await.starts_with("HTTP/1.1 503"));
}

#[tokio::test]
async fn a_head_that_does_not_come_to_its_end_is_given_up_however_it_trickles() {
    let (address, _stop) = listening(Limits { head: SHORT, ..Limits::default() }).await;
    let half = connect(address, "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: ").await;
    let (reading, mut writing) = half.into_split();
    let trickle = async {
        while writing.write_all(b"a").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    timeout(PATIENCE, trickle).await.expect("the connection stays open");
    drop(reading);
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_in_the_end() {
    let (address, _stop) = listening(Limits { idle: SHORT, head: SHORT, ..Limits::default() }).await;
    assert_eq!(rest(connect(address, "").await).await, "");
    let used = rest(connect(address, "GET /other HTTP/1.1\r\nHost: localhost\r\n\r\n").await).await;
    assert!(is_ok(&used) && used.ends_with("here"), "{used}");
}

#[tokio::test]
async fn a_request_that_takes_long_to_answer_is_not_idle() {
    let limits = Limits { idle: SHORT, head: SHORT, take: SHORT, ..Limits::default() };
    let (address, _stop) = listening(limits).await;
    let answer = ask(address, "/events").await;
    assert!(is_ok(&answer) && answer.contains("data: here"), "{answer}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let (address, _stop) = listening(Limits::default()).await;
    let large = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: {}\r\n\r\n", "a".repeat(70_000));
    let answer = rest(connect(address, &large).await).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn a_body_that_pauses_too_long_is_given_up() {
    let (address, _stop) = listening(Limits { body_pause: SHORT, ..Limits::default() }).await;
    let answer = rest(connect(address, &(head(100) + "abc")).await).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("did not arrive in time"), "{answer}");
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up() {
    let limits = Limits { body: 5 * SHORT, ..Limits::default() };
    let (address, _stop) = listening(limits).await;
    let (reading, mut writing) = connect(address, &head(1_000_000)).await.into_split();
    let trickling = tokio::spawn(async move {
        while writing.write_all(b"a").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
        drop(writing);
    });
    let mut answer = vec![0; 12];
    let mut reading = reading;
    timeout(PATIENCE, reading.read_exact(&mut answer)).await.expect("it is not given up in time").unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 408");
    drop(reading);
    timeout(PATIENCE, trickling).await.expect("the connection stays open").unwrap();
}

#[tokio::test]
async fn bodies_hold_a_bounded_amount_of_memory_and_give_it_back() {
    let limits = Limits { bodies_bytes: 1_000, body_pause: Duration::from_secs(2), ..Limits::default() };
    let (address, _stop) = listening(limits).await;
    let first = connect(address, &(head(900) + &"x".repeat(800))).await;
    let second = head(400) + &"x".repeat(400);
    let refused = async {
        loop {
            let answer = rest(connect(address, &second).await).await;
            if answer.starts_with("HTTP/1.1 503") {
                return answer;
            }
        }
    };
    let refused = timeout(PATIENCE, refused).await.expect("the first holds no memory");
    assert!(refused.contains("retry-after: 1") && refused.contains("fill the memory"), "{refused}");
    assert!(rest(first).await.starts_with("HTTP/1.1 408"));
    let answer = rest(connect(address, &second).await).await;
    assert!(is_ok(&answer) && answer.ends_with("400"), "{answer}");
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_is_cut_off() {
    let (address, _stop) = listening(Limits { take: SHORT, connections: 1, reserve: 0, ..Limits::default() }).await;
    let _greedy = connect(address, &request("/large")).await;
    // The other client has the one place until it is cut off.
    let answered = async { while !is_ok(&ask(address, "/livez").await) {} };
    timeout(PATIENCE, answered).await.expect("the client that does not read keeps its place");
}

#[tokio::test]
async fn what_is_under_way_is_finished_before_leaving_and_nothing_begins() {
    let (address, stop) = listening(Limits::default()).await;
    let mut half = connect(address, &(head(3) + "a")).await;
    assert!(is_ok(&ask(address, "/livez").await));
    stop.cancel();
    let closed = async { while TcpStream::connect(address).await.is_ok() {} };
    timeout(PATIENCE, closed).await.expect("it goes on listening");
    half.write_all(b"bc").await.unwrap();
    let answer = rest(half).await;
    assert!(is_ok(&answer) && answer.ends_with('3'), "{answer}");
}

/// A listener with TLS, and an authority that has signed its certificate.
struct Secure {
    address: SocketAddr,
    authority: Authority,
    folder: tempfile::TempDir,
    _stop: CancellationToken,
}

impl Secure {
    async fn listening(limits: Limits) -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let Files { certificate, key } = authority.issue("listener", &["localhost"]).files(folder.path(), "listener");
        let tls_client_ca = Some(authority.file(folder.path()));
        let files = ListenerFiles {
            tls_certificate: Some(certificate),
            tls_key: Some(key),
            tls_client_ca,
            ..ListenerFiles::default()
        };
        let (address, stop) = listening_with(&files, router(watch::Sender::default()), limits).await;
        Self { address, authority, folder, _stop: stop }
    }

    async fn connect(&self, as_client: Option<&str>) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        PemFile::read(&self.authority.file(self.folder.path())).unwrap().add_to(&mut roots).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let config = match as_client {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let Files { certificate, key } = self.authority.issue(name, &[]).files(self.folder.path(), name);
                let chain = PemFile::read(&certificate).unwrap().certificates().unwrap();
                builder.with_client_auth_cert(chain, PemFile::read(&key).unwrap().key().unwrap()).unwrap()
            }
        };
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
    }

    async fn ask(&self, as_client: Option<&str>, path: &str) -> String {
        let mut stream = self.connect(as_client).await;
        stream.write_all(request(path).as_bytes()).await.unwrap();
        rest(stream).await
    }
}

#[tokio::test]
async fn routes_see_the_names_of_a_client_that_has_a_certificate() {
    let listener = Secure::listening(Limits::default()).await;
    for (client, seen) in [(None, "-"), (Some("shop"), "shop")] {
        let answer = listener.ask(client, "/name").await;
        assert!(is_ok(&answer) && answer.ends_with(seen), "{client:?} {answer}");
    }
    let plain = ask(listener.address, "/name").await;
    assert!(plain.starts_with("HTTP/1.1 400") && plain.contains("https://"), "{plain}");
}

#[tokio::test]
async fn a_handshake_that_does_not_come_to_its_end_is_given_up() {
    let listener = Secure::listening(Limits { handshake: SHORT, ..Limits::default() }).await;
    // The second one is the beginning of a handshake.
    for begun in ["", "\u{16}\u{3}\u{1}"] {
        assert_eq!(rest(connect(listener.address, begun).await).await, "", "{begun:?}");
    }
}

#[tokio::test]
async fn half_handshakes_make_room_for_complete_requests() {
    let listener = Secure::listening(few_connections()).await;
    let mut half = Vec::new();
    for _ in 0..60 {
        half.push(connect(listener.address, "\u{16}\u{3}\u{1}").await);
    }
    assert!(is_ok(&listener.ask(None, "/other").await));
    assert_eq!(rest(half.remove(0)).await, "", "the oldest has made room");
}

#[tokio::test]
async fn the_bounds_of_a_connection_hold_within_tls() {
    let limits = Limits { idle: SHORT, head: SHORT, take: SHORT, ..Limits::default() };
    let listener = Secure::listening(limits).await;
    let ends = async |sent: &str| {
        let mut stream = listener.connect(None).await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut byte = [0; 1];
        let closed = async { while stream.read(&mut byte).await.is_ok_and(|read| read > 0) {} };
        timeout(PATIENCE, closed).await.expect("the connection stays open");
    };
    ends("").await;
    ends("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: ").await;
}
