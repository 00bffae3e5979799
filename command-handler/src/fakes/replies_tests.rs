//! Participants that are reached by events: what they are asked, and what becomes of their replies.

use bytes::Bytes;
use domain::order::{Direction, State, request_id};
use domain::wire::participants::{
    ActionAnswered, ActionRefused, ActionRequested, PARKED_REPLIES, Reply, ReplyParked, decode_request,
};
use event_store::{Expected, NewEvent, Position, RecordedEvent};
use serde_json::{Value, json};
use uuid::Uuid;

use super::clock::SimulatedClock;
use super::log::{SimulatedLog, Trouble};
use super::participants::SimulatedParticipants;
use super::world::{Instance, World, fulfilment, id, order, simulate};
use crate::participants::{ActionRequest, EventParticipants, Participants};
use crate::replies::{ReplyTally, Taken, Taker};

type SimulatedTaker = Taker<SimulatedLog, SimulatedParticipants, SimulatedClock>;

fn taker(world: &World, instance: &Instance) -> (SimulatedTaker, ReplyTally) {
    let tally = ReplyTally::default();
    (Taker::new((**instance).clone(), world.log.clone(), tally.clone()), tally)
}

fn recorded(id: Uuid, event_type: &str, data: Vec<u8>, metadata: Vec<u8>) -> RecordedEvent {
    RecordedEvent {
        id,
        stream: "replies-shipping".to_owned(),
        revision: 0,
        position: Position { commit: 0, prepare: 0 },
        event_type: event_type.to_owned(),
        data: Bytes::from(data),
        metadata: Bytes::from(metadata),
        created: chrono::DateTime::UNIX_EPOCH,
    }
}

fn written(reply: &Reply, request: Uuid) -> RecordedEvent {
    let message = reply.message(request, None).unwrap();
    recorded(message.id, message.event_type, message.data, message.metadata)
}

/// The same reply in the stream of another participant.
fn in_stream_of(participant: &str, reply: RecordedEvent) -> RecordedEvent {
    RecordedEvent { stream: format!("replies-{participant}"), ..reply }
}

fn answer(order: &str, step: &str, outcome: Option<&str>) -> RecordedEvent {
    let answered = ActionAnswered {
        order_id: id(order),
        step: step.to_owned(),
        direction: Direction::Do,
        outcome: outcome.map(str::to_owned),
        data: json!({ "tracking": "T-1" }),
    };
    written(&Reply::Answered(answered), request_id(&id(order), step, Direction::Do, 1))
}

/// A later "no" to the request to ship.
fn refusal(error: &str) -> Reply {
    let (order_id, step, direction) = (id("1"), "ship".to_owned(), Direction::Do);
    Reply::Refused(ActionRefused { order_id, step, direction, error: error.to_owned(), misconfigured: false })
}

fn by_hand(data: &Value) -> RecordedEvent {
    recorded(Uuid::now_v7(), ActionAnswered::TYPE, data.to_string().into_bytes(), Vec::new())
}

fn parked(world: &World) -> Vec<String> {
    let read = |event: &RecordedEvent| serde_json::from_slice::<ReplyParked>(&event.data).unwrap().reason;
    world.log.stream(PARKED_REPLIES).iter().map(read).collect()
}

/// Has the reader of replies take one to the first request of a step.
pub(super) async fn take(world: &World, instance: &Instance, reply: &Reply, step: &str) {
    let request = request_id(reply.order_id(), step, Direction::Do, 1);
    taker(world, instance).0.take(&written(reply, request)).await;
    world.settle().await;
}

#[test]
fn a_reply_is_taken_once_and_one_that_contradicts_it_is_set_aside() {
    simulate(async |world| {
        let instance = world.instance();
        world.begin(&instance, fulfilment()).await;
        let (taker, tally) = taker(world, &instance);
        taker.take(&answer("1", "ship", Some("backordered"))).await;
        taker.take(&answer("1", "ship", Some("backordered"))).await;
        taker.take(&answer("1", "ship", Some("shipped"))).await;
        world.settle().await;
        assert_eq!(world.count(&id("1"), "OrderCompleted"), 1);
        assert_eq!(world.state(&id("1")).steps["ship"].answer_keys().len(), 2);
        taker.take(&answer("1", "ship", Some("out_of_stock"))).await;
        taker.take(&written(&refusal("no van"), request_id(&id("1"), "ship", Direction::Do, 1))).await;
        taker.take(&answer("1", "thank", Some("shipped"))).await;
        assert_eq!(tally.now(), Taken { recorded: 3, dropped: 0, parked: 3 });
        let reasons = parked(world);
        let recorded = "step \"ship\" of the order, which is COMPLETED, answered \"shipped\"";
        assert!(reasons[..2].iter().all(|reason| reason.contains(recorded)), "{reasons:?}");
    });
}

