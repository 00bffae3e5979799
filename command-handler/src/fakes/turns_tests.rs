//! Attempts wait for their turns at a participant. Waiting is not working: it uses up no time-out,
//! no attempt and no driver that others need.

use std::time::Duration;

use domain::order::{Operation, State};
use domain::testing::{done, refused};

use super::gate::Gate;
use super::world::{Instance, World, id, order, simulate};
use crate::orchestrator::{CommandError, NoDriver, Orchestrator, OrchestratorOptions};
use crate::participants::{HttpParticipants, Settings};

const STEPS: &str = "steps:\n  go: { call: p.go, undo: p.back, timeout: 5s, retry: { attempts: 1 } }";
/// The same, with an exchange that may take an hour.
const PATIENT: &str = "steps:\n  go: { call: p.go, undo: p.back, timeout: 1h, retry: { attempts: 1 } }";

/// An order whose first request found no turn, at an instance that is short of drivers and a
/// participant without room.
async fn without_room(world: &World) -> (Instance, Vec<Gate>) {
    world.register_steps(STEPS);
    let instance = world.instance_for(3);
    world.participants.no_turn("go");
    world.begin(&instance, order("w")).await;
    let gates = (0..2).map(|_| world.participants.hangs("p.go", done())).collect();
    for other in ["2", "3"] {
        instance.place(id(other), order("w"), None).await.unwrap();
    }
    world.settle().await;
    world.participants.full(true);
    (instance, gates)
}

#[test]
fn a_turn_that_comes_late_leaves_the_participant_all_of_its_time() {
    simulate(async |world| {
        world.register_steps(STEPS);
        let instance = world.instance();
        let turn = world.participants.turn_comes("go");
        world.begin(&instance, order("w")).await;
        world.pass(Duration::from_secs(4)).await;
        turn.open();
        world.settle().await;
        let ask = &world.participants.asks()[0].ask;
        assert_eq!(ask.attempt.number, 1);
        assert_eq!(ask.attempt.deadline - ask.attempt.recorded_at, chrono::TimeDelta::seconds(5));
        assert_eq!(ask.attempt.recorded_at, world.clock.time(), "the exchange begins when the request is sent");
        let told = world.told(&id("1"));
        assert_eq!(
            told[2..4],
            [
                "go: attempt 1 was not sent: its turn came late, and its exchange begins now; the next try is now",
                "go: p is asked to go"
            ]
        );
        assert_eq!(world.state(&id("1")).state(), State::Completed);
    });
}

#[test]
fn a_turn_that_comes_soon_costs_no_record() {
    simulate(async |world| {
        world.register_steps(STEPS);
        let instance = world.instance();
        let turn = world.participants.turn_comes("go");
        world.begin(&instance, order("w")).await;
        world.pass(Duration::from_millis(900)).await;
        turn.open();
        world.settle().await;
        assert_eq!(world.count(&id("1"), "StepStarted"), 1);
        assert_eq!(world.state(&id("1")).state(), State::Completed);
    });
}

#[test]
fn an_attempt_without_a_turn_is_tried_again_and_a_no_to_the_next_undoes_nothing() {
    simulate(async |world| {
        world.register_steps(STEPS);
        let instance = world.instance();
        world.participants.no_turn("go");
        world.participants.no_turn("go");
        world.participants.says("p.go", refused("no"));
        world.begin(&instance, order("w")).await;
        assert_eq!(instance.drivers(), 0, "an order that waits for a turn needs no driver");
        world.wake_until_done(&instance).await;
        assert_eq!(world.participants.asked(), ["p.go #1"], "and nothing is undone");
        assert_eq!(world.state(&id("1")).state(), State::Canceled);
    });
}

#[test]
fn a_silent_participant_fills_the_history_ever_more_slowly() {
    simulate(async |world| {
        world.register_steps(STEPS);
        let instance = world.instance();
        for _ in 0..1_000 {
            world.participants.no_turn("go");
        }
        world.begin(&instance, order("w")).await;
        let end = world.clock.time() + chrono::TimeDelta::hours(1);
        while world.clock.time() < end {
            if let Some(next) = world.wake_due(&instance).await {
                world.clock.advance_to(next);
            }
        }
        let count = world.count(&id("1"), "StepStarted");
        assert!(count < 60, "{count} tries within an hour");
        world.wake_due(&instance).await;
        instance.operate(id("1"), world.operate(Operation::Cancel)).await.unwrap();
        assert_eq!(world.state(&id("1")).state(), State::Canceled);
    });
}

