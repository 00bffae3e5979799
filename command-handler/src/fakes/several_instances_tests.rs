//! Several instances on one log: the expected revision lets one decision stand, and the
//! instance that loses decides again.

use std::time::Duration;

use domain::order::{Reply, Signal, State};
use domain::testing::unclear;

use super::world::{fulfilment, id, order, simulate};

#[test]
fn an_answer_that_comes_to_another_instance_is_taken_there_once() {
    simulate(async |world| {
        let (driving, other) = (world.instance(), world.instance());
        let asking = world.participants.hangs("shipping.ship", Reply::Accepted);
        world.begin(&driving, fulfilment()).await;
        assert_eq!((asking.is_reached(), driving.drivers()), (true, 1));

        world.send(&other, world.answer("shipped", Some("k"))).await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
        asking.open();
        world.settle().await;
        assert_eq!((world.count(&id("1"), "StepAccepted"), driving.idle()), (0, 0), "its acceptance comes too late");
        driving.signal(id("1"), world.answer("shipped", Some("k"))).await.unwrap();
        assert_eq!(world.told(&id("1")).iter().filter(|told| *told == "ship: answered \"shipped\"").count(), 1);
        assert_eq!(world.participants.asked().len(), 5);
    });
}

#[test]
fn a_driver_that_somebody_came_before_decides_again() {
    simulate(async |world| {
        world.register_steps("steps:\n  a: { request: p.a }\n  b: { request: p.b }");
        let (driving, other) = (world.instance(), world.instance());
        let accepting = world.log.hold_back("StepAccepted");
        world.begin(&driving, order("w")).await;
        assert!(accepting.is_reached());
        let answer = Signal { step: "b".to_owned(), ..world.answer("fine", None) };
        let accepted = other.signal(id("1"), answer).await.unwrap();
        assert_eq!(accepted.revision, 3);
        accepting.open();
        world.settle().await;
        let told = world.told(&id("1"));
        assert_eq!(told[1..4], ["a: p is asked to a", "b: p is asked to b", "b: answered \"fine\""]);
        assert!(told[4].starts_with("a: taken on"), "{}", told[4]);
    });
}

#[test]
fn an_order_kept_in_memory_gives_no_refusal_that_the_log_does_not() {
    simulate(async |world| {
        let (keeping, other) = (world.instance(), world.instance());
        let later = Reply::Unclear { error: "429".to_owned(), retry_after: Some(Duration::from_hours(1)) };
        world.participants.says("payments.charge", later);
        keeping.place(id("1"), fulfilment(), None).await.unwrap();
        world.pass(Duration::from_hours(1)).await;
        world.wake_due(&other).await;
        // As `keeping` remembers it, shipping has not been asked yet.
        assert_eq!((world.state(&id("1")).state(), keeping.idle()), (State::Waiting, 1));
        world.send(&keeping, world.answer("shipped", None)).await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
    });
}

#[test]
fn an_order_kept_in_memory_overwrites_nothing_that_came_since() {
    simulate(async |world| {
        let (keeping, other) = (world.instance(), world.instance());
        world.begin(&keeping, fulfilment()).await;
        world.send(&other, world.answer("backordered", Some("1"))).await;
        world.send(&keeping, world.answer("shipped", Some("2"))).await;
        other.signal(id("1"), world.answer("backordered", Some("1"))).await.unwrap();
        let state = world.state(&id("1"));
        assert_eq!((state.state(), state.status.as_str()), (State::Completed, "Shipped"));
        assert_eq!(state.steps["ship"].answer_keys(), ["1", "2"]);
        assert_eq!(world.participants.count("notifications.send"), 2);
    });
}

#[test]
fn an_order_that_two_instances_are_woken_for_is_driven_by_one() {
    simulate(async |world| {
        let (slow, quick) = (world.instance(), world.instance());
        let later = Reply::Unclear { error: "429".to_owned(), retry_after: Some(Duration::from_mins(1)) };
        world.participants.says("payments.charge", later);
        slow.place(id("1"), fulfilment(), None).await.unwrap();
        world.pass(Duration::from_mins(1)).await;

        let deciding = world.log.hold_back("StepStarted");
        slow.wake(id("1")).unwrap();
        world.settle().await;
        assert!(deciding.is_reached());
        quick.wake(id("1")).unwrap();
        world.settle().await;
        deciding.open();
        world.settle().await;
        assert_eq!(world.participants.asked()[1..], ["payments.charge #1", "payments.charge #2", "shipping.ship #1"]);
    });
}

#[test]
fn an_attempt_that_is_being_made_elsewhere_is_left_alone() {
    simulate(async |world| {
        let (driving, other) = (world.instance(), world.instance());
        let asking = world.participants.hangs("payments.charge", unclear("503"));
        driving.place(id("1"), fulfilment(), None).await.unwrap();
        world.pass(Duration::from_secs(6)).await;
        other.wake(id("1")).unwrap();
        world.settle().await;
        assert_eq!((world.participants.count("payments.charge"), other.drivers()), (1, 1), "a second of grace is left");
        asking.open();
        world.settle().await;
        world.pass(Duration::from_secs(1)).await;
        assert_eq!(world.participants.asked()[1..], ["payments.charge #1", "payments.charge #2", "shipping.ship #1"]);
    });
}
