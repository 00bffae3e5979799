//! Given open deliveries, when attempts end, then these follow.

use chrono::DateTime;
use domain::webhook::Topic;
use leader_consumer::Window;
use uuid::Uuid;

use super::*;

/// A queue with a clock that only the test moves.
struct Story {
    queue: Queue,
    now: Timestamp,
    window: Window,
    events: u64,
}

impl Story {
    fn new() -> Self {
        let now = DateTime::UNIX_EPOCH;
        Self { queue: Queue::new(Schedule::default(), now), now, window: Window::default(), events: 0 }
    }

    /// The next event of an order has to be delivered.
    fn given(&mut self, order: &str) -> &mut Self {
        self.events += 1;
        let position = event_store::Position { commit: self.events, prepare: self.events };
        let delivery = Delivery { order_id: OrderId::new(order).unwrap(), revision: self.events, topic: Topic::Ended };
        let open = OpenDelivery { delivery, attempts: 0, first_at: None, next_at: None, error: None };
        let number = Some(self.window.begin(position, Uuid::nil()));
        self.queue.push(Entry { open, body: Bytes::new(), since: self.now, number }, self.now);
        self
    }

    fn later(&mut self, seconds: i64) -> &mut Self {
        self.now += TimeDelta::seconds(seconds);
        self
    }

    /// The attempts that begin now, as `order/event`.
    fn begun(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.queue.begin(self.now))
            .map(|(delivery, _)| format!("{}/{}", delivery.order_id, delivery.revision))
            .collect()
    }

    fn ends(&mut self, order: &str, answer: Answer) -> Ended {
        self.queue.ended(&OrderId::new(order).unwrap(), answer, self.now, 0.0).unwrap()
    }

    fn delivered(&mut self, order: &str) {
        assert!(matches!(self.ends(order, Answer::Delivered).outcome, Outcome::Delivered));
    }

    fn failed(&mut self, order: &str) -> Outcome {
        self.ends(order, Answer::Failed { error: "500".to_owned(), pause: None }).outcome
    }

    /// In how many seconds the next attempt may begin.
    fn earliest(&self) -> Option<i64> {
        self.queue.earliest().map(|at| (at - self.now).num_seconds())
    }
}

#[test]
fn deliveries_of_one_order_wait_for_each_other_and_orders_do_not() {
    let mut story = Story::new();
    story.given("a").given("a").given("b");
    assert_eq!(story.begun(), ["a/1", "b/3"]);
    assert!(story.begun().is_empty());
    story.delivered("b");
    assert!(story.begun().is_empty(), "the second of a waits for the first");
    story.delivered("a");
    assert_eq!(story.begun(), ["a/2"]);
    story.delivered("a");
    assert_eq!((story.queue.len(), story.queue.oldest()), (0, None));
}

#[test]
fn only_so_many_requests_are_under_way() {
    let mut story = Story::new();
    for order in 0..20 {
        story.given(&order.to_string());
    }
    assert_eq!(story.begun().len(), MAX_IN_FLIGHT);
    story.delivered("0");
    assert_eq!(story.begun(), ["16/17"]);
}

#[test]
fn a_failed_delivery_is_tried_again_by_the_schedule_and_holds_back_its_order_only() {
    let mut story = Story::new();
    story.given("a").given("a").given("b");
    story.begun();
    let Outcome::Retried(open) = story.failed("a") else { panic!("it is retried") };
    assert_eq!((open.attempts, open.error.as_deref()), (1, Some("500")));
    assert_eq!(story.earliest(), Some(5));
    story.delivered("b");
    assert!(story.later(4).begun().is_empty());
    assert_eq!(story.later(1).begun(), ["a/1"]);
    story.failed("a");
    assert_eq!(story.earliest(), Some(300));
    assert_eq!(story.later(300).begun(), ["a/1"]);
    story.delivered("a");
    assert_eq!(story.begun(), ["a/2"]);
}

