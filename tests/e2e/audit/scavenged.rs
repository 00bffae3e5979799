//! `tenuto audit verify` names the events that an operator of the log removed by a scavenge.

use eventstore::operations::{Client, OperationalOptions};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn deleted_or_truncated_and_then_scavenged_orders_are_named() {
    let audited = Audited::sealed().await;
    let log = audited.world.log.clone();
    let store = EventStore::connect(&log).unwrap();
    put(&store, "$$order-A", "$metadata", DELETED).await;
    put(&store, "$$order-B", "$metadata", r#"{"$tb":2}"#).await;
    let operations = Client::new(log.parse().unwrap());
    operations.start_scavenge(1, 0, &OperationalOptions::default()).await.unwrap();
    let ended = async || store.read_stream("$scavenges", 0, 9).await.unwrap().len() == 2;
    audited.world.until("the scavenge has ended", ended).await;

    let reported = ends(&audit(&["verify", "--all", "--event-store", &log]), 1);
    assert!(reported.contains("stream order-A: events are missing: the stream was deleted or truncated"), "{reported}");
    assert!(reported.contains("removed revisions 0 to 1 (recorded at position"), "{reported}");
    assert!(!reported.contains("order-D"), "{reported}");
    let reported = ends(&audit(&["verify", "B", "--event-store", &log]), 1);
    assert!(reported.contains("stream order-B: events are missing"), "{reported}");
    ends(&audit(&["verify", "D", "--event-store", &log]), 0);
}
