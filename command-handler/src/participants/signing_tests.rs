//! What a participant receives of a signed request.

use domain::order::{Direction, Reply};
use reqwest::Url;
use signing::webhook::{self, SignedHeaders};
use signing::{FromLines, ParticipantSecrets, SecretFile};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::failing_exchanges;
use super::{HttpParticipants, Participants, RequestSigning, Settings};
use crate::callbacks::Callbacks;

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn secrets(text: &str) -> ParticipantSecrets {
    ParticipantSecrets::from_lines(text).unwrap()
}

/// Participants whose requests are signed with these secrets.
fn participants(text: &str) -> HttpParticipants {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let secrets = SecretFile::open(file.path().to_str().unwrap()).unwrap();
    let signing = RequestSigning { secrets: Some(secrets), callbacks: None };
    HttpParticipants::new(Settings::default(), "http://t", 4).unwrap().signing(signing)
}

/// A request as it arrived.
struct Arrived {
    head: String,
    body: Vec<u8>,
}

impl Arrived {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn is_signed_with(&self, text: &str, now: i64) -> bool {
        let header = |name| self.header(name).unwrap();
        let headers = SignedHeaders {
            id: header(webhook::ID),
            timestamp: header(webhook::TIMESTAMP),
            signature: header(webhook::SIGNATURE),
        };
        webhook::verify(secrets(text).of("p"), headers, &self.body, now).is_ok()
    }
}

async fn arrives(stream: &mut TcpStream) -> Arrived {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.unwrap();
        assert!(read > 0, "the request ended early");
        bytes.extend_from_slice(&part[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let arrived = Arrived { head, body: bytes[end + 4..].to_vec() };
        if arrived.header("content-length").unwrap().parse() == Ok(arrived.body.len()) {
            return arrived;
        }
    }
}

/// The request of an attempt, as it arrives.
async fn sent(participants: &HttpParticipants, number: u32, direction: Direction, listener: &TcpListener) -> Arrived {
    let mut ask = failing_exchanges::ask(&format!("http://{}", listener.local_addr().unwrap()), number);
    ask.attempt.direction = direction;
    let turn = participants.turn(&ask, None).await.unwrap();
    let served = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let arrived = arrives(&mut stream).await;
        let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(answer).await.unwrap();
        arrived
    };
    let (arrived, reply) = tokio::join!(served, participants.ask(ask, turn));
    assert!(matches!(reply, Reply::Done { .. }), "{reply:?}");
    arrived
}

fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

#[tokio::test]
async fn each_attempt_is_signed_over_its_bytes_under_one_id_and_both_secrets_of_a_rotation() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let first = sent(&participants(&format!("p: [{OLD}]")), 1, Direction::Do, &listener).await;
    let second = sent(&participants(&format!("p: [{NEW}, {OLD}]")), 2, Direction::Do, &listener).await;
    let third = sent(&participants(&format!("p: [{NEW}]")), 3, Direction::Do, &listener).await;
    let signed = |request: &Arrived| [OLD, NEW].map(|secret| request.is_signed_with(&format!("p: {secret}"), now()));
    assert_eq!([signed(&first), signed(&second), signed(&third)], [[true, false], [true, true], [false, true]]);
    for request in [&first, &second, &third] {
        let key = request.header("idempotency-key").unwrap();
        assert_eq!(key.trim_matches('"'), request.header(webhook::ID).unwrap());
        assert_eq!(request.header(webhook::ID), first.header(webhook::ID), "the same for each attempt");
        assert!(!request.is_signed_with(&format!("p: [{NEW}, {OLD}]"), now() + 1_000), "it does not stay valid");
    }
    let other = Arrived { head: second.head.clone(), body: [&second.body[..], b" "].concat() };
    assert!(!other.is_signed_with(&format!("p: {NEW}"), now()), "the body was changed");
}

#[tokio::test]
async fn without_a_secret_a_request_has_no_signature() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let request = sent(&participants(&format!("q: {OLD}")), 1, Direction::Do, &listener).await;
    assert_eq!([webhook::ID, webhook::TIMESTAMP, webhook::SIGNATURE].map(|name| request.header(name)), [None; 3]);
    assert_eq!(request.header("tenuto-callback"), Some("http://t/orders/1/steps/a/outcome"));
    assert_eq!(request.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_callback_has_a_token_for_its_order_step_and_direction() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let callbacks = Callbacks::with_secret(7);
    let signing = RequestSigning { callbacks: Some(callbacks.clone()), ..RequestSigning::default() };
    let participants = HttpParticipants::new(Settings::default(), "http://t/", 4).unwrap().signing(signing);
    let order = domain::ids::OrderId::new("1").unwrap();
    for direction in [Direction::Do, Direction::Undo] {
        let request = sent(&participants, 1, direction, &listener).await;
        let url = Url::parse(request.header("tenuto-callback").unwrap()).unwrap();
        assert_eq!(url.path(), "/orders/1/steps/a/outcome");
        let parameter =
            |wanted: &str| url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
        let undo = (direction == Direction::Undo).then(|| "undo".to_owned());
        assert_eq!(parameter("direction"), undo);
        let token = parameter("token").unwrap();
        for possible in [Direction::Do, Direction::Undo] {
            let verified = callbacks.verify(&token, (&order, "a", possible), chrono::Utc::now());
            assert_eq!(verified.is_ok(), possible == direction, "{direction:?} {possible:?}");
        }
    }
}
