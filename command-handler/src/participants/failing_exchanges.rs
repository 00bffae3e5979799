//! Ways in which an exchange with a participant fails, played by a server over TCP.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use domain::ids::OrderId;
use domain::order::{Attempt, Direction, PersonalData, Reply};
use domain::workflow::Participant;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{ActionRequest, HttpParticipants, Participants, Settings};

/// What the server does with the requests that reach it, one after another.
#[derive(Clone, Copy)]
enum Does {
    /// Answers these bytes, and closes the connection.
    Answers(&'static str),
    /// Answers these bytes, and keeps the connection.
    Keeps(&'static str),
    /// Closes the connection without a word.
    Closes,
    /// Says nothing.
    Hangs,
}

/// How the participant is reached.
#[derive(Clone, Copy)]
enum At {
    Http,
    Https,
    /// With TLS, and a certificate that no client trusts.
    HttpsUntrusted,
    /// At a port without a listener.
    Nowhere,
    /// Under a name that has no address.
    Nameless,
}

/// An exchange that fails.
pub(super) struct Failing {
    pub name: &'static str,
    at: At,
    does: &'static [Does],
    /// How often it is asked; the last answer counts.
    times: usize,
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
const NO: &str = "HTTP/1.1 402 Payment Required\r\ncontent-length: 2\r\n\r\n{}";

/// All of them, and some that succeed in an unusual way.
pub(super) fn all() -> Vec<Failing> {
    use Does::{Answers, Closes, Hangs, Keeps};
    let once = |name, at, does| Failing { name, at, does, times: 1 };
    let kept = |name, does| Failing { name, at: At::Http, does, times: 2 };
    vec![
        once("connection refused", At::Nowhere, &[]),
        once("name that is not known", At::Nameless, &[]),
        once(
            "no TLS where TLS is asked for",
            At::Https,
            &[Answers("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")],
        ),
        once("TLS that never comes about", At::Https, &[Hangs]),
        once("TLS that is closed at once", At::Https, &[Closes]),
        once("TLS that is refused by an alert", At::Https, &[Answers("\u{15}\u{3}\u{3}\0\u{2}\u{2}\u{28}")]),
        once("certificate of an authority that is not trusted", At::HttpsUntrusted, &[]),
        once("closed without an answer", At::Http, &[Closes]),
        once("no answer in time", At::Http, &[Hangs]),
        once("head cut off", At::Http, &[Answers("HTTP/1.1 200 OK\r\ncontent-le")]),
        once("no HTTP", At::Http, &[Answers("SSH-2.0-OpenSSH_9.9\r\n\r\n")]),
        once("status that is no number", At::Http, &[Answers("HTTP/1.1 OK\r\n\r\n")]),
        once("length that is no number", At::Http, &[Answers("HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\n{}")]),
        once("200 cut off", At::Http, &[Answers("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{\"outcome\"")]),
        once(
            "200 in chunks, cut off",
            At::Http,
            &[Answers("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"out")],
        ),
        once("202 cut off", At::Http, &[Answers("HTTP/1.1 202 Accepted\r\ncontent-length: 20\r\n\r\n{")]),
        once("402 cut off", At::Http, &[Answers("HTTP/1.1 402 Payment Required\r\ncontent-length: 20\r\n\r\nno fu")]),
        once("404 cut off", At::Http, &[Answers("HTTP/1.1 404 Not Found\r\ncontent-length: 20\r\n\r\nno")]),
        once("503 cut off", At::Http, &[Answers("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 20\r\n\r\nno")]),
        once(
            "200 after 100",
            At::Http,
            &[Answers("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")],
        ),
        once("100 and nothing more", At::Http, &[Answers("HTTP/1.1 100 Continue\r\n\r\n")]),
        once(
            "101, another protocol",
            At::Http,
            &[Answers("HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n")],
        ),
        once("HTTP/1.0, ended by closing", At::Http, &[Answers("HTTP/1.0 200 OK\r\n\r\n{}")]),
        once("204", At::Http, &[Answers("HTTP/1.1 204 No Content\r\n\r\n")]),
        once(
            "307 to elsewhere",
            At::Http,
            &[Answers(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://elsewhere.invalid/\r\ncontent-length: 0\r\n\r\n",
            )],
        ),
        once(
            "200 encoded, although no encoding was asked for",
            At::Http,
            &[Answers("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x0b")],
        ),
        kept("kept connection that is used again", &[Keeps(OK), Keeps(OK)]),
        kept("kept connection, closed as the next request comes; then 200", &[Keeps(OK), Closes, Answers(OK)]),
        kept("kept connection, closed as the next request comes; then 402", &[Keeps(OK), Closes, Answers(NO)]),
        kept("kept connection, closed as the next request comes; then closed again", &[Keeps(OK), Closes, Closes]),
        kept("kept connection, no answer in time", &[Keeps(OK), Hangs]),
        kept("kept connection, 200 cut off", &[Keeps(OK), Answers("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{")]),
    ]
}

impl Failing {
    /// The result, the number of requests that reached the participant, and the state of its
    /// circuit.
    pub async fn tried(&self) -> (Reply, usize, Value) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = match self.at {
            At::Http | At::Nowhere => format!("http://127.0.0.1:{port}"),
            At::Https | At::HttpsUntrusted => format!("https://127.0.0.1:{port}"),
            At::Nameless => format!("http://participant.invalid:{port}"),
        };
        let requests = Arc::new(AtomicUsize::new(0));
        let server = match self.at {
            At::Nowhere => {
                drop(listener);
                None
            }
            At::Http | At::Https | At::Nameless => Some(tokio::spawn(serve(listener, self.does, requests.clone()))),
            At::HttpsUntrusted => Some(tokio::spawn(serve_untrusted(listener, requests.clone()))),
        };
        let participants = HttpParticipants::new(Settings::default(), "http://127.0.0.1:1", 4).unwrap();
        let mut reply = None;
        for number in 1..=self.times {
            let ask = ask(&url, u32::try_from(number).unwrap());
            let turn = participants.turn(&ask, None).await.unwrap();
            reply = Some(participants.ask(ask, turn).await);
        }
        if let Some(server) = server {
            server.abort();
        }
        let states = serde_json::to_value(participants.states()).unwrap();
        (reply.unwrap(), requests.load(Ordering::SeqCst), states[0]["circuit"].clone())
    }
}

async fn serve(listener: TcpListener, does: &'static [Does], requests: Arc<AtomicUsize>) {
    let next = Arc::new(AtomicUsize::new(0));
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(stream, does, next.clone(), requests.clone()));
    }
}

/// Counts the TLS connections that come about.
async fn serve_untrusted(listener: TcpListener, connections: Arc<AtomicUsize>) {
    let file = |name: &str| format!("{}/../crates/http-client/src/certificates/{name}", env!("CARGO_MANIFEST_DIR"));
    let certificate = CertificateDer::from_pem_file(file("valid.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    while let Ok((stream, _)) = listener.accept().await {
        if acceptor.accept(stream).await.is_ok() {
            connections.fetch_add(1, Ordering::SeqCst);
        }
    }
}

async fn converse(
    mut stream: TcpStream,
    does: &'static [Does],
    next: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    loop {
        if !read_request(&mut stream).await? {
            return Ok(());
        }
        requests.fetch_add(1, Ordering::SeqCst);
        match does[next.fetch_add(1, Ordering::SeqCst).min(does.len() - 1)] {
            Does::Answers(answer) => {
                stream.write_all(answer.as_bytes()).await?;
                return stream.shutdown().await;
            }
            Does::Keeps(answer) => stream.write_all(answer.as_bytes()).await?,
            Does::Closes => return Ok(()),
            Does::Hangs => std::future::pending().await,
        }
    }
}

/// Reads a request to its end, or the beginning of a TLS handshake; whether there was one.
async fn read_request(stream: &mut TcpStream) -> std::io::Result<bool> {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            return Ok(false);
        }
        request.extend_from_slice(&piece[..read]);
        let is_tls = request[0] == 0x16;
        // The body is one JSON object, and so ends with it.
        let head = request.windows(4).position(|window| window == b"\r\n\r\n");
        let is_whole = head.is_some_and(|head| {
            let text = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            request.len() >= head + 4 + length.unwrap_or(0)
        });
        if is_tls || is_whole {
            return Ok(true);
        }
    }
}

/// An attempt at the participant at `url`, whose exchange may take two seconds.
pub(crate) fn ask(url: &str, number: u32) -> ActionRequest {
    let now = Utc::now();
    let attempt = Attempt {
        step: "a".to_owned(),
        direction: Direction::Do,
        number,
        since: 1,
        key_since: 1,
        undo_key_since: 1,
        unsure: false,
        input: Arc::new(json!({})),
        recorded_at: now,
        placeholders: None,
        deadline: now + TimeDelta::seconds(2),
    };
    ActionRequest {
        order_id: OrderId::new("1").unwrap(),
        attempt,
        personal: PersonalData::default(),
        participant: "p".to_owned(),
        reach: Participant::Http { url: url.to_owned() },
        action: "a".to_owned(),
        give_up_on: Vec::new(),
        time_to_answer: Duration::ZERO,
        cause: None,
        traceparent: None,
    }
}
