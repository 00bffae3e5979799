//! Later answers: the sender receives the result.

use domain::order::{Refusal, State};
use futures::future::join_all;

use super::world::{charging, fulfilment, id, simulate};
use crate::orchestrator::{CommandError, NoDriver};

#[test]
fn an_answer_about_an_order_that_was_never_placed_is_refused() {
    simulate(async |world| {
        let instance = world.instance();
        let error = instance.signal(id("1"), world.answer("shipped", None)).await.unwrap_err();
        assert!(matches!(error, CommandError::UnknownOrder(unknown) if unknown == id("1")));
        instance.wake(id("1")).unwrap();
        world.settle().await;
        assert_eq!(world.orders(), []);
    });
}

#[test]
fn an_answer_is_not_refused_because_somebody_asked_before_the_order_was_placed() {
    simulate(async |world| {
        let (asked_too_early, placing) = (world.instance(), world.instance());
        let read = world.log.hold_back_read();
        let signal = |key: &str| {
            let (instance, answer) = (asked_too_early.clone(), world.answer("shipped", Some(key)));
            tokio::spawn(async move { instance.signal(id("1"), answer).await })
        };
        let early = signal("k");
        world.settle().await;
        assert!(read.is_reached());
        world.begin(&placing, fulfilment()).await;
        let in_time = signal("k");
        world.settle().await;
        read.open();
        in_time.await.unwrap().unwrap();
        early.await.unwrap().unwrap();
        world.settle().await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
    });
}

#[test]
fn an_answer_is_taken_once_under_its_key_for_good() {
    simulate(async |world| {
        let instance = world.instance();
        world.begin(&instance, fulfilment()).await;
        let first = instance.signal(id("1"), world.answer("shipped", Some("k"))).await.unwrap();
        let again = instance.signal(id("1"), world.answer("shipped", Some("k"))).await.unwrap();
        assert!(again.position >= first.position);
        world.settle().await;
        instance.signal(id("1"), world.answer("shipped", Some("k"))).await.unwrap();

        let error = instance.signal(id("1"), world.answer("out_of_stock", Some("k"))).await.unwrap_err();
        assert!(
            matches!(&error, CommandError::Refused(Refusal::OtherAnswer { recorded, .. }) if recorded == "\"shipped\"")
        );
        let error = instance.signal(id("1"), world.answer("out_of_stock", Some("other"))).await.unwrap_err();
        let state = State::Completed;
        let recorded = "answered \"shipped\"".to_owned();
        let expected = Refusal::Contradicts { step: "ship".to_owned(), state, recorded };
        assert!(matches!(error, CommandError::Refused(refusal) if refusal == expected));
        assert_eq!(world.state(&id("1")).steps["ship"].answer_keys(), ["k"]);
        assert_eq!(world.participants.asked().len(), 5);
    });
}

#[test]
fn of_many_different_answers_at_once_one_is_taken() {
    simulate(async |world| {
        let instances = [world.instance(), world.instance()];
        instances[0].place(id("1"), fulfilment(), None).await.unwrap();
        world.settle().await;
        let keys: Vec<String> = (0..20).map(|number| format!("key-{number}")).collect();
        world.log.dawdle_from_now_on(7);
        let signals = keys
            .iter()
            .enumerate()
            .map(|(number, key)| instances[number % 2].signal(id("1"), world.answer("shipped", Some(key))));
        let results = join_all(signals).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        let refused = |result: &&Result<_, _>| matches!(result, Err(CommandError::Refused(Refusal::TooLate { .. })));
        assert_eq!(results.iter().filter(refused).count(), 19);
        world.settle().await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
        assert_eq!(world.participants.asked().len(), 5);
    });
}

#[test]
fn more_answers_than_fit_into_an_orders_inbox_are_sent_away() {
    simulate(async |world| {
        let (instance, asking) = charging(world).await;
        let recording = world.log.hold_back("StepCompleted");
        asking.open();
        world.settle().await;
        assert!(recording.is_reached());
        // While the driver is busy with the log, mail collects.
        let signals = join_all((0..40).map(|_| instance.signal(id("1"), world.answer("shipped", Some("k")))));
        let (results, ()) = tokio::join!(signals, async {
            world.settle().await;
            recording.open();
        });
        let taken = results.iter().filter(|result| result.is_ok()).count();
        let sent_away =
            results.iter().filter(|result| matches!(result, Err(CommandError::NoDriver(NoDriver::Full)))).count();
        assert!(taken >= 1 && sent_away >= 1 && taken + sent_away == 40, "{taken} taken, {sent_away} sent away");
        world.settle().await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
    });
}
