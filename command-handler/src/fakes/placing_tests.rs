//! Taking orders: one order for each id, one answer for each order, and no more orders than there
//! is room for.

use std::time::Duration;

use domain::order::{Reply, State, StepStatus};
use domain::testing::done;

use super::gate::Gate;
use super::log::Trouble;
use super::world::{fulfilment, id, order, simulate};
use crate::orchestrator::{CommandError, NoDriver, PlaceError};

#[test]
fn the_same_order_placed_again_gives_the_same_answer_at_any_time_at_any_instance() {
    simulate(async |world| {
        let (instance, other) = (world.instance(), world.instance());
        let first = instance.place(id("1"), fulfilment(), None).await.unwrap();
        assert_eq!(instance.place(id("1"), fulfilment(), None).await.unwrap(), first);
        world.settle().await;
        world.send(&instance, world.answer("shipped", None)).await;
        assert_eq!(instance.place(id("1"), fulfilment(), None).await.unwrap(), first);
        assert_eq!(other.place(id("1"), fulfilment(), None).await.unwrap(), first);
        assert_eq!((world.count(&id("1"), "OrderPlaced"), world.participants.count("orders.create")), (1, 1));
    });
}

#[test]
fn an_id_that_is_taken_is_refused_to_other_content() {
    simulate(async |world| {
        let (instance, other) = (world.instance(), world.instance());
        instance.place(id("1"), fulfilment(), None).await.unwrap();
        let mut different = fulfilment();
        different.lines[0].quantity += 1;
        for at in [&instance, &other] {
            let error = at.place(id("1"), different.clone(), None).await.unwrap_err();
            assert!(matches!(error, PlaceError::OtherContent(taken) if taken == id("1")));
        }
    });
}

#[test]
fn placed_at_two_instances_at_once_it_is_one_order_with_one_answer() {
    simulate(async |world| {
        let (slow, quick) = (world.instance(), world.instance());
        let mut different = fulfilment();
        different.currency = "USD".to_owned();
        let gates = [world.log.hold_back("OrderPlaced"), world.log.hold_back("OrderPlaced")];
        let same = tokio::spawn({
            let slow = slow.clone();
            async move { slow.place(id("1"), fulfilment(), None).await }
        });
        let other = tokio::spawn(async move { slow.place(id("1"), different, None).await });
        world.settle().await;
        let accepted = quick.place(id("1"), fulfilment(), None).await.unwrap();
        world.settle().await;
        gates.iter().for_each(Gate::open);
        assert_eq!(same.await.unwrap().unwrap(), accepted);
        assert!(matches!(other.await.unwrap().unwrap_err(), PlaceError::OtherContent(_)));
        world.settle().await;
        assert_eq!((world.count(&id("1"), "OrderPlaced"), world.participants.count("orders.create")), (1, 1));
    });
}

#[test]
fn an_order_for_a_workflow_that_nobody_knows_leaves_nothing() {
    simulate(async |world| {
        let instance = world.instance();
        let error = instance.place(id("1"), order("unheard-of"), None).await.unwrap_err();
        assert!(matches!(error, PlaceError::UnknownWorkflow(name) if name == "unheard-of"));
        assert_eq!(world.orders(), []);
    });
}

#[test]
fn beyond_the_most_orders_at_once_work_is_refused_until_one_rests() {
    simulate(async |world| {
        let instance = world.instance_for(2);
        world.begin(&instance, fulfilment()).await;
        assert_eq!((instance.free(), instance.idle()), (2, 1));

        let gates = ["2", "3"].map(|_| world.participants.hangs("payments.charge", done()));
        for busy in ["2", "3"] {
            instance.place(id(busy), fulfilment(), None).await.unwrap();
        }
        world.settle().await;
        assert_eq!(instance.free(), 0);
        let answer = world.answer("shipped", None);
        assert!(matches!(instance.place(id("4"), fulfilment(), None).await, Err(PlaceError::NoDriver(NoDriver::Full))));
        assert!(matches!(instance.signal(id("1"), answer.clone()).await, Err(CommandError::NoDriver(NoDriver::Full))));
        assert_eq!(instance.wake(id("1")), Err(NoDriver::Full));
        assert_eq!(instance.wake(id("2")), Ok(()), "an order that has a driver needs no other");
        assert!(world.log.stream("order-4").is_empty());

        gates[0].open();
        world.settle().await;
        assert_eq!(instance.free(), 1);
        instance.signal(id("1"), answer).await.unwrap();
        instance.place(id("4"), fulfilment(), None).await.unwrap();
        gates[1].open();
        world.settle().await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
        assert_eq!(world.state(&id("4")).state(), State::Waiting);
    });
}

