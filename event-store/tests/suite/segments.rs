//! What an append looks like on the wire: how many packets, to a server that acknowledges late.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use event_store::client::{EventStore, Expected};
use event_store::node::{Node, NodeOptions};
use rustix::net::sockopt::set_tcp_quickack;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::support::{events, unique};

/// Stands between a client and the node, acknowledges as late as the system allows, and counts what arrives at once.
struct Peer {
    port: u16,
    arrivals: Arc<AtomicUsize>,
}

impl Peer {
    async fn before(node: std::net::SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let arrivals = Arc::new(AtomicUsize::new(0));
        let counted = arrivals.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(node).await.unwrap();
                server.set_nodelay(true).unwrap();
                client.set_nodelay(true).unwrap();
                tokio::spawn(carry(client, server, counted.clone()));
            }
        });
        Self { port, arrivals }
    }

    fn arrivals(&self) -> usize {
        self.arrivals.load(Ordering::SeqCst)
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, counted: Arc<AtomicUsize>) {
    let (mut asked, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        set_tcp_quickack(&client, false).unwrap();
        tokio::select! {
            count = client.read(&mut asked) => {
                let Ok(count @ 1..) = count else { return };
                counted.fetch_add(1, Ordering::SeqCst);
                server.write_all(&asked[..count]).await.unwrap();
            }
            count = server.read(&mut answered) => {
                let Ok(count @ 1..) = count else { return };
                client.write_all(&answered[..count]).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn an_append_arrives_in_one_piece_at_a_server_that_acknowledges_late() {
    const APPENDS: usize = 50;
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let peer = Peer::before(node.address()).await;
    let store = EventStore::connect(&format!("esdb://127.0.0.1:{}?tls=false&keepAliveInterval=-1", peer.port)).unwrap();
    let stream = unique("segments");
    // What both sides agree on at the beginning is sent by then.
    for _ in 0..3 {
        store.append(&stream, Expected::Any, events(1)).await.unwrap();
    }
    let before = peer.arrivals();
    for number in 0..APPENDS {
        store.append(&stream, Expected::Any, events(1 + number % 5)).await.unwrap();
    }
    let pieces = peer.arrivals() - before;
    println!("{APPENDS} appends arrived in {pieces} pieces");
    assert_eq!(pieces, APPENDS);
}
