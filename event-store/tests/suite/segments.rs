//! What an append looks like on the wire: how many pieces of which sizes, to a server that acknowledges late.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use event_store::client::{EventStore, Expected};
use event_store::node::{Node, NodeOptions};
use eventstore::{AppendToStreamOptions, EventData};
use rustix::net::sockopt::set_tcp_quickack;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::support::{events, raw, unique};

/// Stands between a client and the node, acknowledges as late as the system allows, and notes the size of what arrives at once.
struct Peer {
    port: u16,
    arrivals: Arc<Mutex<Vec<usize>>>,
}

impl Peer {
    async fn before(node: std::net::SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let arrivals = Arc::new(Mutex::default());
        let noted = Arc::clone(&arrivals);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(node).await.unwrap();
                server.set_nodelay(true).unwrap();
                client.set_nodelay(true).unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&noted)));
            }
        });
        Self { port, arrivals }
    }

    fn connection_string(&self) -> String {
        format!("esdb://127.0.0.1:{}?tls=false&keepAliveInterval=-1", self.port)
    }

    /// What arrived since this was last called.
    fn arrivals(&self) -> Vec<usize> {
        std::mem::take(&mut *self.arrivals.lock().unwrap())
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, noted: Arc<Mutex<Vec<usize>>>) {
    let (mut asked, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        set_tcp_quickack(&client, false).unwrap();
        tokio::select! {
            count = client.read(&mut asked) => {
                let Ok(count @ 1..) = count else { return };
                noted.lock().unwrap().push(count);
                server.write_all(&asked[..count]).await.unwrap();
            }
            count = server.read(&mut answered) => {
                let Ok(count @ 1..) = count else { return };
                client.write_all(&answered[..count]).await.unwrap();
            }
        }
    }
}

const APPENDS: usize = 50;

fn report(client: &str, pieces: &[usize], took: Duration) {
    let bytes: usize = pieces.iter().sum();
    println!(
        "{client}: {APPENDS} appends in {} pieces of {:?}… bytes, {bytes} in all; {:.2} ms each",
        pieces.len(),
        &pieces[..pieces.len().min(6)],
        took.as_secs_f64() * 1000.0 / 50.0
    );
}

#[tokio::test]
async fn an_append_arrives_in_one_piece_at_a_server_that_acknowledges_late() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let peer = Peer::before(node.address()).await;
    let store = EventStore::connect(&peer.connection_string()).unwrap();
    let stream = unique("segments");
    // What both sides agree on at the beginning is sent by then.
    for _ in 0..3 {
        store.append(&stream, Expected::Any, events(1)).await.unwrap();
    }
    peer.arrivals();
    let begun = Instant::now();
    for number in 0..APPENDS {
        store.append(&stream, Expected::Any, events(1 + number % 5)).await.unwrap();
    }
    let pieces = peer.arrivals();
    report("our client", &pieces, begun.elapsed());
    assert_eq!(pieces.len(), APPENDS);
}

/// Otherwise the test above would say nothing.
#[tokio::test]
async fn the_same_server_sees_the_pieces_of_a_client_that_sends_several() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let peer = Peer::before(node.address()).await;
    let client = raw(&peer.connection_string());
    let append = async |count: usize| {
        let event = |number| EventData::json("Happened", &serde_json::json!({ "number": number })).unwrap();
        let events: Vec<_> = (0..count).map(event).collect();
        client.append_to_stream("segments", &AppendToStreamOptions::default(), events).await.unwrap();
    };
    for _ in 0..3 {
        append(1).await;
    }
    peer.arrivals();
    let begun = Instant::now();
    for number in 0..APPENDS {
        append(1 + number % 5).await;
    }
    let pieces = peer.arrivals();
    report("the crate eventstore", &pieces, begun.elapsed());
    assert!(pieces.len() > APPENDS, "{}", pieces.len());
}
