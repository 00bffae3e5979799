//! What a server reports about itself, and the operations that a client can request.

use std::time::{Duration, Instant};

use event_store::Expected;
use eventstore::operations::{OperationalOptions, RawStatistics, StatsOptions};
use eventstore::{CreateProjectionOptions, Error, GenericProjectionOptions, ProjectionClient};
use tokio::time::timeout;
use tonic::Code;

use super::grpc;
use super::support::{LIMIT, events, unique};
use super::world::{World, world};

/// The fields of the protocol's messages that the tests read.
mod wire {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Methods {
        #[prost(message, repeated, tag = "1")]
        pub methods: Vec<Method>,
        #[prost(string, tag = "2")]
        pub version: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Method {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(string, tag = "2")]
        pub service: String,
        #[prost(string, repeated, tag = "3")]
        pub features: Vec<String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Cluster {
        #[prost(message, repeated, tag = "1")]
        pub members: Vec<Member>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Member {
        #[prost(int64, tag = "2")]
        pub ticks: i64,
        #[prost(int32, tag = "3")]
        pub state: i32,
        #[prost(bool, tag = "4")]
        pub is_alive: bool,
        #[prost(message, optional, tag = "5")]
        pub at: Option<EndPoint>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct EndPoint {
        #[prost(string, tag = "1")]
        pub host: String,
        #[prost(uint32, tag = "2")]
        pub port: u32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct StopScavenge {
        #[prost(message, optional, tag = "1")]
        pub options: Option<ScavengeId>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct ScavengeId {
        #[prost(string, tag = "1")]
        pub id: String,
    }
}

fn operations(world: &World) -> eventstore::operations::Client {
    eventstore::operations::Client::new(world.connection_string.parse().unwrap())
}

fn number(RawStatistics(stats): &RawStatistics, name: &str) -> u64 {
    stats.get(name).unwrap_or_else(|| panic!("no {name} in {stats:?}")).parse().unwrap()
}

#[tokio::test]
async fn stats_are_sent_at_once_and_then_at_the_requested_interval() {
    let world = world().await;
    let options = StatsOptions::default().refresh_time(Duration::from_millis(300));
    let begin = Instant::now();
    let mut stats = operations(&world).stats(&options).await.unwrap();
    for number_of_pauses in 0..3 {
        timeout(LIMIT, stats.next()).await.unwrap().unwrap();
        assert!(begin.elapsed() >= Duration::from_millis(250) * number_of_pauses);
    }
}

#[tokio::test]
async fn stats_have_the_names_that_dashboards_use() {
    let world = world().await;
    let stats = operations(&world).stats(&StatsOptions::default()).await.unwrap().next().await.unwrap();
    for name in ["proc-id", "proc-mem", "sys-freeMem", "sys-totalMem"] {
        assert!(number(&stats, name) > 0, "{name}");
    }
    assert!(number(&stats, "sys-freeMem") < number(&stats, "sys-totalMem"));
    for name in ["proc-startTime", "es-checksum", "es-checksumNonFlushed", "sys-loadavg-1m"] {
        assert!(stats.0.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn the_checksum_grows_with_the_log() {
    let world = world().await;
    let checksum = async || {
        let stats = operations(&world).stats(&StatsOptions::default()).await.unwrap().next().await.unwrap();
        number(&stats, "es-checksum")
    };
    let before = checksum().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(3)).await;
    // A server may update its figures only once a second.
    let grown = async {
        while checksum().await <= before {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(LIMIT, grown).await.expect("the checksum stays what it was");
}

#[tokio::test]
async fn operations_on_the_cluster_succeed_on_a_single_node() {
    let world = world().await;
    let (operations, options) = (operations(&world), OperationalOptions::default());
    operations.set_node_priority(3, &options).await.unwrap();
    operations.resign_node(&options).await.unwrap();
}

#[tokio::test]
async fn indexes_are_merged_and_persistent_subscriptions_restarted_on_request() {
    let world = world().await;
    let (operations, options) = (operations(&world), OperationalOptions::default());
    operations.merge_indexes(&options).await.unwrap();
    operations.restart_persistent_subscriptions(&options).await.unwrap();
}

#[tokio::test]
async fn a_scavenge_that_does_not_run_cannot_be_stopped() {
    let world = world().await;
    let channel = grpc::channel(&world.connection_string).await;
    let request = wire::StopScavenge { options: Some(wire::ScavengeId { id: "none".into() }) };
    let method = "/event_store.client.operations.Operations/StopScavenge";
    let status = grpc::call::<_, ()>(&channel, method, request).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "Scavenge id was invalid."));
    assert_eq!(status.metadata().get("exception").unwrap(), "scavenge-not-found");
    assert_eq!(status.metadata().get("scavenge-id").unwrap(), "none");
}

#[tokio::test]
async fn projections_that_are_switched_off_are_an_unsupported_feature() {
    let world = world().await;
    let projections = ProjectionClient::from(world.raw.clone());
    let created = projections.create("totals", "fromAll()".into(), &CreateProjectionOptions::default()).await;
    assert!(matches!(created, Err(Error::UnsupportedFeature)), "{created:?}");
    let found = projections.get_status("totals", &GenericProjectionOptions::default()).await;
    assert!(matches!(found, Err(Error::UnsupportedFeature)), "{:?}", found.err());
}

#[tokio::test]
async fn a_method_that_does_not_exist_is_unimplemented() {
    let world = world().await;
    let channel = grpc::channel(&world.connection_string).await;
    for method in ["/event_store.client.streams.Streams/Rename", "/event_store.client.nothing.Nothing/Read"] {
        let status = grpc::call::<(), ()>(&channel, method, ()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{method}");
    }
}

#[tokio::test]
async fn the_methods_are_listed_with_the_features_that_clients_need() {
    let world = world().await;
    let channel = grpc::channel(&world.connection_string).await;
    let method = "/event_store.client.server_features.ServerFeatures/GetSupportedMethods";
    let listed: wire::Methods = grpc::call(&channel, method, ()).await.unwrap();
    assert!(listed.version.starts_with("24.10."), "{}", listed.version);
    let features = |service: &str, method: &str| {
        let service = format!("event_store.client.{service}");
        let found = listed.methods.iter().find(|listed| listed.service == service && listed.name == method);
        found.unwrap_or_else(|| panic!("{service}/{method} is not listed")).features.clone()
    };
    assert_eq!(features("streams.streams", "read"), ["position", "events"]);
    assert_eq!(features("streams.streams", "batchappend"), ["deadline_duration"]);
    let persistent = "persistent_subscriptions.persistentsubscriptions";
    for method in ["create", "update", "delete", "read", "getinfo", "replayparked", "list", "restartsubsystem"] {
        assert_eq!(features(persistent, method), ["stream", "all"], "{method}");
    }
    for (service, methods) in [
        ("streams.streams", vec!["append", "delete", "tombstone"]),
        ("gossip.gossip", vec!["read"]),
        ("monitoring.monitoring", vec!["stats"]),
        ("operations.operations", vec!["startscavenge", "stopscavenge", "shutdown", "mergeindexes", "resignnode"]),
        ("operations.operations", vec!["setnodepriority", "restartpersistentsubscriptions"]),
        ("server_features.serverfeatures", vec!["getsupportedmethods"]),
    ] {
        for method in methods {
            assert!(features(service, method).is_empty(), "{service}/{method}");
        }
    }
}

#[tokio::test]
async fn gossip_names_a_living_leader_with_a_usable_address() {
    let world = world().await;
    let channel = grpc::channel(&world.connection_string).await;
    let method = "/event_store.client.gossip.Gossip/Read";
    let cluster: wire::Cluster = grpc::call(&channel, method, ()).await.unwrap();
    let leaders: Vec<_> = cluster.members.iter().filter(|member| member.state == 8).collect();
    let [leader] = leaders[..] else { panic!("{cluster:?}") };
    assert!(leader.is_alive);
    let at = leader.at.clone().unwrap();
    assert!(tokio::net::TcpStream::connect((at.host.as_str(), u16::try_from(at.port).unwrap())).await.is_ok());
    let seconds = leader.ticks / 10_000_000;
    assert!((chrono::Utc::now().timestamp() - seconds).abs() < 60, "{seconds}");
}
