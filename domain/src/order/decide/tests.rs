//! Decisions, as given / when / then.

use std::time::Duration;

use serde_json::json;

use super::place_again;
use crate::backtest::{Options, Past, Verdict, backtest};
use crate::order::{Effect, Event, Limits, OrderPlaced, Refusal, State, StepStatus};
use crate::testing::{Story, answered, done, order, refused, unclear};
use crate::workflow::Workflow;

const PLACED: &str = "Placed by customer VINET: 1 line, 14.00 EUR";

fn shipped(file: &str) -> Workflow {
    let text = match file {
        "order-fulfilment" => include_str!("../../../../workflows/order-fulfilment.yaml"),
        _ => include_str!("../../../../workflows/order-fulfilment-without-backorder.yaml"),
    };
    Workflow::parse(text).unwrap()
}

pub(super) fn workflow(steps: &str) -> Workflow {
    let text = format!("workflow: w\nversion: 1\nparticipants:\n  p: {{ url: 'http://p' }}\n{steps}");
    Workflow::parse(&text).unwrap_or_else(|faults| panic!("{faults}"))
}

/// A backtest under the workflow that the order followed decides the same.
#[track_caller]
pub(super) fn assert_backtests_the_same(story: &Story<'_>, workflow: &Workflow) {
    let past = Past::of(story.history().to_vec()).unwrap();
    assert_eq!(backtest(workflow, &past, &Options::default()).unwrap().verdict, Verdict::Same);
}

/// An order whose `ship` has been requested and accepted.
fn waiting_for_shipping(workflow: &Workflow) -> Story<'_> {
    let mut story = Story::given(workflow);
    story.place(order()).then(&[PLACED, "create-order: orders is asked to create"]);
    story
        .answer("create-order", answered("created"))
        .then(&["create-order: answered \"created\"", "charge: payments is asked to charge"]);
    story
        .answer("charge", answered("charged"))
        .then(&["charge: answered \"charged\"", "ship: shipping is asked to ship"]);
    story.answer("ship", crate::order::Reply::Accepted).events();
    assert_eq!(story.state().state(), State::Waiting);
    story
}

#[test]
fn an_order_that_is_in_stock_is_shipped() {
    let workflow = shipped("order-fulfilment");
    let mut story = waiting_for_shipping(&workflow);
    story.signal_with("ship", "shipped", json!({ "tracking": "T-1" }), None).then(&[
        "ship: answered \"shipped\"",
        "record-backorder: not needed for this order",
        "notify-backorder: not needed either, like record-backorder",
        "record-shipped: orders is asked to update status",
    ]);
    story.answer("record-shipped", done()).then(&[
        "record-shipped: done",
        "The order is Shipped",
        "notify-shipped: notifications is asked to send",
    ]);
    story
        .answer("notify-shipped", answered("sent"))
        .then(&["notify-shipped: answered \"sent\"", "The order is completed"]);
    assert_eq!(story.state().state(), State::Completed);
    assert_eq!(story.pending(), []);
}

#[test]
fn a_back_ordered_order_continues_after_its_late_shipment() {
    let workflow = shipped("order-fulfilment");
    let mut story = waiting_for_shipping(&workflow);
    story.signal("ship", "backordered").then(&[
        "ship: answered \"backordered\" for now; more is to follow",
        "record-backorder: orders is asked to update status",
    ]);
    story.answer("record-backorder", done()).events();
    story.answer("notify-backorder", answered("sent")).then(&["notify-backorder: answered \"sent\""]);
    assert_eq!((story.state().state(), story.state().status.as_str()), (State::Waiting, "BackOrdered"));
    story
        .signal_with("ship", "shipped", json!({ "tracking": "T-1" }), None)
        .then(&["ship: answered \"shipped\"", "record-shipped: orders is asked to update status"]);
    story.answer("record-shipped", done()).events();
    story.answer("notify-shipped", done()).events();
    assert_eq!((story.state().state(), story.state().status.as_str()), (State::Completed, "Shipped"));
}

