//! A log that other applications use too: orders are kept under a prefix, which the log itself keeps.

use event_store::client::{EventStore, Expected, NewEvent};
use serde_json::json;
use uuid::Uuid;

use crate::process::{binary, told};
use crate::world::{World, order};

fn ends(arguments: &[&str], code: i32) -> String {
    let output = binary().args(arguments).output().unwrap();
    let told = told(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_kept_under_the_prefix_that_the_log_keeps_and_no_role_runs_with_another() {
    let world = World::with(&["--stream-prefix", "shop-order-"]).await;
    let log = EventStore::connect(&world.log).unwrap();
    let foreign = || NewEvent {
        id: Uuid::new_v4(),
        event_type: "OrderPlaced".to_owned(),
        data: "{}".into(),
        metadata: "{}".into(),
    };
    log.append("order-A", Expected::NoStream, vec![foreign(), foreign()]).await.unwrap();
    log.append("shop-order-foreign", Expected::NoStream, vec![foreign()]).await.unwrap();
    world.stock(&json!([{ "sku": "11", "quantity": 5 }])).await;
    world.place(&order("A", "order-fulfilment", "11", 2)).await;
    world.until("A is COMPLETED", async || world.order("A", "state").await["state"] == "COMPLETED").await;
    assert!(!log.read_stream("shop-order-A", 0, 1).await.unwrap().is_empty());
    assert_eq!(log.read_stream("order-A", 0, 10).await.unwrap().len(), 2);
    assert_eq!(world.query("{ overview { parked } }").await["overview"]["parked"], 0);
    assert_eq!(
        world.order("A", "timeline { edges { node { revision } } }").await["timeline"]["edges"][0]["node"]["revision"],
        0
    );

    let (server, postgres) = (world.log.as_str(), world.database.url());
    let both = ["--event-store", server, "--postgres", postgres];
    ends(&["audit", "verify", "A", "--event-store", server], 0);
    ends(&["replay", "A", "--event-store", server], 0);
    ends(&[["rebuild", "--check"].as_slice(), &both].concat(), 0);
    let other = ["--stream-prefix", "order-"];
    for role in [["projector"].as_slice(), &["command-handler", "--listen", "127.0.0.1:0"]] {
        let told = ends(&[role, &other, &both].concat(), 2);
        assert!(told.contains("shop-order-") && told.contains("--stream-prefix"), "{role:?}: {told}");
    }
    let told = ends(&[["projector", "--stream-prefix", "key-"].as_slice(), &both].concat(), 2);
    assert!(told.contains("must not begin like key-"), "{told}");
}
