//! Which fields of an order an expression can read.

use serde_json::json;

use super::scope::scope;
use crate::order::{Address, Event, NewOrder};
use crate::testing::{Story, answered, order};
use crate::workflow::{Expression, Workflow};

const SOURCE: &str = "
workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  pay: { call: p.pay, outcomes: [paid, owed], sets-status: Paid }
  tell:
    after: [pay]
    call: p.tell
    with:
      id: order.id
      workflow: order.workflow
      customer: order.customer.id
      currency: order.currency
      total: order.total
      lines: size(order.lines)
      to: order.shipTo
      note: order.attributes.note
      status: order.status
      paid: steps.pay.outcome
";

#[test]
fn an_input_can_use_every_field_of_the_order_and_the_outcomes_of_steps() {
    let workflow = Workflow::parse(SOURCE).unwrap();
    let mut story = Story::given(&workflow);
    let to: Address = serde_json::from_value(json!({ "country": "France" })).unwrap();
    let attributes = json!({ "note": "ring twice" }).as_object().unwrap().clone();
    story.place(NewOrder { ship_to: Some(to.clone()), attributes, ..order() }).whatever();
    story.answer("pay", answered("paid")).whatever();
    let told = story.history().iter().find_map(|event| match event {
        Event::StepStarted(started) if started.step == "tell" => started.input.clone(),
        _ => None,
    });
    let expected = json!({
        "id": "1", "workflow": "w", "customer": "VINET", "currency": "EUR", "total": "14.00", "lines": 1,
        "to": to, "note": "ring twice", "status": "Paid", "paid": "paid",
    });
    assert_eq!(told, Some(expected));
}

#[test]
fn an_expression_gets_only_the_values_that_it_reads() {
    let workflow = Workflow::parse(SOURCE).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("pay", answered("paid")).whatever();
    let guard = Expression::compile("order.currency == 'EUR' && steps.pay.outcome == 'paid'").unwrap();
    let seen = scope(&workflow, story.state(), &guard);
    assert_eq!(seen.order, json!({ "currency": "EUR" }));
    assert_eq!(seen.steps, json!({ "pay": { "outcome": "paid", "data": null, "status": "COMPLETED" } }));
}