#[test]
fn a_participant_that_is_away_for_days_has_the_order_held_and_a_retry_carries_it_to_its_end() {
    simulate(async |world| {
        world.register_steps(STEPS);
        let instance = world.instance();
        for _ in 0..2_000 {
            world.participants.no_turn("go");
        }
        world.begin(&instance, order("w")).await;
        while world.state(&id("1")).due_at().is_some() {
            if let Some(next) = world.wake_due(&instance).await {
                world.clock.advance_to(next);
            }
        }
        let state = world.state(&id("1"));
        assert_eq!(state.state(), State::Stuck);
        assert!(state.stuck_reason().unwrap().contains("never sent since"), "{:?}", state.stuck_reason());
        let events = world.history(&id("1")).len();
        assert!((100..1_500).contains(&events), "{events}");
        world.pass(Duration::from_hours(72)).await;
        assert_eq!(world.history(&id("1")).len(), events, "nothing more is recorded until a person acts");
        world.participants.turns_come_again("go");
        instance.operate(id("1"), world.operate(Operation::Retry { step: None })).await.unwrap();
        world.settle().await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
        assert_eq!(world.participants.asked(), ["p.go #1"]);
    });
}

#[test]
fn an_order_that_finds_no_place_to_wait_in_for_days_is_held_too_and_its_history_stays_short() {
    simulate(async |world| {
        let (instance, gates) = without_room(world).await;
        for _ in 0..10 {
            world.participants.no_turn("go");
        }
        for _ in 0..25 {
            instance.wake(id("1")).unwrap();
            world.pass(Duration::from_hours(1)).await;
        }
        assert_eq!(world.state(&id("1")).state(), State::Stuck, "{:?}", world.told(&id("1")));
        assert!(world.history(&id("1")).len() < 10, "{:?}", world.told(&id("1")));
        world.participants.full(false);
        world.participants.turns_come_again("go");
        gates.iter().for_each(Gate::open);
        instance.operate(id("1"), world.operate(Operation::Retry { step: None })).await.unwrap();
        world.settle().await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
    });
}

#[test]
fn an_operator_gets_through_when_every_driver_is_taken() {
    simulate(async |world| {
        world.register_steps(STEPS);
        let instance = world.instance_for(2);
        let gates = [world.participants.hangs("p.go", done()), world.participants.hangs("p.go", done())];
        // One that rests: it waits for its next try.
        world.participants.no_turn("go");
        world.begin(&instance, order("w")).await;
        for other in ["2", "3"] {
            instance.place(id(other), order("w"), None).await.unwrap();
        }
        world.settle().await;
        assert_eq!(instance.free(), 0);
        assert!(instance.place(id("4"), order("w"), None).await.is_err(), "new orders come later");
        let signal = world.answer("shipped", None);
        let refused = instance.signal(id("1"), signal).await.unwrap_err();
        assert!(matches!(refused, CommandError::NoDriver(NoDriver::Full)), "{refused}");
        instance.operate(id("1"), world.operate(Operation::Cancel)).await.unwrap();
        assert_eq!(world.state(&id("1")).state(), State::Canceled);
        gates.iter().for_each(Gate::open);
        world.settle().await;
    });
}

#[test]
fn a_cancel_does_not_wait_for_the_turn_of_its_order_and_nothing_is_sent() {
    simulate(async |world| {
        world.register_steps(PATIENT);
        let instance = world.instance();
        let turn = world.participants.turn_comes("go");
        world.begin(&instance, order("w")).await;
        instance.operate(id("1"), world.operate(Operation::Cancel)).await.unwrap();
        world.settle().await;
        assert_eq!(world.state(&id("1")).state(), State::Canceled, "{:?}", world.told(&id("1")));
        turn.open();
        world.settle().await;
        assert_eq!(world.participants.asked(), [""; 0]);
        assert_eq!(instance.drivers(), 0);
    });
}

#[test]
fn a_cancel_is_on_record_while_a_participant_is_silent_and_undoes_once_its_exchange_has_ended() {
    simulate(async |world| {
        world.register_steps(PATIENT);
        let instance = world.instance();
        let gate = world.participants.hangs("p.go", done());
        world.begin(&instance, order("w")).await;
        instance.operate(id("1"), world.operate(Operation::Cancel)).await.unwrap();
        assert_eq!(world.state(&id("1")).state(), State::Compensating);
        gate.open();
        world.settle().await;
        assert_eq!(world.participants.asked(), ["p.go #1", "p.back #1"]);
        assert_eq!(world.state(&id("1")).state(), State::Canceled);
    });
}

#[test]
fn an_order_that_is_paused_while_it_waits_for_a_turn_sends_nothing_until_it_is_resumed() {
    simulate(async |world| {
        world.register_steps(STEPS);
        let instance = world.instance();
        let turn = world.participants.turn_comes("go");
        world.begin(&instance, order("w")).await;
        instance.operate(id("1"), world.operate(Operation::Pause)).await.unwrap();
        turn.open();
        world.pass(Duration::from_mins(1)).await;
        assert_eq!(world.participants.asked(), [""; 0]);
        instance.operate(id("1"), world.operate(Operation::Resume)).await.unwrap();
        world.wake_until_done(&instance).await;
        assert_eq!(world.participants.asked(), ["p.go #1"]);
        assert_eq!(world.state(&id("1")).state(), State::Completed);
    });
}

