//! The client with clusters that lose their leader, and with servers that it cannot use.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tonic::Code;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};
use uuid::Uuid;

use super::stubs::Cluster;
use crate::{AppendError, EventStore, Expected, Filter, NewEvent, ReadError};

const LIMIT: Duration = Duration::from_secs(20);

fn event() -> NewEvent {
    NewEvent {
        id: Uuid::from_u128(7),
        event_type: "Happened".into(),
        data: Bytes::from_static(b"{}"),
        metadata: Bytes::new(),
    }
}

async fn append(store: &EventStore) -> Result<(), AppendError> {
    store.append("a", Expected::Any, vec![event()]).await.map(drop)
}

async fn why_not(connection_string: &str) -> String {
    let store = EventStore::connect(connection_string).unwrap();
    timeout(LIMIT, store.read_stream("a", 0, 1)).await.unwrap().unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_leader_is_left_for_the_next_within_eight_seconds() {
    let cluster = Cluster::start(3).await;
    let store = EventStore::connect(&cluster.connection_string("")).unwrap();
    append(&store).await.unwrap();
    assert_eq!(cluster.appends(0), 1);

    let since = Instant::now();
    cluster.freeze(0);
    let electing = async {
        // The time in which a cluster notices by itself. Until then the other nodes still name the
        // old leader.
        tokio::time::sleep(Duration::from_secs(4)).await;
        cluster.elect(Some(2));
    };
    let (appended, ()) = tokio::join!(append(&store), electing);
    appended.unwrap();
    let gap = since.elapsed();
    println!("the frozen leader's gap: {gap:?}");
    assert_eq!(cluster.appends(2), 1);
    assert!(gap < Duration::from_secs(8), "{gap:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_connection_string_sets_how_soon_a_silent_leader_is_left() {
    let cluster = Cluster::start(3).await;
    let impatient = cluster.connection_string("&keepAliveInterval=100&keepAliveTimeout=100");
    let store = EventStore::connect(&impatient).unwrap();
    append(&store).await.unwrap();
    cluster.freeze(0);
    cluster.elect(Some(1));
    let since = Instant::now();
    append(&store).await.unwrap();
    assert_eq!(cluster.appends(1), 1);
    // Less than with the default settings.
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
}

#[tokio::test]
async fn a_node_that_does_not_lead_is_left_for_the_one_that_it_names() {
    let cluster = Cluster::start(3).await;
    let store = EventStore::connect(&cluster.connection_string_of(2)).unwrap();
    append(&store).await.unwrap();
    assert_eq!((cluster.appends(0), cluster.appends(2)), (1, 0));
}

#[tokio::test]
async fn the_error_states_that_a_cluster_has_no_leader() {
    let cluster = Cluster::start(3).await;
    cluster.elect(None);
    let store = EventStore::connect(&cluster.connection_string("")).unwrap();
    let error = append(&store).await.unwrap_err();
    assert!(matches!(&error, AppendError::Unavailable(why) if why.contains("no node leads")), "{error}");
    cluster.elect(Some(1));
    append(&store).await.unwrap();
}

#[tokio::test]
async fn an_outage_is_one_warning_however_many_calls_fail() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let cluster = Cluster::start(3).await;
    let store = EventStore::connect(&cluster.connection_string("")).unwrap();
    append(&store).await.unwrap();
    let mut subscription = store.subscribe_all(Filter::ExcludeSystem, None);
    let _ = timeout(Duration::from_millis(100), subscription.next()).await;
    cluster.elect(None);
    let calls = (0..50).map(|_| append(&store));
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_err));
    cluster.elect(Some(1));
    append(&store).await.unwrap();
    let lines = lines.0.lock().unwrap();
    let count = |level: Level| lines.iter().filter(|(at, _)| *at == level).count();
    // The stub ends subscriptions. So the first outage is over, and another begins, before the
    // cluster has no leader.
    assert!((1..=4).contains(&count(Level::WARN)), "{lines:?}");
    assert_eq!(count(Level::ERROR), 0, "{lines:?}");
    assert!(lines.iter().any(|(level, line)| *level == Level::INFO && line.contains("available again")), "{lines:?}");
}

#[tokio::test]
async fn an_outage_that_lasts_is_reported_again_each_half_minute_with_its_reason() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let store = EventStore::connect(&format!("esdb://{closed}?tls=false")).unwrap();
    assert_eq!(store.outage(), None, "it has not connected");
    tokio::time::pause();
    for after in [0, 1, 28, 2, 29, 2] {
        tokio::time::advance(Duration::from_secs(after)).await;
        store.report().await.unwrap_err();
    }
    let lines = lines.0.lock().unwrap();
    let warnings: Vec<_> = lines.iter().filter(|(level, _)| *level == Level::WARN).map(|(_, line)| line).collect();
    assert_eq!(warnings.len(), 3, "{lines:?}");
    assert!(warnings.iter().all(|line| line.contains("refuses the connection")), "{warnings:?}");
    assert!(store.outage().is_some_and(|reason| reason.contains("nothing listens there")));
}