#[test]
fn a_reply_without_the_outcome_that_its_step_requires_has_the_order_held_as_over_http() {
    simulate(async |world| {
        world.register_steps("steps:\n  go: { request: p.go, undo: p.back, outcome: required }");
        let instance = world.instance();
        world.begin(&instance, order("w")).await;
        let (taker, tally) = taker(world, &instance);
        let unnamed = in_stream_of("p", answer("1", "go", None));
        taker.take(&unnamed).await;
        taker.take(&unnamed).await;
        world.settle().await;
        let state = world.state(&id("1"));
        assert_eq!((state.state(), world.count(&id("1"), "CompensationStarted")), (State::Stuck, 0));
        assert!(state.stuck_reason().unwrap().contains("without an outcome, which the step requires"));
        assert_eq!(tally.now(), Taken { recorded: 2, dropped: 0, parked: 0 });
        // The outcome after all settles it.
        taker.take(&in_stream_of("p", answer("1", "go", Some("gone")))).await;
        world.settle().await;
        assert_eq!(world.state(&id("1")).state(), State::Completed);
    });
}

#[test]
fn a_participant_answers_only_its_own_requests() {
    simulate(async |world| {
        let instance = world.instance();
        world.begin(&instance, fulfilment()).await;
        let (taker, tally) = taker(world, &instance);
        let shipped = || answer("1", "ship", Some("shipped"));
        let refusal = written(&refusal("no van"), request_id(&id("1"), "ship", Direction::Do, 1));
        for reply in
            [in_stream_of("payments", shipped()), in_stream_of("payments", refusal), in_stream_of("", shipped())]
        {
            taker.take(&reply).await;
        }
        world.settle().await;
        assert_eq!(tally.now(), Taken { recorded: 0, dropped: 0, parked: 3 });
        let reasons = parked(world);
        assert!(
            reasons[..2].iter().all(|reason| reason.contains("not a request to participant payments")),
            "{reasons:?}"
        );
        taker.take(&shipped()).await;
        world.settle().await;
        assert_eq!(world.count(&id("1"), "OrderCompleted"), 1);
    });
}

#[test]
fn a_participant_does_not_answer_for_a_person() {
    simulate(async |world| {
        let person = "go: { await: release, timeout: 1h, on-timeout: done, outcomes: [done] }";
        world.register_steps(&format!("steps:\n  {person}\n  on: {{ after: [go], call: p.on }}"));
        let instance = world.instance();
        world.begin(&instance, order("w")).await;
        let (taker, tally) = taker(world, &instance);
        taker.take(&in_stream_of("p", answer("1", "go", Some("done")))).await;
        assert_eq!(tally.now(), Taken { recorded: 0, dropped: 0, parked: 1 });
        world.pass(std::time::Duration::from_hours(2)).await;
    });
}

#[test]
fn a_later_no_undoes_the_order() {
    simulate(async |world| {
        let instance = world.instance();
        world.begin(&instance, fulfilment()).await;
        let (taker, tally) = taker(world, &instance);
        let refusal = refusal("no\nvan");
        // Of some other request than the one that is under way.
        taker.take(&written(&refusal, request_id(&id("1"), "ship", Direction::Do, 2))).await;
        world.settle().await;
        assert_eq!(world.count(&id("1"), "StepFailed"), 0);
        taker.take(&written(&refusal, request_id(&id("1"), "ship", Direction::Do, 1))).await;
        world.settle().await;
        assert!(world.told(&id("1")).contains(&"ship: failed for good: no van".to_owned()));
        assert_eq!(world.count(&id("1"), "OrderCanceled"), 1);
        assert_eq!(tally.now().parked, 0);
    });
}