#[test]
fn one_order_that_always_fails_is_given_up_and_the_next_of_it_follows() {
    let mut story = Story::new();
    story.given("a").given("a");
    let mut attempts = 0;
    let given_up = loop {
        assert_eq!(story.begun(), ["a/1"]);
        attempts += 1;
        // Meanwhile, other orders are taken.
        story.given("b");
        assert_eq!(story.begun().len(), 1);
        story.delivered("b");
        match story.failed("a") {
            Outcome::Retried(_) => {
                let seconds = story.earliest().unwrap();
                story.later(seconds + 1);
            }
            outcome => break outcome,
        }
    };
    let Outcome::GivenUp { attempts: told, disable, .. } = given_up else { panic!("{given_up:?}") };
    assert_eq!((attempts, told, disable), (10, 10, false));
    assert_eq!(story.begun(), ["a/2"]);
}

#[test]
fn an_endpoint_that_takes_nothing_from_the_first_attempt_to_the_last_is_disabled() {
    let mut story = Story::new();
    story.given("a");
    let given_up = loop {
        story.begun();
        match story.failed("a") {
            Outcome::Retried(_) => {
                let seconds = story.earliest().unwrap();
                story.later(seconds + 1);
            }
            outcome => break outcome,
        }
    };
    assert!(matches!(given_up, Outcome::GivenUp { disable: true, .. }), "{given_up:?}");
}

#[test]
fn a_failing_endpoint_gets_one_request_at_a_time_after_growing_pauses() {
    let mut story = Story::new();
    for order in ["a", "b", "c", "d", "e", "f"] {
        story.given(order);
    }
    assert_eq!(story.begun().len(), 6);
    for order in ["a", "b", "c", "d", "e", "f"] {
        story.failed(order);
    }
    assert!(story.queue.is_failing());
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let pause = story.earliest().unwrap();
        pauses.push(pause);
        story.later(pause + 1);
        let begun = story.begun();
        assert_eq!(begun.len(), 1, "{begun:?}");
        assert_eq!(story.earliest(), None, "one at a time");
        story.failed(&begun[0][..1]);
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
    // One success, and all are due.
    story.later(61);
    let begun = story.begun();
    story.delivered(&begun[0][..1]);
    assert!(!story.queue.is_failing());
    assert_eq!(story.begun().len(), 5);
}

#[test]
fn an_endpoint_that_asks_for_a_pause_is_left_alone() {
    let mut story = Story::new();
    story.given("a").given("b");
    story.begun();
    story.ends("a", Answer::Failed { error: "429".to_owned(), pause: Some(Duration::from_secs(90)) });
    story.given("c");
    assert!(story.later(89).begun().is_empty());
    assert_eq!(story.later(1).begun(), ["c/3", "a/1"]);
    story.delivered("b");
}

#[test]
fn an_endpoint_that_is_gone_keeps_its_deliveries_open() {
    let mut story = Story::new();
    story.given("a");
    story.begun();
    let ended = story.ends("a", Answer::Gone);
    assert!(matches!(ended.outcome, Outcome::Gone(_)) && ended.number.is_some());
    assert_eq!(story.queue.len(), 1);
}

#[test]
fn another_endpoint_is_tried_at_once() {
    let mut story = Story::new();
    for order in ["a", "b", "c", "d", "e"] {
        story.given(order);
    }
    story.begun();
    for order in ["a", "b", "c", "d", "e"] {
        story.failed(order);
    }
    assert!(story.begun().is_empty());
    story.queue.redirected(story.now);
    assert_eq!(story.begun().len(), 5);
}

#[test]
fn what_is_not_under_way_can_be_put_on_record_so_that_the_checkpoint_passes_it() {
    let mut story = Story::new();
    story.given("a").given("a").given("b");
    let begun = story.queue.begin(story.now).unwrap();
    assert_eq!(begun.0.order_id.as_str(), "a");
    let (open, numbers) = story.queue.unrecorded();
    assert_eq!((open.len(), numbers.len()), (2, 2));
    assert!(story.queue.unrecorded().0.is_empty());
    // The one in flight still has its number.
    assert!(story.ends("a", Answer::Delivered).number.is_some());
    assert_eq!(story.begun(), ["b/3", "a/2"]);
    assert!(story.ends("a", Answer::Delivered).number.is_none());
}

#[test]
fn there_is_room_for_a_bounded_number() {
    let mut story = Story::new();
    for order in 0..MAX_OPEN {
        story.given(&order.to_string());
    }
    assert_eq!(story.queue.room(), 0);
    story.begun();
    story.delivered("0");
    assert_eq!(story.queue.room(), 1);
}