#[tokio::test]
async fn a_user_who_is_missing_or_unknown_or_has_no_right_gets_an_error_with_what_to_do_at_once() {
    let cluster = Cluster::start(1).await;
    let without = cluster.connection_string("");
    let with = without.replace("esdb://", "esdb://anna:secret@");
    for (code, connection_string, parts) in [
        (Code::Unauthenticated, &with, ["anna", "USER:PASSWORD"]),
        (Code::Unauthenticated, &without, ["requires a user", "USER:PASSWORD@"]),
        (Code::PermissionDenied, &with, ["anna does not have the right", "docs/platform/rights.md"]),
        (Code::PermissionDenied, &without, ["requires a user", "USER:PASSWORD@"]),
    ] {
        cluster.refuse(Some(code));
        let store = EventStore::connect(connection_string).unwrap();
        let (read, appended) = (store.read_stream("a", 0, 1).await, append(&store).await);
        let (Err(ReadError::Refused(read)), Err(AppendError::Refused(appended))) = (read, appended) else {
            panic!("{code:?} is a refusal");
        };
        for message in [read, appended] {
            assert!(parts.iter().all(|part| message.contains(part)) && !message.contains("secret"), "{message}");
        }
    }
}

#[tokio::test]
async fn a_user_who_may_read_and_not_write_is_detected_without_an_event() {
    let cluster = Cluster::start(1).await;
    cluster.refuse_appends(Code::PermissionDenied);
    let store = EventStore::connect(&cluster.connection_string("").replace("esdb://", "esdb://anna:secret@")).unwrap();
    store.read_stream("a", 0, 1).await.unwrap();
    let Err(AppendError::Refused(reason)) = store.may_append("a").await else { panic!("the right is missing") };
    assert!(reason.contains("anna does not have the right"), "{reason}");
    assert_eq!(cluster.appends(0), 0);
}

#[tokio::test]
async fn the_error_names_a_server_that_cannot_be_reached_and_the_reason() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    drop(taken);
    let refused = why_not(&format!("esdb://127.0.0.1:{port}?tls=false")).await;
    assert!(refused.contains(&format!("127.0.0.1:{port} refuses the connection")), "{refused}");
    let unknown = why_not("esdb://log.invalid:2113?tls=false").await;
    assert!(unknown.contains("the host log.invalid is not found"), "{unknown}");
}

#[tokio::test]
async fn tls_to_a_server_without_tls_is_reported_at_once() {
    let cluster = Cluster::start(1).await;
    let with_tls = cluster.connection_string_of(0).replace("tls=false", "tls=true&tlsVerifyCert=false");
    let since = Instant::now();
    let message = why_not(&with_tls).await;
    assert!(message.contains("TLS") && message.contains("tls=false"), "{message}");
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
}

#[tokio::test]
async fn the_error_names_what_is_wrong_with_a_tls_connection() {
    let ca = format!("{CERTIFICATES}/ca.pem");
    for (certificate, options, parts) in [
        ("localhost", "?tls=false".to_owned(), ["ends the connection without an answer", "remove tls=false"]),
        ("localhost", "?tls=true".to_owned(), ["is signed by an authority that is not trusted", "tlsCAFile"]),
        ("other", format!("?tlsCAFile={ca}"), ["is not for the name localhost", "connect by a name"]),
        ("expired", format!("?tlsCAFile={ca}"), ["has expired", "renew it"]),
    ] {
        let port = tls_server(certificate).await;
        let since = Instant::now();
        let message = why_not(&format!("esdb://localhost:{port}{options}")).await;
        assert!(parts.iter().all(|part| message.contains(part)), "{certificate}{options}: {message}");
        assert!(since.elapsed() < Duration::from_secs(3), "{certificate}{options}: {:?}", since.elapsed());
    }
}

#[tokio::test]
async fn a_certificate_of_the_named_authority_is_trusted_and_any_one_if_none_is_checked() {
    let ca = format!("{CERTIFICATES}/ca.pem");
    for (certificate, options) in
        [("localhost", format!("tlsCAFile={ca}")), ("expired", "tlsVerifyCert=false".to_owned())]
    {
        let port = tls_server(certificate).await;
        let store = EventStore::connect(&format!("esdb://localhost:{port}?{options}")).unwrap();
        assert_eq!(store.read_stream("a", 0, 1).await.unwrap(), []);
    }
}

const CERTIFICATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/certificates");

/// A node behind TLS, with one of the certificates next to this file.
async fn tls_server(certificate: &str) -> u16 {
    let file = |ending: &str| format!("{CERTIFICATES}/{certificate}.{ending}");
    let chain = CertificateDer::pem_file_iter(file("pem")).unwrap().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(file("key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let mut config = config
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("localhost:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let behind = Cluster::start(1).await;
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let Ok(mut client) = acceptor.accept(tcp).await else { continue };
            let mut server = tokio::net::TcpStream::connect(behind.address(0)).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        }
    });
    port
}

/// The log lines of this crate.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(Level, String)>>>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("event_store") && *metadata.level() <= Level::INFO
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push((*event.metadata().level(), line.0));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}
