//! Clients that send plain HTTP to a port that speaks TLS.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PROBLEM: &str = r#"{"title":"Bad Request","status":400,"detail":"this port speaks TLS: use https:// in the URL, or tls=true in the connection string of a log"}"#;
/// The most that is read of a request before the connection is closed, in bytes.
const MAX_READ: usize = 64 << 10;

/// Whether the client sends HTTP, which begins with an upper-case letter. A TLS handshake does not.
pub(crate) async fn is_plain(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(first[0].is_ascii_uppercase()),
    }
}

/// Answers 400 with a hint, and closes the connection.
pub(crate) async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    let length = PROBLEM.len();
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{PROBLEM}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // A close with unread bytes would reset the connection, and the client may lose the answer.
    let (mut read, mut buffer) = (0, [0; 4096]);
    while read < MAX_READ {
        match stream.read(&mut buffer).await? {
            0 => break,
            more => read += more,
        }
    }
    Ok(())
}
