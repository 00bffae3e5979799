//! The bounds of the cache of orders without a driver: a number of orders, and bytes.

use std::num::NonZeroUsize;

use domain::order::NewOrder;
use serde_json::json;

use super::world::{fulfilment, id, simulate};
use crate::idle_orders::IdleOrders;

#[test]
fn large_orders_make_room_for_one_another_before_there_are_too_many() {
    simulate(async |world| {
        let instance = world.instance();
        let attributes = json!({ "note": "x".repeat(100_000) }).as_object().unwrap().clone();
        world.begin(&instance, NewOrder { attributes, ..fulfilment() }).await;
        let order = instance.0.idle.pop(&id("1")).unwrap();

        let idle = IdleOrders::new(NonZeroUsize::new(1_000).unwrap());
        for number in 0..500 {
            idle.put(id(&number.to_string()), order.clone());
        }
        let most = (32 << 20) / 100_000;
        assert!((most / 2..most).contains(&idle.len()), "{} are kept", idle.len());
        assert!(idle.pop(&id("0")).is_none(), "the first has made room");
        assert!(idle.pop(&id("499")).is_some());

        // What was taken out, or left again, is not counted twice.
        for _ in 0..1_000 {
            idle.put(id("499"), order.clone());
        }
        assert!((most / 2..most).contains(&idle.len()), "{} are kept", idle.len());
    });
}
