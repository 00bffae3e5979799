//! The log is gone for a while, or takes an append without saying so.

use std::time::Duration;

use domain::order::{Signal, State};
use domain::testing::done;

use super::log::Trouble;
use super::world::{charging, fulfilment, id, order, simulate};
use crate::orchestrator::{CommandError, PlaceError};

const HOLD_STEP: Duration = Duration::from_millis(250);

#[test]
fn an_answer_is_held_until_the_log_is_back() {
    simulate(async |world| {
        let (_, asking) = charging(world).await;
        world.log.set_down(true);
        asking.open();
        for _ in 0..20 {
            world.pass(HOLD_STEP).await;
        }
        assert_eq!(world.count(&id("1"), "StepCompleted"), 1);
        world.log.set_down(false);
        world.pass(HOLD_STEP).await;
        assert_eq!(world.state(&id("1")).state(), State::Waiting);
        assert_eq!(world.participants.asked(), ["orders.create #1", "payments.charge #1", "shipping.ship #1"]);
    });
}

#[test]
fn while_an_answer_is_held_the_orders_other_attempts_go_on() {
    simulate(async |world| {
        world.register_steps("steps:\n  a: { call: p.a }\n  b: { call: p.b }");
        let instance = world.instance();
        let (a, b) = (world.participants.hangs("p.a", done()), world.participants.hangs("p.b", done()));
        world.begin(&instance, order("w")).await;
        world.log.set_down(true);
        a.open();
        world.pass(HOLD_STEP).await;
        b.open();
        world.settle().await;
        assert_eq!(world.participants.answered(), ["p.a #1", "p.b #1"]);
        world.log.set_down(false);
        world.pass(HOLD_STEP).await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
    });
}

#[test]
fn an_answer_that_was_held_too_long_is_asked_for_again() {
    simulate(async |world| {
        let (instance, asking) = charging(world).await;
        world.log.set_down(true);
        asking.open();
        world.pass(HOLD_STEP).await;
        assert_eq!(instance.drivers(), 1);
        world.pass(Duration::from_mins(2)).await;
        world.pass(HOLD_STEP).await;
        assert_eq!(instance.drivers(), 0, "it is given up, and nothing spins");
        instance.wake(id("1")).unwrap();
        world.settle().await;
        assert_eq!(instance.drivers(), 0);
        world.log.set_down(false);
        world.wake_due(&instance).await;
        assert_eq!(world.state(&id("1")).state(), State::Waiting);
        let asked = ["orders.create #1", "payments.charge #1", "payments.charge #2", "shipping.ship #1"];
        assert_eq!(world.participants.asked(), asked);
    });
}

#[test]
fn an_order_that_the_log_cannot_take_is_not_acknowledged() {
    simulate(async |world| {
        let (fresh, used) = (world.instance(), world.instance());
        world.begin(&used, fulfilment()).await;
        world.log.set_down(true);
        for instance in [&fresh, &used] {
            let error = instance.place(id("2"), fulfilment(), None).await.unwrap_err();
            assert!(matches!(error, PlaceError::Failed(_)), "{error}");
        }
        let error = used.place(id("1"), fulfilment(), None).await.unwrap_err();
        assert!(matches!(error, PlaceError::Failed(_)), "{error}");
        world.log.set_down(false);
        world.settle().await;
        assert_eq!(world.orders(), [id("1")]);
        fresh.place(id("2"), fulfilment(), None).await.unwrap();
    });
}

