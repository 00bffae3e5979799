//! Mistakes found before any order exists. An evaluation makes each of them, too.

use serde_json::json;

use super::presence::Present;
use super::{EvaluationError, Expression, Scope};

fn mistakes(source: &str) -> Vec<String> {
    let expression = Expression::compile(source).unwrap();
    expression.mistakes(&Present::default(), false).into_iter().map(|(_, reason)| reason).collect()
}

fn scope(order: serde_json::Value) -> Scope {
    let steps = json!({ "ship": { "outcome": "shipped", "data": { "weight": 5.5 }, "status": "COMPLETED" } });
    Scope { order, steps, placeholders: false }
}

fn full() -> serde_json::Value {
    json!({
        "id": "1", "workflow": "w", "customer": { "id": "C1", "name": "Ann", "email": "ann@shop.example" }, "currency": "EUR",
        "total": "140.00", "lines": [{ "sku": "11", "name": "Queso", "quantity": 10, "unitPrice": "14.00" }],
        "shipTo": { "name": "Ann", "street": "Main 1", "city": "Reims", "region": "Grand Est", "postalCode": "51100",
                    "country": "France" },
        "attributes": { "gift": true, "kg": 2.5, "note": "x" }, "status": "Placed",
    })
}

/// The smallest order.
fn bare() -> serde_json::Value {
    let mut order = full();
    order["customer"] = json!({ "id": "C1", "name": null, "email": null });
    order["lines"][0]["name"] = json!(null);
    order["shipTo"] = json!(null);
    order
}

#[test]
fn a_text_is_no_number() {
    for (source, reason) in [
        (
            "order.total > 100",
            "order.total is a text and 100 is a number, which '>' cannot compare; write double(order.total) > 100",
        ),
        (
            "100.0 <= order.total",
            "100.0 is a number and order.total is a text, which '<=' cannot compare; write 100.0 <= double(order.total)",
        ),
        (
            "order.total * 2",
            "order.total is a text and 2 is a number, which '*' cannot work with; write double(order.total) * 2",
        ),
        (
            "order.lines[0].unitPrice * order.lines[0].quantity",
            "order.lines[0].unitPrice is a text and order.lines[0].quantity is a number, which '*' cannot work with; write \
             double(order.lines[0].unitPrice) * order.lines[0].quantity",
        ),
        ("-order.total", "order.total is a text: '-' needs a number"),
        ("order.total && true", "order.total must be true or false, and is a text"),
        ("order.total.cents", "order.total is a text, so it has no 'cents'"),
        (
            "order.lines.exists(l, l.unitPrice > 10)",
            "l.unitPrice is a text and 10 is a number, which '>' cannot compare; write double(l.unitPrice) > 10",
        ),
        (
            "order.lines.filter(l, l.quantity > 1).exists(l, l.unitPrice > 10)",
            "l.unitPrice is a text and 10 is a number, which '>' cannot compare; write double(l.unitPrice) > 10",
        ),
        ("order.lines.name", "order.lines is a list, so it has no 'name'; read one of its items: order.lines[0]"),
        (
            "order.customer.name.first",
            "order.customer.name can be null, and then it has no 'first'; test it first: order.customer.name != null",
        ),
        (
            "order.currency.all(c, c == 'E')",
            "order.currency is a text: map, filter, all and exists need a list or a map",
        ),
        ("'E' in order.currency", "order.currency is a text, which has no items; write order.currency.contains(…)"),
        (
            "order.lines.size().contains('1')",
            "contains() cannot work with a number, '1' (a text); it is called on a text, with a text",
        ),
        (
            "(order.total != '0.00' ? order.total : '1.00') > 3",
            "the left side is a text and 3 is a number, which '>' cannot compare; double(…) makes a number of a text",
        ),
    ] {
        let found = mistakes(source);
        assert!(!found.is_empty(), "{source}: nothing is found");
        assert_eq!(found[0], reason, "{source}");
        let compiled = Expression::compile(source).unwrap();
        assert!(compiled.evaluate(&scope(full())).is_err(), "{source} has a value all the same");
    }
}

#[test]
fn a_comparison_that_is_never_true_is_reported() {
    let why = "order.total is a text and 100 is a number, which are never equal; write double(order.total) == 100";
    assert_eq!(mistakes("order.total == 100"), [why]);
    assert_eq!(mistakes("order.lines == null || order.shipTo == null || order.total == '0.00'"), [""; 0]);
}

