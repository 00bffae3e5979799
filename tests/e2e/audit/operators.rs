//! What operators of the log do to orders' streams: requests are refused with the reason, and
//! `tenuto audit verify` names each stream.

use event_store::EventStore;
use serde_json::json;

use super::{Audited, DELETED, audit, ends, put};
use crate::world::{World, order};

/// Status and detail of a cancel, and of placing the order again.
async fn refused(world: &World, id: &str) -> [(u16, String); 2] {
    let wish = json!({ "reason": "no longer wanted", "actor": "ann" });
    let cancel = world.post(&format!("/orders/{id}/cancel"), &wish).await;
    let place = world.post("/orders", &order(id, "order-fulfilment", "none", 8)).await;
    [cancel, place].map(|(status, body)| (status, body["detail"].as_str().unwrap_or_default().to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_orders_streams_by_operators_of_the_log_are_refused_and_named() {
    let mut audited = Audited::sealed().await;
    let log = EventStore::connect(&audited.world.log).unwrap();
    put(&log, "$$order-D", "$metadata", DELETED).await;
    put(&log, "$$order-A", "$metadata", r#"{"$maxCount":2}"#).await;
    put(&log, "order-B", "OrderShipped", "{}").await;
    let before = log.head().await.unwrap();
    for (id, status, reason) in
        [("D", 410, "the stream was deleted"), ("A", 410, "$maxCount 2"), ("B", 409, "was not written by Tenuto")]
    {
        for (found, detail) in refused(&audited.world, id).await {
            assert_eq!(found, status, "{id}: {detail}");
            assert!(detail.contains(reason), "{id}: {detail}");
        }
    }
    assert_eq!(log.head().await.unwrap(), before, "something was appended");

    // Without the views, while everything runs and after everything has stopped.
    let server = audited.world.log.clone();
    let running = audit(&["verify", "--all", "--event-store", &server]);
    let one = ends(&audit(&["verify", "D", "--event-store", &server]), 1);
    assert!(one.contains("stream order-D: the stream was deleted"), "{one}");
    // The operator lifts the limit.
    put(&log, "$$order-D", "$metadata", "{}").await;
    assert_eq!(refused(&audited.world, "D").await[0].0, 202);
    audited.stop();
    let stopped = audit(&["verify", "--all", "--data", audited.world.data().to_str().unwrap()]);
    let (running, stopped) = (ends(&running, 1), ends(&stopped, 1));
    for reported in [&running, &stopped] {
        assert!(reported.contains("stream order-A: the stream's metadata hides events: $maxCount 2"), "{reported}");
        assert!(reported.contains("order B, revision"), "{reported}");
    }
    assert!(running.contains("stream order-D: the stream was deleted"), "{running}");
    assert!(!stopped.contains("order-D"), "{stopped}");
}