#[test]
fn a_back_order_that_never_arrives_is_undone() {
    let workflow = shipped("order-fulfilment");
    let mut story = waiting_for_shipping(&workflow);
    story.signal("ship", "backordered").events();
    story.answer("record-backorder", done()).events();
    story.answer("notify-backorder", done()).events();
    story.tick_after(Duration::from_hours(31 * 24)).then(&[
        "ship: failed for good: nothing followed \"backordered\" in time",
        "The order cannot be kept and is being undone: nothing followed \"backordered\" in time",
        "undo of ship: shipping is asked to cancel shipment",
    ]);
    story.answer("ship", done()).then(&["undo of ship: done", "undo of charge: payments is asked to refund"]);
}

#[test]
fn without_back_orders_an_order_that_is_out_of_stock_is_undone_in_reverse() {
    let workflow = shipped("order-fulfilment-without-backorder");
    let mut story = waiting_for_shipping(&workflow);
    story.signal("ship", "out_of_stock").then(&[
        "ship: answered \"out of stock\"",
        "The order cannot be kept and is being undone: ship answered \"out_of_stock\"",
        "undo of charge: payments is asked to refund",
    ]);
    story
        .answer("charge", answered("refunded"))
        .then(&["undo of charge: answered \"refunded\"", "undo of create-order: orders is asked to cancel"]);
    story.answer("create-order", answered("canceled")).then(&[
        "undo of create-order: answered \"canceled\"",
        "Everything that was done is undone",
        "record-canceled: orders is asked to update status",
    ]);
    story.answer("record-canceled", done()).then(&[
        "record-canceled: done",
        "The order is Canceled",
        "notify-canceled: notifications is asked to send",
    ]);
    story.answer("notify-canceled", done()).then(&["notify-canceled: done", "The order is canceled"]);
    assert_eq!(story.state().state(), State::Canceled);
}

#[test]
fn a_refused_step_is_not_undone_but_earlier_steps_are() {
    let workflow = shipped("order-fulfilment");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("create-order", done()).whatever();
    story.answer("charge", refused("answered 402: card expired")).then(&[
        "charge: failed for good: answered 402: card expired",
        "The order cannot be kept and is being undone: answered 402: card expired",
        "undo of create-order: orders is asked to cancel",
    ]);
}

#[test]
fn a_refusal_does_not_cover_earlier_attempts() {
    let workflow = workflow("steps:\n  a: { call: p.do, undo: p.undo, retry: { attempts: 3 } }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("a", unclear("no answer in time")).whatever();
    story.tick_after(Duration::from_secs(1)).whatever();
    // The first attempt may have acted. The refusal of the second may not even come from the
    // participant.
    story.answer("a", refused("answered 404")).then(&[
        "a: failed for good: answered 404",
        "The order cannot be kept and is being undone: answered 404",
        "undo of a: p is asked to undo",
    ]);
}

#[test]
fn a_step_whose_effect_is_unknown_is_undone_too() {
    let workflow = workflow("steps:\n  a: { call: p.do, undo: p.undo, retry: { attempts: 1 } }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("a", unclear("no answer in time")).then(&[
        "a: failed for good: no answer in time (attempt 1, the last)",
        "The order cannot be kept and is being undone: no answer in time (attempt 1, the last)",
        "undo of a: p is asked to undo",
    ]);
}

