//! An instance leaves: what is under way is recorded, nothing new is begun, and others finish.

use std::time::Duration;

use domain::order::{Reply, State};
use domain::testing::unclear;
use tokio::task::JoinHandle;

use super::world::{Instance, World, charging, fulfilment, id, simulate};
use crate::orchestrator::{CommandError, NoDriver, PlaceError};

const PATIENCE: Duration = Duration::from_secs(10);

async fn leave(world: &World, instance: &Instance) -> JoinHandle<()> {
    let instance = instance.clone();
    let leaving = tokio::spawn(async move { instance.shutdown(PATIENCE).await });
    world.settle().await;
    leaving
}

#[test]
fn what_is_under_way_is_recorded_and_nothing_new_is_begun() {
    simulate(async |world| {
        let (instance, asking) = charging(world).await;
        let leaving = leave(world, &instance).await;
        assert!(!leaving.is_finished());
        asking.open();
        leaving.await.unwrap();
        let told = world.told(&id("1"));
        assert_eq!(told[4..6], ["charge: done", "ship: shipping is asked to ship"]);
        assert!(told[6].starts_with("ship: attempt 1 failed: handed over"), "{told:?}");
        assert_eq!((told.len(), world.participants.count("shipping.ship")), (7, 0));

        assert!(matches!(
            instance.place(id("2"), fulfilment(), None).await,
            Err(PlaceError::NoDriver(NoDriver::Leaving))
        ));
        let answer = world.answer("shipped", None);
        assert!(matches!(
            instance.signal(id("1"), answer.clone()).await,
            Err(CommandError::NoDriver(NoDriver::Leaving))
        ));
        assert_eq!(instance.wake(id("1")), Err(NoDriver::Leaving));

        // No instance has to wait for the deadline.
        let later = world.instance();
        world.wake_due(&later).await;
        assert_eq!(world.participants.asks().last().unwrap().ask.attempt.number, 2);
        later.signal(id("1"), answer).await.unwrap();
        world.settle().await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
    });
}

#[test]
fn a_driver_that_waits_for_a_retry_leaves_at_once() {
    simulate(async |world| {
        let instance = world.instance();
        world.participants.says("payments.charge", unclear("503"));
        world.begin(&instance, fulfilment()).await;
        assert_eq!(instance.drivers(), 1);
        let before = tokio::time::Instant::now();
        instance.shutdown(PATIENCE).await;
        assert_eq!((instance.drivers(), before.elapsed()), (0, Duration::ZERO));

        let later = world.instance();
        world.pass(Duration::from_secs(1)).await;
        assert_eq!(world.participants.count("payments.charge"), 1);
        world.wake_due(&later).await;
        assert_eq!(world.state(&id("1")).state(), State::Waiting);
    });
}

#[test]
fn an_answer_that_does_not_come_in_time_is_left_to_others() {
    simulate(async |world| {
        let instance = world.instance();
        let asking = world.participants.hangs("shipping.ship", Reply::Accepted);
        world.begin(&instance, fulfilment()).await;
        let before = tokio::time::Instant::now();
        instance.shutdown(PATIENCE).await;
        assert_eq!((before.elapsed(), instance.drivers()), (PATIENCE, 0));
        asking.open();
        world.settle().await;
        assert!(world.told(&id("1")).pop().unwrap().starts_with("ship: attempt 1 failed: handed over"));

        let later = world.instance();
        world.wake_due(&later).await;
        assert_eq!(world.participants.asks().last().unwrap().ask.attempt.number, 2);
    });
}

#[test]
fn what_cannot_be_recorded_does_not_hold_up_the_end() {
    simulate(async |world| {
        let (instance, asking) = charging(world).await;
        world.log.set_down(true);
        let leaving = leave(world, &instance).await;
        asking.open();
        world.settle().await;
        assert_eq!((leaving.is_finished(), instance.drivers()), (true, 0));

        world.log.set_down(false);
        let later = world.instance();
        world.pass(Duration::from_secs(7)).await;
        world.wake_due(&later).await;
        assert_eq!(world.state(&id("1")).state(), State::Waiting);
        assert_eq!(world.participants.count("payments.charge"), 2);
    });
}
