//! How often the log is called on an order's way from its placing to its end.

use std::time::Duration;

use domain::order::{Operation, State};

use super::log::Calls;
use super::world::{fulfilment, id, order, simulate};
use crate::orchestrator::{By, IdOrigin};

#[test]
fn an_order_under_a_generated_id_is_placed_and_ended_without_a_read() {
    simulate(async |world| {
        world.register_steps(
            "steps:\n  a: { call: p.a }\n  b: { after: [a], wait: 1s }\n  c: { after: [b], call: p.c }",
        );
        let instance = world.instance();
        // The workflow is read once.
        instance.workflows().latest("w").await.unwrap();
        world.log.take_calls();
        let workflow = instance.workflow_for(&order("w")).await.unwrap();
        instance.place_on(workflow, id("1"), IdOrigin::Generated, order("w"), By::default()).await.unwrap();
        world.pass(Duration::from_secs(1)).await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
        assert_eq!(world.log.take_calls(), Calls { reads: 0, limits: 0, appends: 4 });
        instance.place(id("2"), order("w"), None).await.unwrap();
        world.pass(Duration::from_secs(1)).await;
        assert_eq!(world.log.take_calls(), Calls { reads: 0, limits: 1, appends: 4 }, "a given id is looked up once");
    });
}

#[test]
fn an_answer_from_outside_costs_one_look_at_the_order_s_stream() {
    simulate(async |world| {
        let instance = world.instance();
        instance.workflows().latest("order-fulfilment").await.unwrap();
        world.log.take_calls();
        let workflow = instance.workflow_for(&fulfilment()).await.unwrap();
        instance.place_on(workflow, id("1"), IdOrigin::Generated, fulfilment(), By::default()).await.unwrap();
        world.settle().await;
        let placed = world.log.take_calls();
        assert_eq!((placed.reads, placed.limits), (0, 0), "{placed:?}");
        world.send(&instance, world.answer("shipped", None)).await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
        let answered = world.log.take_calls();
        assert_eq!((answered.reads, answered.limits), (0, 1), "{answered:?}");
    });
}

#[test]
fn an_operator_s_command_looks_whether_the_stream_is_still_there_however_recent_the_last_append() {
    simulate(async |world| {
        let instance = world.instance();
        world.begin(&instance, fulfilment()).await;
        world.log.take_calls();
        instance.operate(id("1"), world.operate(Operation::Pause)).await.unwrap();
        assert_eq!(world.log.take_calls().limits, 1);
        instance.operate(id("1"), world.operate(Operation::Resume)).await.unwrap();
        assert_eq!(world.log.take_calls().limits, 1);
        world.send(&instance, world.answer("shipped", None)).await;
    });
}

#[test]
fn an_order_that_is_woken_is_read_once() {
    simulate(async |world| {
        world.begin(&world.instance(), fulfilment()).await;
        world.pass(Duration::from_hours(24 * 40)).await;
        let instance = world.instance();
        instance.workflows().latest("order-fulfilment").await.unwrap();
        // Loaded the first time, and then kept in memory.
        for _ in 0..3 {
            world.log.take_calls();
            instance.wake(id("1")).unwrap();
            world.settle().await;
            assert_eq!(world.log.take_calls().reads, 1, "{}", world.state(&id("1")).state());
        }
    });
}
