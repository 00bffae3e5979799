//! A node that speaks TLS.

use std::path::PathBuf;
use std::sync::Arc;

use event_store::{EventStore, Expected};
use event_store_node::{Node, NodeHandle, NodeOptions};
use eventstore::ReadStreamOptions;
use tempfile::TempDir;
use tls::file::PemFile;
use tls::listener::ClientCertificates;
use tls::testing::{Authority, Files};
use tls::{FileFault, ListenerFiles};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::support::{LIMIT, all_of, events, ids, new_ids, raw, unique};

/// A node, its authority, and a user's certificate.
struct World {
    node: NodeHandle,
    root: PathBuf,
    user: Files,
    folder: TempDir,
}

impl World {
    async fn new(clients: Option<ClientCertificates>) -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let root = authority.file(folder.path());
        let user = authority.issue("user", &[]).files(folder.path(), "user");
        let Files { certificate, key } = authority.issue("node", &["127.0.0.1"]).files(folder.path(), "node");
        let tls = ListenerFiles {
            tls_certificate: Some(certificate),
            tls_key: Some(key),
            tls_client_ca: clients.map(|_| root.clone()),
            tls_client_certificates: clients,
        };
        let node = Node::start(NodeOptions { tls, ..NodeOptions::in_folder(folder.path().join("log")) }).await.unwrap();
        Self { node, root, user, folder }
    }

    fn connection_string(&self) -> String {
        format!("{}&tlsCAFile={}", self.node.connection_string(), self.root.display())
    }
}

#[tokio::test]
async fn clients_use_a_node_by_tls_as_they_use_it_without() {
    let world = World::new(None).await;
    assert_eq!(world.node.connection_string(), format!("esdb://{}?tls=true", world.node.address()));
    let (store, stream, new) = (EventStore::connect(&world.connection_string()).unwrap(), unique("order"), events(3));
    store.append(&stream, Expected::NoStream, new.clone()).await.unwrap();
    assert_eq!(ids(&store.read_stream(&stream, 0, 10).await.unwrap()), new_ids(&new));
    let reading =
        raw(&world.connection_string()).read_stream(stream.as_str(), &ReadStreamOptions::default()).await.unwrap();
    let read: Vec<_> = all_of(reading).await.unwrap().into_iter().map(|event| event.id).collect();
    assert_eq!(read, new_ids(&new), "another client");
}

#[tokio::test]
async fn a_client_that_does_not_fit_is_told_what_to_change() {
    let world = World::new(None).await;
    let at = world.node.address();
    let other = Authority::new();
    let elsewhere = tempfile::tempdir().unwrap();
    for (connection_string, part) in [
        (format!("esdb://{at}?tls=false"), "TLS"),
        (format!("esdb://{at}?tls=true&tlsCAFile={}", other.file(elsewhere.path()).display()), "tlsCAFile=FILE"),
        (world.connection_string().replacen("127.0.0.1", "localhost", 1), "is not for the name localhost"),
    ] {
        let store = EventStore::connect(&connection_string).unwrap();
        let error = timeout(LIMIT, store.head()).await.expect("an answer in time").unwrap_err().to_string();
        assert!(error.contains(part), "{connection_string}: {error}");
    }
    let store = EventStore::connect(&format!("esdb://{at}?tls=true&tlsVerifyCert=false")).unwrap();
    assert_eq!(store.head().await.unwrap(), None);
}

#[tokio::test]
async fn a_node_may_demand_a_certificate_of_its_users() {
    let world = World::new(Some(ClientCertificates::Required)).await;
    let without = EventStore::connect(&world.connection_string()).unwrap();
    let error = timeout(LIMIT, without.head()).await.expect("an answer in time").unwrap_err().to_string();
    assert!(error.contains("userCertFile"), "{error}");
    let Files { certificate, key } = &world.user;
    let own =
        format!("{}&userCertFile={}&userKeyFile={}", world.connection_string(), certificate.display(), key.display());
    assert_eq!(EventStore::connect(&own).unwrap().head().await.unwrap(), None);
}

#[tokio::test]
async fn probes_get_the_pages_by_tls_and_plain_requests_a_hint() {
    let world = World::new(None).await;
    let request = b"GET /health/live HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n";
    let mut roots = RootCertStore::empty();
    PemFile::read(&world.root).unwrap().add_to(&mut roots).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
    let tcp = TcpStream::connect(world.node.address()).await.unwrap();
    let mut stream = TlsConnector::from(config).connect(ServerName::try_from("127.0.0.1").unwrap(), tcp).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    timeout(LIMIT, stream.read_to_string(&mut answer)).await.expect("an end in time").unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");

    let mut plain = TcpStream::connect(world.node.address()).await.unwrap();
    plain.write_all(request).await.unwrap();
    plain.shutdown().await.unwrap();
    let mut answer = String::new();
    timeout(LIMIT, plain.read_to_string(&mut answer)).await.expect("an end in time").unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("tls=true"), "{answer}");
    drop(world.folder);
}

#[tokio::test]
async fn a_node_without_its_certificate_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Some(folder.path().join("missing.pem"));
    let tls = ListenerFiles { tls_certificate: missing.clone(), tls_key: missing, ..ListenerFiles::default() };
    let started = Node::start(NodeOptions { tls, ..NodeOptions::in_folder(folder.path().join("log")) }).await;
    let error = started.unwrap_err();
    assert!(matches!(error, event_store_node::NodeError::Tls(FileFault::Unreadable { .. })), "{error}");
    assert!(error.to_string().contains("missing.pem"), "{error}");
}