#[test]
fn an_order_that_the_log_took_without_saying_so_is_acknowledged_when_placed_again() {
    simulate(async |world| {
        let instance = world.instance();
        world.log.trouble("OrderPlaced", Trouble::ReplyLost);
        let error = instance.place(id("1"), fulfilment(), None).await.unwrap_err();
        assert!(matches!(error, PlaceError::Failed(_)), "{error}");
        let accepted = instance.place(id("1"), fulfilment(), None).await.unwrap();
        assert_eq!(accepted.revision, 1);
        world.settle().await;
        assert_eq!(
            world.participants.asked(),
            Vec::<String>::new(),
            "no instance knows that it has to make the attempt"
        );

        let due = world.wake_due(&instance).await.unwrap();
        assert_eq!(due - world.clock.time(), chrono::TimeDelta::seconds(12), "the deadline and the grace");
        world.clock.advance_to(due);
        world.wake_due(&instance).await;
        assert_eq!(world.participants.asked(), ["orders.create #2", "payments.charge #1", "shipping.ship #1"]);
        world.send(&instance, world.answer("shipped", None)).await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
        assert_eq!(instance.place(id("1"), fulfilment(), None).await.unwrap(), accepted);
    });
}

#[test]
fn an_answer_that_the_log_took_without_saying_so_is_recorded_once() {
    simulate(async |world| {
        let instance = world.instance();
        world.log.trouble("StepCompleted", Trouble::ReplyLost);
        instance.place(id("1"), fulfilment(), None).await.unwrap();
        world.pass(HOLD_STEP).await;
        assert_eq!(instance.drivers(), 0);
        assert_eq!(world.participants.asked(), ["orders.create #1"]);
        // The attempts that the append started count as lost: no instance knows that it has to make
        // them.
        world.pass(Duration::from_secs(7)).await;
        world.wake_due(&instance).await;
        assert_eq!(world.participants.asked(), ["orders.create #1", "payments.charge #2", "shipping.ship #1"]);
        assert_eq!(world.told(&id("1")).iter().filter(|told| *told == "create-order: done").count(), 1);
    });
}

#[test]
fn a_later_answer_that_the_log_cannot_take_is_not_acknowledged() {
    simulate(async |world| {
        let (instance, other) = (world.instance(), world.instance());
        world.begin(&instance, fulfilment()).await;
        world.log.set_down(true);
        for at in [&instance, &other] {
            let error = at.signal(id("1"), world.answer("shipped", Some("k"))).await.unwrap_err();
            assert!(matches!(error, CommandError::Failed(_)), "{error}");
        }
        world.log.set_down(false);
        assert_eq!(world.state(&id("1")).state(), State::Waiting);
        world.send(&other, world.answer("shipped", Some("k"))).await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
    });
}

#[test]
fn a_later_answer_that_the_log_took_without_saying_so_is_recorded_once() {
    simulate(async |world| {
        let instance = world.instance();
        world.begin(&instance, fulfilment()).await;
        world.log.trouble("StepCompleted", Trouble::ReplyLost);
        let answer: Signal = world.answer("shipped", Some("k"));
        let error = instance.signal(id("1"), answer.clone()).await.unwrap_err();
        assert!(matches!(error, CommandError::Failed(_)), "{error}");
        instance.signal(id("1"), answer).await.unwrap();
        world.wake_until_done(&instance).await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
        assert_eq!(world.state(&id("1")).steps["ship"].answer_keys(), ["k"]);
    });
}

#[test]
fn an_answer_that_the_log_will_never_take_counts_as_a_failed_attempt() {
    simulate(async |world| {
        world.register_steps("steps:\n  a: { call: p.a, undo: p.un-a, retry: { attempts: 2, initial: 1s } }");
        let instance = world.instance();
        for _ in 0..2 {
            world.log.trouble("StepCompleted", Trouble::TooLarge);
        }
        world.begin(&instance, order("w")).await;
        assert_eq!(world.count(&id("1"), "StepAttemptFailed"), 1);
        world.pass(Duration::from_secs(1)).await;
        assert_eq!(world.participants.asked(), ["p.a #1", "p.a #2", "p.un-a #1"]);
        let state = world.state(&id("1"));
        assert_eq!(state.state(), State::Canceled);
        let error = state.steps["a"].last_error.clone().unwrap_or_default();
        assert!(error.contains("cannot be recorded") && error.contains("too large"), "{error}");
    });
}
