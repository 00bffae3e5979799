//! One instance drives an order: from the first step to the end, with retries, in both directions.

use std::time::Duration;

use domain::order::{Reply, State};
use domain::testing::{done, refused, unclear};
use domain::trace::SpanId;

use super::world::{WITH_BACKORDER, fulfilment, id, order, simulate};

/// The participants double notes as a fault every ask whose `StepStarted` is not in the log, and
/// every attempt made twice.
fn happy_path(workflow: &str) {
    simulate(async |world| {
        let instance = world.instance();
        let accepted = instance.place(id("1"), order(workflow), None).await.unwrap();
        assert_eq!((accepted.order_id, accepted.revision), (id("1"), 1));
        world.settle().await;
        assert_eq!(world.state(&id("1")).state(), State::Waiting);
        assert_eq!((instance.drivers(), instance.idle()), (0, 1));

        world.send(&instance, world.answer("shipped", None)).await;
        let state = world.state(&id("1"));
        assert_eq!((state.state(), state.status.as_str()), (State::Completed, "Shipped"));
        assert_eq!(instance.idle(), 0, "an order that has ended is not kept");
        assert_eq!(
            world.participants.asked(),
            [
                "orders.create #1",
                "payments.charge #1",
                "shipping.ship #1",
                "orders.update_status #1",
                "notifications.send #1"
            ]
        );
    });
}

#[test]
fn every_attempt_is_in_the_log_before_it_is_made_and_is_made_once() {
    happy_path("order-fulfilment");
    happy_path("order-fulfilment-without-backorder");
}

#[test]
fn an_ask_carries_what_the_log_and_the_workflow_say() {
    simulate(async |world| {
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let instance = world.instance();
        instance.place(id("1"), fulfilment(), Some(traceparent.into())).await.unwrap();
        world.settle().await;
        let charge = &world.participants.asks()[1].ask;
        assert_eq!(charge.idempotency_key(), "1/charge/do");
        assert_eq!((charge.participant.as_str(), charge.action.as_str()), ("payments", "charge"));
        assert_eq!(*charge.input(), serde_json::json!({ "amount": "14.00", "currency": "EUR" }));
        let of_attempt = SpanId::of_attempt(&id("1"), charge.cause.unwrap());
        let expected = format!("00-0af7651916cd43dd8448eb211c80319c-{of_attempt}-01");
        assert_eq!(charge.traceparent.as_ref(), Some(&expected), "the attempt's span, in the trace of the shop");
        assert!(WITH_BACKORDER.contains("timeout: 5s"));
        assert_eq!(charge.attempt.deadline - world.clock.time(), chrono::TimeDelta::seconds(5));
    });
}

#[test]
fn steps_with_no_path_between_them_are_made_at_once() {
    simulate(async |world| {
        world.register_steps("steps:\n  a: { call: p.a }\n  b: { call: p.b }\n  c: { after: [a, b], call: p.c }");
        let instance = world.instance();
        let (a, b) = (world.participants.hangs("p.a", done()), world.participants.hangs("p.b", done()));
        world.begin(&instance, order("w")).await;
        assert!(a.is_reached() && b.is_reached());
        b.open();
        world.settle().await;
        assert_eq!(world.participants.count("p.c"), 0);
        a.open();
        world.settle().await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
    });
}

#[test]
fn a_failed_attempt_is_made_again_when_its_wait_is_over() {
    simulate(async |world| {
        let instance = world.instance();
        world.participants.says("payments.charge", unclear("503"));
        world.participants.says("payments.charge", unclear("503"));
        world.begin(&instance, fulfilment()).await;
        // 200 ms and 400 ms, with the dice at their middle.
        for (wait, attempts) in [(150, 1), (300, 2)] {
            world.pass(Duration::from_millis(wait - 1)).await;
            assert_eq!((world.participants.count("payments.charge"), instance.drivers()), (attempts, 1));
            world.pass(Duration::from_millis(1)).await;
            assert_eq!(world.participants.count("payments.charge"), attempts + 1);
        }
        assert_eq!(world.state(&id("1")).state(), State::Waiting);
    });
}

#[test]
fn what_is_due_later_than_a_driver_stays_comes_back_by_the_to_do_list() {
    simulate(async |world| {
        let instance = world.instance();
        let later = Reply::Unclear { error: "429".to_owned(), retry_after: Some(Duration::from_secs(10)) };
        world.participants.says("payments.charge", later);
        world.begin(&instance, fulfilment()).await;
        assert_eq!((instance.drivers(), instance.idle()), (0, 1));

        world.pass(Duration::from_secs(7)).await;
        instance.wake(id("1")).unwrap();
        world.settle().await;
        assert_eq!((world.participants.count("payments.charge"), instance.drivers()), (1, 0), "woken too early");

        // Now it is near enough to stay for.
        world.pass(Duration::from_secs(1)).await;
        instance.wake(id("1")).unwrap();
        world.settle().await;
        assert_eq!((world.participants.count("payments.charge"), instance.drivers()), (1, 1));
        world.pass(Duration::from_secs(2)).await;
        assert_eq!(world.participants.count("payments.charge"), 2);
        assert_eq!(world.state(&id("1")).state(), State::Waiting);
    });
}

#[test]
fn an_order_that_cannot_be_kept_is_undone_in_reverse() {
    simulate(async |world| {
        let instance = world.instance();
        world.begin(&instance, order("order-fulfilment-without-backorder")).await;
        world.send(&instance, world.answer("out_of_stock", None)).await;
        let state = world.state(&id("1"));
        assert_eq!((state.state(), state.status.as_str()), (State::Canceled, "Canceled"));
        assert_eq!(
            world.participants.asked()[3..],
            ["payments.refund #1", "orders.cancel #1", "orders.update_status #1", "notifications.send #1"]
        );
    });
}

#[test]
fn an_order_whose_undo_is_refused_is_stuck_and_nothing_spins() {
    simulate(async |world| {
        let instance = world.instance();
        world.participants.says("payments.refund", refused("answered 400: no"));
        world.begin(&instance, fulfilment()).await;
        world.send(&instance, world.answer("out_of_stock", None)).await;
        assert_eq!(world.state(&id("1")).state(), State::Stuck);
        let asked = world.participants.asked().len();
        instance.wake(id("1")).unwrap();
        world.pass(Duration::from_hours(24)).await;
        assert_eq!(world.participants.asked().len(), asked);
    });
}

#[test]
fn an_answer_after_its_attempt_counted_as_lost_changes_nothing() {
    simulate(async |world| {
        let (instance, other) = (world.instance(), world.instance());
        let late = world.participants.hangs("payments.charge", refused("too late to matter"));
        world.begin(&instance, fulfilment()).await;
        // The deadline of five seconds, and the grace of two.
        world.pass(Duration::from_secs(7)).await;
        world.wake_due(&other).await;
        assert_eq!(world.participants.count("payments.charge"), 2);
        assert_eq!(world.state(&id("1")).state(), State::Waiting);
        let before = world.told(&id("1"));
        late.open();
        world.settle().await;
        assert_eq!(world.told(&id("1")), before);
    });
}