#[test]
fn an_order_that_others_drive_before_its_taker_hears_of_it_has_one_driver() {
    simulate(async |world| {
        let instance = world.instance();
        let received = Gate::default();
        world.log.trouble("OrderPlaced", Trouble::ReplyHeldBack(received.clone()));
        let placing = tokio::spawn({
            let instance = instance.clone();
            async move { instance.place(id("1"), fulfilment(), None).await }
        });
        // Ten seconds to the deadline of the first attempt, two of grace; then another instance
        // makes the next one.
        world.pass(Duration::from_secs(12)).await;
        let second = world.participants.hangs("orders.create", done());
        instance.wake(id("1")).unwrap();
        world.settle().await;
        assert!(second.is_reached());

        received.open();
        assert_eq!(placing.await.unwrap().unwrap().revision, 1);
        world.settle().await;
        assert_eq!((instance.drivers(), world.participants.asked()), (1, vec!["orders.create #2".to_owned()]));
        second.open();
        world.settle().await;
        assert_eq!(world.state(&id("1")).state(), State::Waiting);
    });
}

#[test]
fn an_order_that_ended_before_its_taker_hears_of_it_is_not_begun() {
    simulate(async |world| {
        world.register_steps("steps:\n  a: { request: p.a }");
        let instance = world.instance();
        let received = Gate::default();
        world.log.trouble("OrderPlaced", Trouble::ReplyHeldBack(received.clone()));
        let placing = tokio::spawn({
            let instance = instance.clone();
            async move { instance.place(id("1"), order("w"), None).await }
        });
        world.pass(Duration::from_secs(2)).await;
        let answer = domain::order::Signal { step: "a".to_owned(), ..world.answer("fine", None) };
        instance.signal(id("1"), answer).await.unwrap();
        world.settle().await;
        assert_eq!(instance.drivers(), 0);
        received.open();
        assert_eq!(placing.await.unwrap().unwrap().revision, 1);
        world.settle().await;
        assert!(world.participants.asked().is_empty(), "no attempt waits for an answer any more");
        assert_eq!(world.state(&id("1")).state(), State::Completed);
    });
}

#[test]
fn an_order_that_gets_mail_before_its_taker_hears_of_it_is_begun_without_delay() {
    simulate(async |world| {
        world.register_steps("steps:\n  a: { request: p.a }\n  b: { request: p.b }");
        let instance = world.instance();
        let received = Gate::default();
        world.log.trouble("OrderPlaced", Trouble::ReplyHeldBack(received.clone()));
        let placing = tokio::spawn({
            let instance = instance.clone();
            async move { instance.place(id("1"), order("w"), None).await }
        });
        world.settle().await;
        // Its driver is there, and busy with a message, when the log answers.
        let recording = world.log.hold_back("StepCompleted");
        let answer = domain::order::Signal { step: "a".to_owned(), ..world.answer("fine", None) };
        let signalling = tokio::spawn({
            let instance = instance.clone();
            async move { instance.signal(id("1"), answer).await }
        });
        world.settle().await;
        assert!(recording.is_reached());
        received.open();
        placing.await.unwrap().unwrap();
        world.settle().await;
        recording.open();
        signalling.await.unwrap().unwrap();
        world.settle().await;
        assert_eq!(world.participants.asked(), ["p.b #1"], "a was answered before anybody asked");
        assert_eq!(world.state(&id("1")).state(), State::Waiting);
    });
}

#[test]
fn a_participant_that_accepts_a_call_has_not_done_it() {
    simulate(async |world| {
        let instance = world.instance();
        for _ in 0..12 {
            world.participants.says("payments.charge", Reply::Accepted);
        }
        world.begin(&instance, fulfilment()).await;
        world.wake_until_done(&instance).await;
        let order = world.state(&id("1"));
        assert_eq!(order.state(), State::Stuck, "it is a mistake of one side, and no refusal");
        assert_eq!(order.status_of("charge"), StepStatus::Stuck);
        assert_eq!(world.participants.count("payments.refund"), 0);
    });
}