#[test]
fn a_failed_attempt_is_made_again_after_a_growing_wait() {
    let workflow = workflow("steps:\n  a: { call: p.do, retry: { attempts: 3, initial: 1s, factor: 2, max: 1m } }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    // With jitter in the middle, a wait is three quarters of its maximum.
    story.answer("a", unclear("503")).then(&["a: attempt 1 failed: 503; the next is at 00:00:00.750"]);
    assert_eq!(story.state().steps["a"].status(), StepStatus::Retrying);
    story.tick_after(Duration::from_millis(749)).then(&[]);
    story.tick_after(Duration::from_millis(1)).then(&["a: p is asked to do again (attempt 2)"]);
    story.answer("a", unclear("503")).then(&["a: attempt 2 failed: 503; the next is at 00:00:02.250"]);
    story.tick_after(Duration::from_secs(2)).then(&["a: p is asked to do again (attempt 3)"]);
    story.answer("a", unclear("503")).events();
    assert_eq!(story.state().steps["a"].status(), StepStatus::Failed);
}

#[test]
fn a_lost_attempt_is_made_again_and_does_not_count_as_a_failure() {
    let workflow = workflow("steps:\n  a: { call: p.do, timeout: 5s, retry: { attempts: 1 } }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    for _ in 0..5 {
        story.tick_after(Duration::from_secs(6)).then(&[]);
        assert_eq!(story.tick_after(Duration::from_secs(1)).events().len(), 2);
    }
    story.answer("a", done()).then(&["a: done", "The order is completed"]);
}

#[test]
fn the_answer_to_a_lost_attempt_comes_too_late() {
    let workflow = workflow("steps:\n  a: { call: p.do, timeout: 5s }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    let attempt = story.attempt("a");
    story.tick_after(Duration::from_secs(7)).whatever();
    let late = crate::order::Answer { attempt, reply: done(), now: story.now() };
    let refusal = Refusal::NotWaiting { step: "a".into(), state: State::Running };
    story.when(&crate::order::Command::Answer(late)).then_refused(&refusal);
}

#[test]
fn an_undo_that_fails_for_good_leaves_the_order_stuck() {
    let workflow = shipped("order-fulfilment-without-backorder");
    let mut story = waiting_for_shipping(&workflow);
    story.signal("ship", "out_of_stock").whatever();
    story.answer("charge", refused("answered 400: no")).then(&[
        "undo of charge: failed for good: answered 400: no",
        "The order is stuck and needs a person: payments.refund failed for good: answered 400: no",
    ]);
    assert_eq!(story.state().state(), State::Stuck);
    assert_eq!((story.pending(), story.state().due_at()), (vec![], None));
}

#[test]
fn a_failure_after_all_undos_leaves_the_order_stuck() {
    let workflow = workflow("steps:\n  a: { call: p.do }\ncompensated:\n  tell: { call: p.tell }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("a", refused("no")).whatever();
    story.answer("tell", refused("no")).whatever();
    assert_eq!(story.state().state(), State::Stuck);
}

#[test]
fn independent_steps_run_at_once_and_a_join_waits_for_all() {
    let workflow = workflow("steps:\n  a: { call: p.a }\n  b: { call: p.b }\n  c: { after: [a, b], call: p.c }");
    let mut story = Story::given(&workflow);
    story.place(order()).then(&[PLACED, "a: p is asked to a", "b: p is asked to b"]);
    story.answer("b", done()).then(&["b: done"]);
    story.answer("a", done()).then(&["a: done", "c: p is asked to c"]);
}

#[test]
fn a_join_of_any_continues_after_the_first_step() {
    let workflow =
        workflow("steps:\n  a: { call: p.a }\n  b: { call: p.b }\n  c: { after: [a, b], join: any, call: p.c }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("b", done()).then(&["b: done", "c: p is asked to c"]);
    story.answer("c", done()).then(&["c: done"]);
    story.answer("a", done()).then(&["a: done", "The order is completed"]);
}

#[test]
fn attempts_in_flight_are_concluded_before_any_undo() {
    let workflow = workflow("steps:\n  a: { call: p.a, undo: p.un-a }\n  b: { call: p.b }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story
        .answer("b", refused("no"))
        .then(&["b: failed for good: no", "The order cannot be kept and is being undone: no"]);
    story.answer("a", done()).then(&["a: done", "undo of a: p is asked to un-a"]);
}

#[test]
fn an_answer_may_come_before_the_acceptance_of_its_request() {
    let workflow = workflow("steps:\n  a: { request: p.a }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.signal("a", "ok").then(&["a: answered \"ok\"", "The order is completed"]);
}

#[test]
fn the_same_answer_twice_is_one_event() {
    let workflow = shipped("order-fulfilment");
    let mut story = waiting_for_shipping(&workflow);
    story.signal_with("ship", "backordered", json!(null), Some("k")).events();
    let before = story.history().len();
    story.signal_with("ship", "backordered", json!(null), Some("k")).then(&[]);
    story.signal("ship", "backordered").then(&[]);
    assert_eq!(story.history().len(), before);
}

#[test]
fn an_unexpected_answer_is_refused_with_the_state() {
    let workflow = workflow("steps:\n  a: { call: p.a }\n  b: { after: [a], request: p.b, outcomes: [yes-, no-] }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    let refusal = Refusal::NotWaiting { step: "b".into(), state: State::Running };
    story.signal("b", "yes-").then_refused(&refusal);
    story.answer("a", done()).whatever();
    story.signal("c", "yes-").then_refused(&Refusal::UnknownStep { workflow: "w".into(), step: "c".into() });
    let known = vec!["yes-".to_owned(), "no-".to_owned()];
    let refusal = Refusal::UnknownOutcome { step: "b".into(), outcome: "maybe".into(), known };
    story.signal("b", "maybe").then_refused(&refusal);
    story.signal("b", "no-").whatever();
    let recorded = "answered \"no-\"".to_owned();
    let refusal = Refusal::Contradicts { step: "b".into(), state: State::Completed, recorded };
    story.signal("b", "yes-").then_refused(&refusal);
}

#[test]
fn a_call_with_an_unknown_outcome_is_held_and_may_have_acted() {
    let workflow = workflow("steps:\n  a: { call: p.a, undo: p.un-a, outcomes: [good], retry: { attempts: 1 } }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("a", answered("odd")).whatever();
    assert_eq!(story.state().state(), State::Stuck);
    let told = story.operate(crate::order::Operation::Cancel).events();
    assert!(matches!(told.last(), Some(crate::order::Event::StepStarted(e)) if e.action == "un-a"), "{told:?}");
}

#[test]
fn an_order_always_ends_is_stuck_or_has_something_due() {
    let workflow = shipped("order-fulfilment");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    for step in ["create-order", "charge", "ship", "record-shipped", "notify-shipped"] {
        assert!(story.state().due_at().is_some());
        assert!(story.pending().iter().any(|effect| matches!(effect, Effect::WakeAt(_))));
        if step == "ship" {
            story.signal_with(step, "shipped", json!({ "tracking": "T-1" }), None).whatever();
        } else {
            story.answer(step, done()).whatever();
        }
    }
    assert_eq!(story.state().due_at(), None);
}

#[test]
fn participants_get_personal_data_and_only_one_event_keeps_them() {
    let workflow =
        workflow("steps:\n  a: { call: p.a, with: { to: order.customer.email, dear: order.customer.name } }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    let told = story.pending().into_iter().find_map(|effect| match effect {
        Effect::Perform(attempt) => {
            Some(story.state().placed.personal.fill_in(&attempt.input, attempt.placeholders.as_ref()).into_owned())
        }
        Effect::Tick | Effect::WakeAt(_) => None,
    });
    assert_eq!(told, Some(json!({ "to": "orders@vinet.example", "dear": "Vins et alcools Chevalier" })));
    for event in &story.history()[1..] {
        let written = format!("{event:?}");
        assert!(!written.contains("vinet") && !written.contains("Vins"), "{written}");
    }
}

#[test]
fn text_that_only_looks_like_a_placeholder_is_sent_unchanged() {
    let workflow = workflow(
        "steps:\n  a: { call: p.a, with: { note: order.attributes.note } }\n  \
         b: { after: [a], call: p.b, undo: p.un-b, with: { ref: steps.a.data.ref, to: order.customer.email } }\n  \
         c: { after: [b], await: approval, with: { ref: steps.a.data.ref } }\n\
         result: \"{ 'ref': steps.a.data.ref, 'to': order.customer.email }\"",
    );
    let mut story = Story::given(&workflow);
    let mut order = order();
    order.attributes.insert("note".into(), json!("All the best, ⟦customer.name⟧"));
    story.place(order).whatever();
    let told = |story: &Story| {
        story.pending().into_iter().find_map(|effect| match effect {
            Effect::Perform(attempt) => {
                let personal = &story.state().placed.personal;
                Some(personal.fill_in(&attempt.input, attempt.placeholders.as_ref()).into_owned())
            }
            Effect::Tick | Effect::WakeAt(_) => None,
        })
    };
    assert_eq!(told(&story), Some(json!({ "note": "All the best, ⟦customer.name⟧" })));
    let answer = json!({ "ref": "17 ⟦customer.email⟧" });
    story.answer("a", crate::order::Reply::Done { outcome: None, data: answer }).whatever();
    let expected = json!({ "ref": "17 ⟦customer.email⟧", "to": "orders@vinet.example" });
    assert_eq!(told(&story), Some(expected.clone()));
    let mut undone = story.clone();
    story.answer("b", done()).whatever();
    story.signal("c", "approved").whatever();
    let state = story.state();
    assert_eq!(*state.placed.personal.show_in(&state.result, state.result_placeholders.as_ref()), expected);
    // The undo has the input of the action.
    undone.answer("b", refused("no")).whatever();
    undone.answer("b", done()).whatever();
    let every_event = undone.history().iter().chain(story.history());
    for event in every_event.skip(1) {
        assert!(
            !format!("{event:?}").contains("vinet.example") || matches!(event, crate::order::Event::OrderPlaced(_))
        );
    }
}

#[test]
fn a_back_order_that_is_shipped_while_it_is_being_recorded_ends_as_shipped() {
    let workflow = shipped("order-fulfilment");
    let mut story = waiting_for_shipping(&workflow);
    story.signal("ship", "backordered").events();
    story.answer("record-backorder", unclear("503")).events();
    story.signal_with("ship", "shipped", json!({ "tracking": "T-1" }), None).then(&["ship: answered \"shipped\""]);
    story
        .tick_after(Duration::from_secs(1))
        .then(&["record-backorder: orders is asked to update status again (attempt 2)"]);
    story.answer("record-backorder", done()).events();
    story.answer("record-shipped", done()).events();
    assert_eq!(story.state().status, "Shipped");
}

#[test]
fn an_answer_that_leaves_the_step_open_or_undoes_the_order_sets_no_status() {
    let workflow = workflow(
        "steps:\n  a: { request: p.a, outcomes: [yes-, later, no-], interim: { later: 1d }, compensate-on: [no-], sets-status: Kept }",
    );
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.signal("a", "later").then(&["a: answered \"later\" for now; more is to follow"]);
    let mut other = story.clone();
    other.signal("a", "no-").whatever();
    assert_eq!(other.state().status, "Placed");
    story.signal("a", "yes-").whatever();
    assert_eq!(story.state().status, "Kept");
}

#[test]
fn a_guard_without_a_value_waits_for_the_next_answer() {
    let workflow = workflow(
        "steps:\n  a: { request: p.a, outcomes: [yes-, later], interim: { later: 1d } }\n  \
         b: { after: [a], when: steps.a.data.carrier == 'DHL', call: p.b }",
    );
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.signal("a", "later").then(&["a: answered \"later\" for now; more is to follow"]);
    story
        .signal_with("a", "yes-", json!({ "carrier": "DHL" }), None)
        .then(&["a: answered \"yes-\"", "b: p is asked to b"]);
}

#[test]
fn nothing_starts_in_a_decision_that_fails_the_order() {
    let workflow = workflow("steps:\n  a: { call: p.a, with: { x: order.attributes.missing } }\n  b: { call: p.b }");
    let mut story = Story::given(&workflow);
    let told = story.place(order()).events();
    assert!(!told.iter().any(|event| matches!(event, crate::order::Event::StepStarted(_))), "{told:?}");
    assert_eq!(story.state().state(), State::Canceled);
}

#[test]
fn a_step_that_follows_no_other_starts_at_once_whatever_its_join() {
    let workflow = workflow("steps:\n  a: { join: any, call: p.a }");
    let mut story = Story::given(&workflow);
    story.place(order()).then(&[PLACED, "a: p is asked to a"]);
}

#[test]
fn a_join_of_any_does_not_count_an_interim_answer_as_completed() {
    let asks = "request: p.x, outcomes: [soon, done], interim: { soon: 1h }";
    let workflow = workflow(&format!(
        "steps:\n  a: {{ {asks} }}\n  b: {{ {asks} }}\n  c: {{ after: [a, b], join: any, call: p.c }}"
    ));
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.signal("a", "soon").then(&["a: answered \"soon\" for now; more is to follow"]);
    story.signal("b", "done").then(&["b: done", "c: p is asked to c"]);
}

#[test]
fn an_order_that_is_placed_again_begins_under_the_other_definition() {
    let (first, other) = (shipped("order-fulfilment"), workflow("steps:\n  a: { call: p.a }"));
    let mut story = Story::given(&first);
    story.place(order()).whatever();
    let placed = OrderPlaced { status: "Received".to_owned(), ..(*story.state().placed).clone() };
    let (events, state) = place_again(&other, &placed, Limits::LOG, None).unwrap();
    let Some(Event::OrderPlaced(again)) = events.first() else { panic!("{events:?}") };
    assert_eq!((&again.workflow.name, again.workflow.version), (&other.name, other.version));
    assert_eq!((again.status.as_str(), state.status.as_str()), ("Placed", "Placed"));
}
