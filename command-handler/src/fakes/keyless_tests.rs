//! Keys of personal data are lost: what needs them is held, all else goes on, and nothing waits
//! behind it.

use std::time::Duration;

use domain::order::{Direction, Operation, State, StepStatus};
use domain::wire::participants::{ActionRefused, Reply};
use serde_json::json;

use super::world::{Instance, World, fulfilment, id, simulate};
use crate::keys::CustomerKeys;
use crate::orchestrator::{Claim, PlaceError};

/// An order that waits for shipping, and has to tell its customer afterwards.
async fn waiting(world: &World, instance: &Instance) {
    world.begin(instance, fulfilment()).await;
    assert_eq!(world.state(&id("1")).state(), State::Waiting);
    assert!(world.keys.lose(&fulfilment().customer.id));
}

/// The same, once shipping has answered.
async fn stuck(world: &World) -> Instance {
    waiting(world, &world.instance()).await;
    let instance = world.instance();
    world.send(&instance, world.answer("shipped", None)).await;
    let state = world.state(&id("1"));
    assert_eq!((state.state(), state.status.as_str()), (State::Stuck, "Shipped"));
    instance
}

fn retry() -> Operation {
    Operation::Retry { step: None }
}

fn mails(world: &World) -> Vec<serde_json::Value> {
    let asks = world.participants.asks();
    asks.iter()
        .filter(|asked| asked.action == "notifications.send")
        .map(|asked| asked.ask.input().into_owned())
        .collect()
}

#[test]
fn a_step_that_needs_no_personal_data_goes_on_and_one_that_does_is_held_with_the_key_that_is_missing() {
    simulate(async |world| {
        stuck(world).await;
        let state = world.state(&id("1"));
        let reason = state.stuck_reason().unwrap();
        assert!(
            reason.starts_with("notifications.send is held for an operator: its personal data cannot be read: key ")
        );
        assert!(reason.contains("tenuto keys import"), "{reason}");
        assert_eq!(mails(world), Vec::<serde_json::Value>::new(), "no participant receives placeholders");
        assert_eq!(state.due_at(), None);
    });
}

#[test]
fn once_the_keys_are_back_a_retry_tells_the_participant_what_it_needs() {
    simulate(async |world| {
        let instance = stuck(world).await;
        instance.operate(id("1"), world.operate(retry())).await.unwrap();
        world.settle().await;
        assert_eq!(world.state(&id("1")).state(), State::Stuck, "the key is still missing");
        world.keys.bring_back();
        instance.operate(id("1"), world.operate(retry())).await.unwrap();
        world.settle().await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
        assert_eq!(mails(world)[0]["to"], json!(fulfilment().customer.email));
    });
}

#[test]
fn an_order_whose_key_is_missing_can_be_canceled_and_no_participant_is_told_a_placeholder() {
    simulate(async |world| {
        waiting(world, &world.instance()).await;
        let instance = world.instance();
        instance.operate(id("1"), world.operate(Operation::Cancel)).await.unwrap();
        world.wake_until_done(&instance).await;
        let state = world.state(&id("1"));
        assert_eq!((state.state(), state.status_of("notify-canceled")), (State::Canceled, StepStatus::Skipped));
        let undone = world.participants.asks();
        let undone = undone.iter().find(|asked| asked.action == "shipping.cancel_shipment").unwrap();
        let input = undone.ask.input();
        assert_eq!(input["shipTo"]["name"], json!(null));
        assert!(!input.to_string().contains('⟦'), "{input}");
    });
}

#[test]
fn an_order_whose_key_was_destroyed_while_it_was_open_is_held_too() {
    simulate(async |world| {
        world.begin(&world.instance(), fulfilment()).await;
        world.keys.destroy(&fulfilment().customer.id).await.unwrap();
        world.send(&world.instance(), world.answer("shipped", None)).await;
        let state = world.state(&id("1"));
        assert!(state.stuck_reason().unwrap().contains("they were erased"), "{:?}", state.stuck_reason());
    });
}

#[test]
fn what_was_erased_is_looked_for_once_and_the_order_rests_in_memory() {
    simulate(async |world| {
        world.begin(&world.instance(), fulfilment()).await;
        world.keys.destroy(&fulfilment().customer.id).await.unwrap();
        let instance = world.instance();
        let before = world.keys.looked_up();
        world.send(&instance, world.answer("backordered", None)).await;
        world.send(&instance, world.answer("shipped", None)).await;
        assert_eq!(world.state(&id("1")).state(), State::Stuck);
        for _ in 0..3 {
            instance.operate(id("1"), world.operate(retry())).await.unwrap();
            world.settle().await;
        }
        assert_eq!(world.keys.looked_up() - before, 1);
        assert_eq!(instance.idle(), 1);
        // A key that is missing may come back, so it is looked for each time.
        world.keys.bring_back();
        instance.operate(id("1"), world.operate(Operation::Cancel)).await.unwrap();
        world.wake_until_done(&instance).await;
        assert_eq!((world.state(&id("1")).state(), world.keys.looked_up() - before), (State::Canceled, 1));
    });
}

#[test]
fn what_is_asked_of_such_an_order_is_answered_with_the_reason() {
    simulate(async |world| {
        waiting(world, &world.instance()).await;
        let instance = world.instance();
        let claim = instance.personal_data(&id("1")).await.unwrap();
        assert!(matches!(&claim, Claim::Unreadable(why) if why.contains("is missing")), "{claim:?}");
        let again = instance.place(id("1"), fulfilment(), None).await.unwrap_err();
        assert!(matches!(again, PlaceError::Unreadable(..)), "{again}");
    });
}

#[test]
fn four_hundred_such_orders_keep_no_driver_and_new_orders_come_to_their_end() {
    simulate(async |world| {
        let before = world.instance();
        for number in 1..=400 {
            before.place(id(&number.to_string()), fulfilment(), None).await.unwrap();
        }
        world.settle().await;
        assert!(world.keys.lose(&fulfilment().customer.id));
        let instance = world.instance_for(16);
        for number in 1..=400 {
            instance.signal(id(&number.to_string()), world.answer("shipped", None)).await.unwrap();
            world.settle().await;
        }
        assert!((1..=400).all(|number| world.state(&id(&number.to_string())).state() == State::Stuck));
        assert_eq!(instance.drivers(), 0);
        world.pass(Duration::from_hours(1)).await;
        instance.place(id("new"), fulfilment(), None).await.unwrap();
        world.settle().await;
        instance.signal(id("new"), world.answer("shipped", None)).await.unwrap();
        world.settle().await;
        assert_eq!(world.state(&id("new")).state(), State::Completed);
    });
}

#[test]
fn a_participant_by_events_that_cannot_read_what_it_needs_has_the_order_held() {
    simulate(async |world| {
        let instance = world.instance();
        waiting(world, &instance).await;
        let refusal = Reply::Refused(ActionRefused {
            order_id: id("1"),
            step: "ship".to_owned(),
            direction: Direction::Do,
            error: "no key".to_owned(),
            misconfigured: true,
        });
        super::replies_tests::take(world, &instance, &refusal, "ship").await;
        assert_eq!(world.state(&id("1")).state(), State::Stuck);
        assert_eq!(world.count(&id("1"), "CompensationStarted"), 0);
    });
}
