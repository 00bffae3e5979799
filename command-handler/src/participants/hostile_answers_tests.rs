//! Answers that are meant to exhaust or to mislead the caller, over real sockets.

use std::time::Duration;

use domain::order::Reply;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::failing_exchanges::ask;
use super::{HttpParticipants, Participants, Settings};

/// A participant that answers this head, and then this piece again and again until the caller
/// leaves. Its task returns how many bytes it could send.
async fn endless(head: &'static str, piece: Vec<u8>, pause: Duration) -> (String, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut sent = 0;
        while stream.write_all(&piece).await.is_ok() {
            sent += piece.len();
            sleep(pause).await;
        }
        sent
    });
    (url, served)
}

async fn reply(url: &str) -> Reply {
    let participants = HttpParticipants::new(Settings::default(), "http://127.0.0.1:1", 4).unwrap();
    let ask = ask(url, 1);
    let turn = participants.turn(&ask, None).await.unwrap();
    timeout(Duration::from_mins(1), participants.ask(ask, turn)).await.unwrap()
}

#[tokio::test]
async fn an_answer_without_an_end_is_read_up_to_its_limit() {
    let chunk = [b"10000\r\n".as_slice(), &vec![b'x'; 0x10000], b"\r\n"].concat();
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let (url, served) = endless(head, chunk, Duration::ZERO).await;
    let Reply::Done { outcome: None, data: Value::String(text) } = reply(&url).await else { panic!() };
    assert_eq!(text.len(), 500);
    // What is sent beyond the limit lies in the buffers of the sockets.
    let sent = timeout(Duration::from_mins(1), served).await.unwrap().unwrap();
    assert!(sent < 32 * 1024 * 1024, "{sent} bytes were taken");
}

#[tokio::test]
async fn an_answer_that_trickles_ends_with_the_time_of_its_attempt() {
    for head in ["HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", "HTTP/1.1 200 OK\r\nx: "] {
        let (url, served) = endless(head, b" ".to_vec(), Duration::from_millis(20)).await;
        let reply = reply(&url).await;
        assert!(matches!(&reply, Reply::Unclear { error, .. } if error == "no answer in time"), "{reply:?}");
        timeout(Duration::from_mins(1), served).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_head_without_an_end_is_read_up_to_its_limit() {
    let (url, served) = endless("HTTP/1.1 200 OK\r\nx: ", vec![b'x'; 0x10000], Duration::ZERO).await;
    assert!(matches!(reply(&url).await, Reply::Unclear { .. }));
    let sent = timeout(Duration::from_mins(1), served).await.unwrap().unwrap();
    assert!(sent < 32 * 1024 * 1024, "{sent} bytes were taken");
}

#[tokio::test]
async fn the_text_of_a_refusal_is_bounded_and_has_no_control_characters() {
    let head = "HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n";
    let (url, served) = endless(head, b"\x1b]0;root\x07 \xff\0\x9b31m".repeat(1000), Duration::ZERO).await;
    let Reply::Misconfigured { error, .. } = reply(&url).await else { panic!() };
    assert!(error.starts_with("answered 403") && error.chars().count() <= 500, "{error}");
    assert!(!error.chars().any(char::is_control), "{error:?}");
    timeout(Duration::from_mins(1), served).await.unwrap().unwrap();
}
