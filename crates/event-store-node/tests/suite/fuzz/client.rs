//! A misbehaving client: many concurrent calls on one connection. It may leave any of them
//! unfinished.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::plan::{Call, Ending, Plan};
use crate::suite::grpc;
use crate::suite::support::LIMIT;

const AT_ONCE: usize = 64;
/// How much of an answer it reads before it stops.
const ENOUGH: usize = 64 << 10;

/// A request that did not end, or a server that does not answer.
#[derive(Debug)]
pub struct Hung(pub u64);

/// How many calls ended with each status. Calls without a status were abandoned, cut off or refused
/// earlier.
pub type Statuses = BTreeMap<String, u64>;

/// Makes these requests, `AT_ONCE` of them at a time. Replaces a connection that the server cut.
pub async fn run(address: SocketAddr, plans: impl Iterator<Item = (u64, Plan)>) -> Result<Statuses, Hung> {
    let mut statuses = Statuses::new();
    let mut count = |status: Option<String>| {
        *statuses.entry(status.unwrap_or_else(|| "none".into())).or_default() += 1;
    };
    let mut connection = None;
    let mut under_way = FuturesUnordered::new();
    for (number, plan) in plans {
        if under_way.len() >= AT_ONCE {
            count(under_way.next().await.transpose()?.flatten());
        }
        let sender = match &plan {
            Plan::Call(_) => Some(ready(address, &mut connection).await.map_err(|_| Hung(number))?),
            Plan::Raw { .. } => None,
        };
        under_way.push(async move {
            let request = async {
                match (plan, sender) {
                    (Plan::Call(call), Some(sender)) => make(sender, call).await,
                    (Plan::Raw { bytes, lingers }, _) => say(address, &bytes, lingers).await,
                    (Plan::Call(_), None) => None,
                }
            };
            timeout(LIMIT, request).await.map_err(|_| Hung(number))
        });
    }
    while let Some(ended) = under_way.next().await {
        count(ended?);
    }
    Ok(statuses)
}

/// The connection, or a new one if the server closed it.
async fn ready(address: SocketAddr, connection: &mut Option<SendRequest<Bytes>>) -> io::Result<SendRequest<Bytes>> {
    if let Some(open) = connection.take()
        && let Ok(Ok(open)) = timeout(LIMIT, open.ready()).await
    {
        return Ok(connection.insert(open).clone());
    }
    let connecting = timeout(LIMIT, grpc::connection(&address.to_string())).await;
    let open = connecting.map_err(|_| io::ErrorKind::TimedOut)?.map_err(io::Error::other)?;
    Ok(connection.insert(open).clone())
}

/// Any result of the call is accepted, but there must be one.
async fn make(mut sender: SendRequest<Bytes>, call: Call) -> Option<String> {
    let mut request =
        Request::builder().method(call.verb).uri(format!("http://fuzz{}", call.path)).header("te", "trailers");
    if !call.headers.iter().any(|(name, _)| *name == header::CONTENT_TYPE) {
        request = request.header(header::CONTENT_TYPE, "application/grpc");
    }
    for (name, value) in call.headers {
        request = request.header(name, value);
    }
    let (answer, mut body) = sender.send_request(request.body(()).unwrap(), false).ok()?;
    let cancels = call.ending == Ending::Cancels;
    if !send(&mut body, call.pieces, !cancels) || cancels {
        return None;
    }
    let answered = async {
        let (head, body) = answer.await.ok()?.into_parts();
        let tail = drain(body).await;
        let status = tail.as_ref().unwrap_or(&head.headers).get("grpc-status")?;
        Some(status.to_str().ok()?.to_owned())
    };
    match call.ending {
        Ending::LeavesAfter(patience) => timeout(patience, answered).await.ok().flatten(),
        Ending::Waits | Ending::Cancels => answered.await,
    }
}

fn send(body: &mut SendStream<Bytes>, pieces: Vec<Vec<u8>>, ends: bool) -> bool {
    let sent = pieces.into_iter().all(|piece| body.send_data(piece.into(), false).is_ok());
    sent && (!ends || body.send_data(Bytes::new(), true).is_ok())
}

/// The trailers, if the answer gets that far.
async fn drain(mut body: RecvStream) -> Option<HeaderMap> {
    let mut seen = 0;
    while let Some(Ok(bytes)) = body.data().await {
        seen += bytes.len();
        if seen > ENOUGH || body.flow_control().release_capacity(bytes.len()).is_err() {
            return None;
        }
    }
    body.trailers().await.ok().flatten()
}

/// Sends bytes on a separate connection and closes it. If `lingers`, it reads the answer first.
async fn say(address: SocketAddr, bytes: &[u8], lingers: bool) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    // Reset and not closed: a million closed connections would keep their ports for a minute.
    let _ = stream.set_zero_linger();
    if stream.write_all(bytes).await.is_ok() && lingers {
        let mut answer = [0; 1024];
        let _ = timeout(Duration::from_millis(5), stream.read(&mut answer)).await;
    }
    None
}
