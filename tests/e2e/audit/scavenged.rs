//! `tenuto audit verify` names the events that an operator of the log removed by a scavenge.

use tonic::client::Grpc;
use tonic::codec::ProstCodec;
use tonic::transport::Endpoint;

use super::*;

/// As in the protocol; only what is sent.
mod wire {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct StartScavenge {
        #[prost(message, optional, tag = "1")]
        pub options: Option<Options>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Options {
        #[prost(int32, tag = "1")]
        pub thread_count: i32,
    }
}

async fn start_scavenge(log: &str) {
    let address = log.trim_start_matches("esdb://").split('?').next().unwrap();
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let request = wire::StartScavenge { options: Some(wire::Options { thread_count: 1 }) };
    let method = "/event_store.client.operations.Operations/StartScavenge".parse().unwrap();
    let codec = ProstCodec::<wire::StartScavenge, ()>::default();
    client.unary(tonic::Request::new(request), method, codec).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_were_deleted_or_truncated_and_then_scavenged_are_named() {
    let audited = Audited::sealed().await;
    let log = audited.world.log.clone();
    let store = EventStore::connect(&log).unwrap();
    put(&store, "$$order-A", "$metadata", DELETED).await;
    put(&store, "$$order-B", "$metadata", r#"{"$tb":2}"#).await;
    start_scavenge(&log).await;
    let ended = async || store.read_stream("$scavenges", 0, 9).await.unwrap().len() == 2;
    audited.world.until("the scavenge has ended", ended).await;

    let told = ends(&audit(&["verify", "--all", "--event-store", &log]), 1);
    assert!(told.contains("stream order-A: events are missing: the stream was deleted or truncated"), "{told}");
    assert!(told.contains("removed revisions 0 to 1 (recorded at position"), "{told}");
    assert!(!told.contains("order-D"), "{told}");
    let told = ends(&audit(&["verify", "B", "--event-store", &log]), 1);
    assert!(told.contains("stream order-B: events are missing"), "{told}");
    ends(&audit(&["verify", "D", "--event-store", &log]), 0);
}
