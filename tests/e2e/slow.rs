//! Clients that hold connections: they send nothing, or a byte a second.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tls::client::ClientFiles;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// What a client does with its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It sends nothing.
    Idle,
    /// It sends the head of a request, a byte a second.
    SlowHead,
    /// It sends the body of a request, a byte a second.
    SlowBody,
}

impl Manner {
    /// The bytes that it sends at once, and whether more follow slowly.
    fn begins_with(self) -> (&'static str, bool) {
        match self {
            Self::Idle => ("", false),
            Self::SlowHead => ("GET /orders/1 HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", true),
            Self::SlowBody => {
                let head = "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                            Content-Length: 100000\r\n\r\n";
                (head, true)
            }
        }
    }
}

/// Connections that such clients hold.
#[derive(Default)]
pub struct Held {
    tasks: JoinSet<(Manner, Duration)>,
    open: Arc<AtomicUsize>,
}

impl Held {
    /// Opens one more connection, with TLS if there is something to verify the server with. Returns
    /// once the first bytes are sent.
    pub async fn open(&mut self, address: SocketAddr, manner: Manner, tls: Option<&ClientFiles>) {
        let stream = TcpStream::connect(address).await.unwrap();
        match tls {
            None => self.hold(stream, manner).await,
            Some(files) => {
                let connector = TlsConnector::from(Arc::new(files.load().unwrap()));
                let name = address.ip().into();
                self.hold(connector.connect(name, stream).await.unwrap(), manner).await;
            }
        }
    }

    async fn hold<S>(&mut self, mut stream: S, manner: Manner)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (first, goes_on) = manner.begins_with();
        stream.write_all(first.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let (open, begun) = (self.open.clone(), Instant::now());
        open.fetch_add(1, Ordering::Relaxed);
        self.tasks.spawn(async move {
            until_closed(stream, goes_on).await;
            open.fetch_sub(1, Ordering::Relaxed);
            (manner, begun.elapsed())
        });
    }

    /// How many the server has not closed.
    pub fn still_open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Waits until the server has closed all. Returns how long the last one of each manner was
    /// open.
    pub async fn all_closed(&mut self) -> Vec<(Manner, Duration)> {
        let mut longest: Vec<(Manner, Duration)> = Vec::new();
        while let Some(closed) = self.tasks.join_next().await {
            let (manner, lasted) = closed.unwrap();
            match longest.iter_mut().find(|(known, _)| *known == manner) {
                Some((_, most)) => *most = lasted.max(*most),
                None => longest.push((manner, lasted)),
            }
        }
        longest
    }
}

/// Sends a byte a second, if more is to follow, until the server closes the connection.
async fn until_closed(mut stream: impl AsyncRead + AsyncWrite + Unpin, goes_on: bool) {
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    let mut answer = [0; 1024];
    loop {
        tokio::select! {
            read = stream.read(&mut answer) => if read.unwrap_or_default() == 0 { return },
            _ = beat.tick(), if goes_on => {
                // What is written after the server has closed is lost; the next read says so.
                let _ = stream.write_all(b"a").await.is_ok() && stream.flush().await.is_ok();
            }
        }
    }
}
