//! An instance is killed at each moment of an order's life: the order ends all the same.

use std::time::Duration;

use domain::order::State;
use tokio::time::timeout;

use super::life::Life;
use super::world::{World, fulfilment, id, simulate};

/// How long a client waits for an instance that does not answer any more.
const WAIT: Duration = Duration::from_millis(500);

/// Places an order and sends it its later answer, at an instance that ends at an unknown time, and
/// where that came to nothing, at its successor. Gives the moments that the first one had.
async fn live_through(world: &World, life: Life) -> usize {
    let instance = world.instance_of(life);
    let mut current = instance.clone();
    let successor = world.instance();
    let placed = timeout(WAIT, instance.place(id("1"), fulfilment(), None)).await;
    if !matches!(placed, Ok(Ok(_))) {
        successor.place(id("1"), fulfilment(), None).await.unwrap();
    }
    for _ in 0..20 {
        world.settle().await;
        if current.life.is_over() {
            current = successor.clone();
            world.wake_due(&current).await;
        }
        let sent = timeout(WAIT, current.signal(id("1"), world.answer("shipped", Some("k")))).await;
        if matches!(sent, Ok(Ok(_))) {
            break;
        }
        world.pass(Duration::from_secs(12)).await;
    }
    world.wake_until_done(&successor).await;
    instance.life.moments()
}

#[test]
fn killed_at_any_moment_of_an_orders_life_an_instance_loses_nothing() {
    let mut moments = 0;
    simulate(async |world| moments = live_through(world, Life::long()).await);
    assert!(moments > 20, "{moments}");
    for last in 1..=moments {
        simulate(async |world| {
            live_through(world, Life::of(last)).await;
            let state = world.state(&id("1"));
            assert_eq!((last, state.state()), (last, State::Completed));
            assert_eq!(state.steps["ship"].answer_keys(), ["k"]);
            for (step, known) in &state.steps {
                assert!(known.attempts <= 2, "{step} was tried {} times, killed at {last}", known.attempts);
            }
        });
    }
}
