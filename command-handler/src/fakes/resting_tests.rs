//! What is kept in memory of orders that wait: not more than so many, and not more than so much.

use std::num::NonZeroUsize;

use domain::order::NewOrder;
use serde_json::json;

use super::world::{fulfilment, id, simulate};
use crate::lock::lock;
use crate::resting::Resting;

#[test]
fn large_orders_make_room_for_one_another_before_there_are_too_many() {
    simulate(async |world| {
        let instance = world.instance();
        let attributes = json!({ "note": "x".repeat(100_000) }).as_object().unwrap().clone();
        world.begin(&instance, NewOrder { attributes, ..fulfilment() }).await;
        let order = lock(&instance.0.resting).pop(&id("1")).unwrap();

        let mut resting = Resting::new(NonZeroUsize::new(1_000).unwrap());
        for number in 0..500 {
            resting.put(id(&number.to_string()), order.clone());
        }
        let most = (32 << 20) / 100_000;
        assert!((most / 2..most).contains(&resting.len()), "{} are kept", resting.len());
        assert!(resting.pop(&id("0")).is_none(), "the first has made room");
        assert!(resting.pop(&id("499")).is_some());

        // What was taken out, or left again, is not counted twice.
        for _ in 0..1_000 {
            resting.put(id("499"), order.clone());
        }
        assert!((most / 2..most).contains(&resting.len()), "{} are kept", resting.len());
    });
}
