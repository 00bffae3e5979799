//! Orders whose histories an operator of the log has changed: they are refused for good, never
//! begun again, and nothing spins.

use std::time::Duration;

use bytes::Bytes;
use domain::order::{Operation, State};
use event_store::{Expected, NewEvent};
use uuid::Uuid;

use super::world::{Instance, World, charging, fulfilment, id, simulate};
use crate::orchestrator::{CommandError, PlaceError};

const STREAM: &str = "order-1";

/// What is wrong with the order, as each kind of request tells: all are refused for the same
/// reason.
async fn refused(world: &World, instance: &Instance) -> String {
    let before = world.log.length(STREAM);
    let Err(CommandError::Incomplete(signal)) = instance.signal(id("1"), world.answer("shipped", None)).await else {
        panic!("an answer is not refused");
    };
    let Err(CommandError::Incomplete(cancel)) = instance.operate(id("1"), world.operate(Operation::Cancel)).await
    else {
        panic!("a cancel is not refused");
    };
    let Err(PlaceError::Incomplete(place)) = instance.place(id("1"), fulfilment(), None).await else {
        panic!("the order is taken again");
    };
    let Err(CommandError::Incomplete(personal)) = instance.personal_data(&id("1")).await else {
        panic!("personal data are sent");
    };
    assert_eq!([&cancel, &place, &personal], [&signal; 3]);
    world.settle().await;
    assert_eq!(world.log.length(STREAM), before, "something was appended");
    signal
}

/// Begins an order and changes its history. Returns why an instance that has the order in memory
/// refuses it, and one that does not.
async fn refused_after(world: &World, change: impl FnOnce()) -> [String; 2] {
    let (instance, other) = (world.instance(), world.instance());
    world.begin(&instance, fulfilment()).await;
    assert_eq!(instance.idle(), 1);
    change();
    [refused(world, &instance).await, refused(world, &other).await]
}

#[test]
fn an_order_whose_stream_was_deleted_is_refused_until_the_stream_is_restored() {
    simulate(async |world| {
        for reason in refused_after(world, || world.log.delete(STREAM)).await {
            assert!(reason.contains("stream order-1, is incomplete: the stream was deleted"), "{reason}");
        }
        world.log.set_metadata(STREAM, "{}");
        world.send(&world.instance(), world.answer("shipped", None)).await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
    });
}

#[test]
fn an_order_whose_stream_was_tombstoned_is_refused() {
    simulate(async |world| {
        for reason in refused_after(world, || world.log.tombstone(STREAM)).await {
            assert!(reason.contains("deleted for good"), "{reason}");
        }
    });
}

#[test]
fn an_order_whose_stream_has_a_limit_is_refused_by_its_name() {
    for limit in ["$tb", "$maxCount", "$maxAge"] {
        simulate(async |world| {
            let limited = || world.log.set_metadata(STREAM, &format!(r#"{{"{limit}":2}}"#));
            for reason in refused_after(world, limited).await {
                assert!(reason.contains(&format!("{limit} 2")), "{reason}");
            }
        });
    }
}

#[test]
fn an_order_whose_first_events_are_gone_is_refused_though_no_metadata_say_so() {
    simulate(async |world| {
        world.begin(&world.instance(), fulfilment()).await;
        world.log.scavenge_before(STREAM, 2);
        let reason = refused(world, &world.instance()).await;
        assert!(reason.contains("its first event is revision 2"), "{reason}");
    });
}

#[test]
fn an_order_with_a_gap_behind_what_memory_has_is_refused() {
    simulate(async |world| {
        let (instance, other) = (world.instance(), world.instance());
        world.begin(&instance, fulfilment()).await;
        let known = world.log.length(STREAM) as u64;
        world.send(&other, world.answer("backordered", Some("k"))).await;
        world.log.scavenge_before(STREAM, known + 1);
        let reason = instance.operate(id("1"), world.operate(Operation::Cancel)).await.unwrap_err().to_string();
        assert!(reason.contains(&format!("revisions {known} to {known} are missing")), "{reason}");
    });
}

#[test]
fn a_stream_that_is_deleted_while_its_order_is_placed_begins_no_second_life() {
    simulate(async |world| {
        let (first, second) = (world.instance(), world.instance());
        let gate = world.log.hold_back("OrderPlaced");
        let placing = tokio::spawn(async move { second.place(id("1"), fulfilment(), None).await });
        world.settle().await;
        world.begin(&first, fulfilment()).await;
        let asked = world.participants.asked().len();
        world.log.delete(STREAM);
        gate.open();
        let refused = placing.await.unwrap();
        assert!(matches!(refused, Err(PlaceError::Incomplete(_))), "{refused:?}");
        world.settle().await;
        assert_eq!(world.participants.asked().len(), asked, "a participant was asked for the second life");
        // It is no order that the world at its end could read.
        world.log.remove(STREAM);
    });
}

#[test]
fn an_event_of_another_application_is_named_and_the_order_refused() {
    simulate(async |world| {
        let (instance, other) = (world.instance(), world.instance());
        world.begin(&instance, fulfilment()).await;
        let foreign = NewEvent {
            id: Uuid::now_v7(),
            event_type: "OrderShipped".to_owned(),
            data: Bytes::from_static(b"{}"),
            metadata: Bytes::from_static(b"{}"),
        };
        let revision = world.log.put(STREAM, Expected::Any, &[foreign]).unwrap().revision;
        for at in [&instance, &other] {
            let Err(CommandError::Foreign(reason)) = at.signal(id("1"), world.answer("shipped", None)).await else {
                panic!("an answer is not refused");
            };
            assert!(reason.contains(&format!("event {revision} of order-1, a \"OrderShipped\"")), "{reason}");
        }
        let placed = other.place(id("1"), fulfilment(), None).await;
        assert!(matches!(placed, Err(PlaceError::Foreign(_))), "{placed:?}");
        world.log.remove(STREAM);
    });
}

#[test]
fn what_is_due_about_an_incomplete_order_is_put_off_and_asks_nobody() {
    simulate(async |world| {
        let instance = world.instance();
        world.begin(&instance, fulfilment()).await;
        world.send(&instance, world.answer("backordered", None)).await;
        let asked = world.participants.asked().len();
        world.log.delete(STREAM);
        let length = world.log.length(STREAM);
        for at in [&instance, &world.instance()] {
            world.clock.advance(Duration::from_hours(24 * 400));
            at.wake(id("1")).unwrap();
            world.settle().await;
            assert_eq!((at.drivers(), at.take_put_off()), (0, vec![id("1")]));
        }
        assert_eq!((world.participants.asked().len(), world.log.length(STREAM)), (asked, length));
    });
}

#[test]
fn an_answer_to_an_order_whose_stream_is_gone_is_not_held_for_long() {
    simulate(async |world| {
        let (instance, asking) = charging(world).await;
        world.log.tombstone(STREAM);
        asking.open();
        world.settle().await;
        world.pass(Duration::from_mins(1)).await;
        assert_eq!(instance.drivers(), 0);
    });
}