#[test]
fn what_cannot_be_taken_is_set_aside_with_its_reason() {
    simulate(async |world| {
        let instance = world.instance();
        world.begin(&instance, fulfilment()).await;
        let (taker, tally) = taker(world, &instance);
        let large = "x".repeat(70_000);
        for wrong in [
            recorded(Uuid::now_v7(), ActionAnswered::TYPE, b"{".to_vec(), Vec::new()),
            recorded(Uuid::now_v7(), "Shipped", b"{}".to_vec(), Vec::new()),
            by_hand(&json!({ "orderId": "1", "step": "ship", "direction": "do", "outcome": "" })),
            by_hand(&json!({ "orderId": "1", "step": "ship", "direction": "do", "data": large })),
            answer("missing", "ship", Some("shipped")),
            answer("1", "fly", Some("shipped")),
            answer("1", "ship", Some("lost at sea")),
            answer("1", "ship", None),
        ] {
            taker.take(&wrong).await;
        }
        let reasons = parked(world);
        let expected = [
            "the data of ActionAnswered cannot be read",
            "unknown event type \"Shipped\"",
            "its outcome must be",
            "its data must be",
            "there is no order missing",
            "has no step \"fly\"",
            "does not know the outcome \"lost at sea\"",
            "does not know the outcome \"done\"",
        ];
        assert_eq!(reasons.len(), expected.len(), "{reasons:#?}");
        for (reason, expected) in reasons.iter().zip(expected) {
            assert!(reason.contains(expected), "{reason:?} does not say {expected:?}");
        }
        assert_eq!(tally.now(), Taken { recorded: 0, dropped: 0, parked: 8 });
        taker.take(&answer("1", "ship", Some("shipped"))).await;
        world.settle().await;
        assert_eq!(world.count(&id("1"), "OrderCompleted"), 1);
    });
}

#[test]
fn an_order_whose_history_is_broken_does_not_hold_up_its_replies_for_ever() {
    simulate(async |world| {
        let instance = world.instance();
        let nonsense = NewEvent {
            id: Uuid::now_v7(),
            event_type: "Nonsense".to_owned(),
            data: Bytes::from_static(b"{}"),
            metadata: Bytes::from_static(b"{}"),
        };
        world.log.put("order-broken", Expected::NoStream, &[nonsense]).unwrap();
        let (taker, _) = taker(world, &instance);
        taker.take(&answer("broken", "ship", Some("shipped"))).await;
        assert!(parked(world)[0].contains("was not written by Tenuto"), "{:?}", parked(world));
        // It is no order that the world at its end could read.
        world.log.remove("order-broken");
    });
}

#[test]
fn a_reply_waits_for_the_log_and_for_a_free_driver() {
    simulate(async |world| {
        let placer = world.instance();
        world.begin(&placer, fulfilment()).await;
        let busy = world.instance_for(1);
        let asking = world.participants.hangs("orders.create", domain::testing::done());
        busy.place(id("2"), fulfilment(), None).await.unwrap();
        world.settle().await;
        assert_eq!(busy.free(), 0);
        let (taker, tally) = taker(world, &busy);
        let reply = answer("1", "ship", Some("shipped"));
        let delivery = async { taker.take(&reply).await };
        let freed = async {
            world.settle().await;
            assert_eq!(tally.now(), Taken::default());
            world.log.set_down(true);
            asking.open();
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            assert_eq!(tally.now(), Taken::default());
            world.log.set_down(false);
            world.clock.advance(std::time::Duration::from_secs(1));
        };
        tokio::join!(delivery, freed);
        world.settle().await;
        assert_eq!(world.count(&id("1"), "OrderCompleted"), 1);
        assert_eq!(tally.now().recorded, 1);
    });
}

#[test]
fn attempts_that_follow_one_another_are_one_request_in_the_log() {
    simulate(async |world| {
        let instance = world.instance();
        world.begin(&instance, fulfilment()).await;
        let asked = world.participants.asks().into_iter().find(|asked| asked.action == "shipping.ship").unwrap();
        let mut ask = ActionRequest { reach: domain::workflow::Participant::Events, ..asked.ask };
        assert!(ask.cause.is_some(), "the event that started the attempt");
        ask.attempt.deadline = chrono::Utc::now() + chrono::TimeDelta::minutes(1);
        let participants = EventParticipants::new(world.log.clone(), "http://tenuto.example");
        world.log.trouble(ActionRequested::TYPE, Trouble::ReplyLost);
        let reply = participants.ask(ask.clone(), ()).await;
        assert!(matches!(reply, domain::order::Reply::Unclear { .. }), "{reply:?}");
        ask.attempt.number = 2;
        assert_eq!(participants.ask(ask.clone(), ()).await, domain::order::Reply::Accepted);
        let requests = world.log.stream("requests-shipping");
        assert_eq!(requests.len(), 1);
        let RecordedEvent { event_type, data, metadata, .. } = &requests[0];
        let (request, metadata) = decode_request(event_type, data, metadata).unwrap();
        assert_eq!(request.idempotency_key(), ask.idempotency_key());
        assert_eq!((metadata.correlation_id.as_deref(), metadata.causation_id), (Some("1"), ask.cause));
        // After the end, an operator retries it.
        ask.attempt.since = 3;
        assert_eq!(participants.ask(ask, ()).await, domain::order::Reply::Accepted);
        assert_eq!(world.log.length("requests-shipping"), 2);
    });
}