#[test]
fn an_optional_value_must_be_tested_first() {
    for source in [
        "order.shipTo.country == 'FR'",
        "order.shipTo['city']",
        "order.customer.email.endsWith('.example')",
        "order.customer.name + '!'",
        "'Dear ' + order.customer.name",
        "size(order.customer.name) > 3",
        "order.customer.name > 'M'",
        "order.lines.map(l, l.name.size())",
        "order.shipTo == null && order.shipTo.country == 'FR'",
        "order.shipTo != null || order.shipTo.country == 'FR'",
        "order.shipTo == null ? order.shipTo.country : ''",
        "order.lines.all(l, l.sku != '') && order.lines[0].name.size() > 1",
        "has(order.customer.email) && order.customer.email.size() > 1",
        "{'to': order.shipTo.street}",
        "order.shipTo.all(field, true)",
        "'city' in order.shipTo",
    ] {
        let found = mistakes(source);
        assert_eq!(found.len(), 1, "{source}: {found:?}");
        assert!(found[0].contains(" can be null, ") && found[0].contains("; test it first: "), "{found:?}");
        let compiled = Expression::compile(source).unwrap();
        let evaluated = compiled.evaluate(&scope(bare()));
        assert!(matches!(evaluated, Err(EvaluationError::Failed(_))), "{source}: {evaluated:?}");
    }
}

#[test]
fn an_expression_that_is_right_for_every_order_has_no_mistake() {
    for source in [
        "double(order.total) > 100.0",
        "order.total != '0.00' && order.total.size() > 3",
        "order.shipTo",
        "order.customer.email",
        "{'to': order.customer.email, 'all': order.lines, 'n': order.lines.size()}",
        "order.shipTo != null && order.shipTo.country == 'FR'",
        "order.shipTo.country == 'FR' && order.shipTo != null",
        "order.shipTo == null || order.shipTo.country == 'FR'",
        "!(order.shipTo == null) && order.shipTo.country in ['FR', 'IT']",
        "null != order.shipTo ? order.shipTo.country : null",
        "order.shipTo == null ? 'none' : order.shipTo.country == null ? 'no country' : order.shipTo.country + '!'",
        "has(order.shipTo.city) && order.shipTo.city == 'Reims'",
        "order.customer.name == 'Ann' && order.customer.name.size() == 3",
        "type(order.customer.name) == string && order.customer.name.size() == 3",
        "order.lines.all(l, l.name != null && l.name.size() > 0)",
        "order.lines.all(l, l.name != null) && order.lines.map(line, line.name.size()) != []",
        "order.lines.filter(l, l.name != null).map(l, l.name.size())",
        "order.lines.map(l, l.name != null, l.name.size())",
        "order.lines.map(l, l.quantity * 2)[0] > 1",
        "order.attributes.kg * 2 > 10 && order.attributes.note.size() > 0 || order.attributes.gift",
        "has(order.attributes.kg) && order.attributes.kg == '5'",
        "steps.ship.data.weight > 5 || steps.ship.outcome == 'shipped' && steps.ship.status == 'COMPLETED'",
        "dyn(order.total) == 100",
        "order.lines + [{'sku': 'x'}]",
        "order.lines[0].sku + order.lines[0].unitPrice",
        "order.lines.map(l, [l.quantity, l.sku])",
        "'sku' in order.lines[0] && 'note' in order.attributes",
        "string(order.lines[0].quantity) + 'x'",
    ] {
        assert_eq!(mistakes(source), [""; 0], "{source}");
        let evaluated = [full(), bare()].map(|order| Expression::compile(source).unwrap().evaluate(&scope(order)));
        assert!(evaluated.iter().all(Result::is_ok), "{source}: {evaluated:?}");
    }
}

#[test]
fn an_unknown_field_is_reported_with_a_suggestion() {
    let why = "order.customer has no 'mail'; it has id, name, email; did you mean 'email'?";
    assert_eq!(mistakes("order.customer.mail"), [why]);
    assert_eq!(mistakes("order.lines[0].price").len(), 1);
    assert_eq!(mistakes("has(order.customer.mail)"), [""; 0]);
}

#[test]
fn a_mistake_is_reported_at_its_place() {
    let source = "order.lines.size() > 1 &&\n  order.total > 100";
    let found = Expression::compile(source).unwrap().mistakes(&Present::default(), true);
    let at = super::TextPosition { line: 2, column: 15 };
    assert_eq!(found.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [at]);
    let guard = Expression::compile("order.total").unwrap().mistakes(&Present::default(), true);
    assert_eq!(guard[0].1, "order.total must be true or false, and is a text");
}
