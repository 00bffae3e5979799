//! Personal data are sealed in the log. Participants receive them in plain text, until the key is
//! destroyed.

use domain::order::Reply;
use domain::workflow::Participant;
use serde_json::json;

use super::world::{fulfilment, id, simulate};
use crate::keys::CustomerKeys;
use crate::orchestrator::{Claim, PlaceError};
use crate::participants::{EventParticipants, Participants};

/// What is personal in the order that these tests place.
fn personal() -> [String; 2] {
    let order = fulfilment();
    [order.customer.name.unwrap(), order.customer.email.unwrap()]
}

#[test]
fn participants_are_told_what_the_log_does_not_have() {
    simulate(async |world| {
        let instance = world.instance();
        world.begin(&instance, fulfilment()).await;
        // Another instance has only the log to tell the rest from.
        world.send(&world.instance(), world.answer("shipped", None)).await;
        let asks = world.participants.asks();
        let told = asks.iter().find(|asked| asked.action == "notifications.send").unwrap();
        let [name, email] = personal();
        let input = told.ask.input();
        assert_eq!((&input["name"], &input["to"]), (&json!(name), &json!(email)));
        for event in world.log.stream("order-1") {
            let text = String::from_utf8_lossy(&event.data).into_owned();
            assert!(!text.contains(&name) && !text.contains(&email), "{text}");
        }
    });
}

#[test]
fn a_request_by_events_says_where_to_ask_for_personal_data() {
    simulate(async |world| {
        let instance = world.instance();
        world.begin(&instance, fulfilment()).await;
        world.send(&instance, world.answer("shipped", None)).await;
        let told = world.participants.asks().into_iter().find(|asked| asked.action == "notifications.send").unwrap();
        let mut ask = told.ask;
        ask.reach = Participant::Events;
        ask.attempt.deadline = chrono::Utc::now() + chrono::TimeDelta::minutes(1);
        let participants = EventParticipants::new(world.log.clone(), "http://tenuto.example/");
        assert_eq!(participants.ask(ask, ()).await, Reply::Accepted);
        let request: serde_json::Value =
            serde_json::from_slice(&world.log.stream("requests-notifications")[0].data).unwrap();
        assert_eq!(request["input"]["to"], "⟦customer.email⟧");
        assert_eq!(request["personalData"], "http://tenuto.example/orders/1/personal-data");
        let Claim::Readable(personal) = instance.personal_data(&id("1")).await.unwrap() else {
            panic!("a key is there")
        };
        assert_eq!(personal.fill_in(&request["input"], None)["to"], personal.email.unwrap());
    });
}

#[test]
fn once_the_key_is_destroyed_nobody_reads_them_and_nothing_is_told_from_anything_else() {
    simulate(async |world| {
        let instance = world.instance();
        world.begin(&instance, fulfilment()).await;
        world.send(&instance, world.answer("shipped", None)).await;
        let order = fulfilment();
        assert!(instance.place(id("1"), order.clone(), None).await.is_ok());
        assert_eq!(world.keys.destroy(&order.customer.id).await.unwrap(), 1);
        let other = world.instance();
        assert_eq!(other.personal_data(&id("1")).await.unwrap(), Claim::Erased);
        assert!(matches!(other.place(id("1"), order, None).await, Err(PlaceError::OtherContent(_))));
    });
}