#[test]
fn a_step_that_an_operator_skips_while_it_waits_for_a_turn_is_never_asked_for() {
    simulate(async |world| {
        world.register_steps(PATIENT);
        let instance = world.instance();
        let turn = world.participants.turn_comes("go");
        world.begin(&instance, order("w")).await;
        let skip = Operation::Skip { step: "go".to_owned(), outcome: None, data: serde_json::Value::Null };
        instance.operate(id("1"), world.operate(skip)).await.unwrap();
        turn.open();
        world.settle().await;
        assert_eq!(world.participants.asked(), [""; 0]);
        assert_eq!(world.state(&id("1")).state(), State::Completed, "{:?}", world.told(&id("1")));
        assert_eq!(instance.drivers(), 0);
    });
}

#[test]
fn an_instance_short_of_drivers_bounds_what_a_participant_holds() {
    simulate(async |world| {
        world.register_steps(STEPS);
        let instance = world.instance_for(4);
        let gates: Vec<_> = (0..3).map(|_| world.participants.hangs("p.go", done())).collect();
        for number in 1..=3 {
            instance.place(id(&number.to_string()), order("w"), None).await.unwrap();
            world.settle().await;
        }
        assert_eq!(world.participants.shares(), [0], "the third finds fewer than half of them free");
        gates.iter().for_each(Gate::open);
        world.settle().await;
    });
}

#[test]
fn an_order_whose_participant_has_no_room_is_left_alone_and_nothing_is_recorded() {
    simulate(async |world| {
        let (instance, gates) = without_room(world).await;
        world.clock.advance(Duration::from_secs(4));
        let before = world.history(&id("1")).len();
        instance.wake(id("1")).unwrap();
        world.pass(Duration::from_secs(20)).await;
        instance.wake(id("1")).unwrap();
        world.settle().await;
        assert_eq!(world.history(&id("1")).len(), before);
        world.participants.full(false);
        gates.iter().for_each(Gate::open);
        world.wake_until_done(&instance).await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
    });
}

#[test]
fn an_order_whose_participant_has_no_address_here_is_put_off_and_nothing_is_recorded() {
    simulate(async |world| {
        world.register(
            "workflow: w\nversion: 1\nparticipants: { p: { url: '${TAX_URL}' } }\nsteps:\n  go: { call: p.go, retry: { attempts: 1 } }",
        );
        let placing = world.instance();
        world.participants.no_turn("go");
        world.begin(&placing, order("w")).await;
        let before = world.history(&id("1")).len();
        let http = HttpParticipants::new(Settings::default(), "http://127.0.0.1:1", 4).unwrap();
        let (log, clock) = (world.log.clone(), world.clock.clone());
        let without_setting = Orchestrator::new(log, http, world.keys.clone(), clock, OrchestratorOptions::default());
        for _ in 0..10 {
            world.clock.advance(Duration::from_mins(2));
            without_setting.wake(id("1")).unwrap();
            world.settle().await;
            assert_eq!(without_setting.take_without_address(), [id("1")]);
        }
        assert_eq!(world.history(&id("1")).len(), before);
        // After a day it is held for an operator, and its history is still short.
        world.clock.advance(Duration::from_hours(24));
        without_setting.wake(id("1")).unwrap();
        world.settle().await;
        let held = world.state(&id("1"));
        assert_eq!(held.state(), State::Stuck, "{:?}", world.told(&id("1")));
        assert!(held.stuck_reason().unwrap().contains("TAX_URL"), "{:?}", held.stuck_reason());
        assert_eq!(world.history(&id("1")).len(), before + 3);
        let instance = world.instance();
        instance.operate(id("1"), world.operate(Operation::Retry { step: None })).await.unwrap();
        world.settle().await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
    });
}

#[test]
fn an_instance_that_leaves_waits_for_no_turn() {
    simulate(async |world| {
        world.register_steps(STEPS);
        let instance = world.instance();
        let _turn = world.participants.turn_comes("go");
        world.begin(&instance, order("w")).await;
        instance.shutdown(Duration::from_secs(15)).await;
        assert!(world.told(&id("1"))[2].contains("was not sent"), "{:?}", world.told(&id("1")));
        let other = world.instance();
        world.clock.advance(Duration::from_secs(1));
        world.wake_due(&other).await;
        world.wake_until_done(&other).await;
        assert_eq!(world.participants.asked(), ["p.go #1"]);
    });
}
