//! Waiting for the end of an order.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::Value;
use tokio::time::timeout;

use crate::support::{Row, World};

/// What anything may take before its test has failed.
const LIMIT: Duration = Duration::from_secs(30);
/// What the projector does when an order ends.
const END: &str = "UPDATE orders SET state = 'COMPLETED', status = 'Shipped', ended_at = now();
                   SELECT pg_notify('tenuto_ends', '0 1 2')";

async fn ask(world: &World, path: &str) -> (StatusCode, Value) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let (status, _, body) = timeout(LIMIT, world.send(request)).await.expect("no answer in time");
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn those_who_wait_for_an_order_hear_of_its_end() {
    let world = World::new().await;
    world.insert(&Row::new("1")).await;
    let ended = async {
        // Not before the wait has come to the database.
        world.listens().await;
        world.sql(END).await;
    };
    let ((first, second), ()) = tokio::join!(
        async { tokio::join!(ask(&world, "/orders/1?wait=60"), ask(&world, "/orders/1?wait=60")) },
        async { timeout(LIMIT, ended).await.expect("no process listens") },
    );
    assert_eq!((first.0, &first.1["state"]), (StatusCode::OK, &"COMPLETED".into()));
    assert_eq!(first, second);
    assert_eq!(ask(&world, "/orders/1?wait=60").await.1["status"], "Shipped");
}

#[tokio::test]
async fn a_stuck_order_is_not_waited_for_in_vain() {
    let world = World::new().await;
    world.insert(&Row { state: "STUCK", ..Row::new("1") }).await;
    assert_eq!(ask(&world, "/orders/1?wait=60").await.1["state"], "STUCK");
}

#[tokio::test]
async fn after_the_wait_the_present_status_of_the_order_is_returned() {
    let world = World::new().await;
    world.insert(&Row::new("1")).await;
    assert_eq!(ask(&world, "/orders/1?wait=0").await.1["state"], "RUNNING");
    assert_eq!(ask(&world, "/orders/1?wait=1").await.1["state"], "RUNNING");
    assert_eq!(ask(&world, "/orders/2?wait=1").await.0, StatusCode::NOT_FOUND);
    for wrong in ["61", "-1", "soon", ""] {
        assert_eq!(ask(&world, &format!("/orders/1?wait={wrong}")).await.0, StatusCode::BAD_REQUEST, "{wrong:?}");
    }
}
