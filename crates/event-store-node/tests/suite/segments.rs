//! An append on the network: in how many pieces it arrives at a server that acknowledges late.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use event_store::{EventStore, Expected};
use event_store_node::{Node, NodeOptions};
use eventstore::{AppendToStreamOptions, EventData};
use rustix::net::sockopt::set_tcp_quickack;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::support::{events, raw, unique};

/// A proxy between a client and the node. It acknowledges as late as the system allows, and notes
/// the size of each piece that arrives.
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

    /// The sizes of the pieces since the last call.
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

/// The pieces in which appends of one to five events arrive.
async fn pieces_of(client: &str, peer: &Peer, append: impl AsyncFn(usize)) -> usize {
    // The first appends also carry the negotiation at the beginning of a connection.
    for _ in 0..3 {
        append(1).await;
    }
    peer.arrivals();
    let begun = Instant::now();
    for number in 0..APPENDS {
        append(1 + number % 5).await;
    }
    let (pieces, took) = (peer.arrivals(), begun.elapsed());
    println!(
        "{client}: {APPENDS} appends in {} pieces of {:?}… bytes, {} in all; {:.2?} each",
        pieces.len(),
        &pieces[..pieces.len().min(6)],
        pieces.iter().sum::<usize>(),
        took / u32::try_from(APPENDS).unwrap()
    );
    pieces.len()
}

#[tokio::test]
async fn an_append_arrives_in_one_piece_at_a_server_that_acknowledges_late() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let peer = Peer::before(node.address()).await;
    let store = EventStore::connect(&peer.connection_string()).unwrap();
    let stream = unique("segments");
    let append = async |count| {
        store.append(&stream, Expected::Any, events(count)).await.unwrap();
    };
    assert_eq!(pieces_of("our client", &peer, append).await, APPENDS);
}

/// Without this, the test above could pass because the proxy does not see the pieces.
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
    let pieces = pieces_of("the crate eventstore", &peer, append).await;
    assert!(pieces > APPENDS, "{pieces}");
}
