use proptest::prelude::*;
use serde_json::json;

use super::*;

fn scope() -> Scope {
    Scope {
        order: json!({"id": "10248", "total": "440.00", "currency": "EUR", "lines": [
            {"sku": "11", "quantity": 12, "unitPrice": "14.00"}, {"sku": "42", "quantity": 10, "unitPrice": "9.80"}],
            "attributes": {"b": 1, "a": 2, "d": 3, "c": 4, "big": u64::MAX, "half": 0.5}, "shipTo": null}),
        steps: json!({"ship": {"outcome": "shipped", "data": {"tracking": "T1"}, "status": "COMPLETED"},
            "create-order": {"outcome": "done", "data": {"number": 7}, "status": "COMPLETED"}}),
        placeholders: false,
    }
}

fn value(source: &str) -> Value {
    Expression::compile(source).unwrap().evaluate(&scope()).unwrap()
}

fn refusal(source: &str) -> String {
    Expression::compile(source).unwrap_err().to_string()
}

fn failure(source: &str) -> EvaluationError {
    Expression::compile(source).unwrap().evaluate(&scope()).unwrap_err()
}

#[test]
fn values_survive_a_round_trip_as_json() {
    assert_eq!(value("order"), scope().order);
    assert_eq!(value("order.total"), json!("440.00"));
    assert_eq!(value("double(order.total)"), json!(440.0));
    assert_eq!(value("order.lines[0].quantity + 1"), json!(13));
    assert_eq!(value("order.attributes.big"), json!(u64::MAX));
    assert_eq!(value("order.lines.map(l, l.sku)"), json!(["11", "42"]));
    assert_eq!(value("{ 'tracking': steps.ship.data.tracking }"), json!({"tracking": "T1"}));
    assert_eq!(value("steps['create-order'].data.number"), json!(7));
    assert_eq!(value("has(steps.ship.data.tracking) && steps.ship.outcome == 'shipped'"), json!(true));
    assert_eq!(value("size(order.lines.filter(l, l.quantity > 10 && l.sku.matches('^1')))"), json!(1));
    assert_eq!(value("type(order.total) == string ? null : 1u"), json!(null));
}

#[test]
fn a_map_is_iterated_in_the_order_of_its_keys() {
    assert_eq!(value("order.attributes.map(k, k)"), json!(["a", "b", "big", "c", "d", "half"]));
    assert_eq!(value("{'z': 1, 'y': 2, 'x': 3}.filter(k, k != 'y')"), json!(["x", "z"]));
}

#[test]
fn a_value_without_a_json_form_is_an_error() {
    for source in
        ["{1: 2}", "double('NaN')", "1.0 / 0.0", "b'abc'", "[double('Infinity')]", "'a\\x00'", "{'a\\x00': 1}"]
    {
        assert!(matches!(failure(source), EvaluationError::NotJson(_)), "{source}");
    }
}

#[test]
fn an_error_quotes_the_author_and_names_place_and_remedy() {
    for (source, said) in [
        ("order.nothing", "order has no 'nothing'; test it first: has(order.nothing) (at column 1)"),
        (
            "order.shipTo.country",
            "order.shipTo is null here, so it has no 'country'; test it first: order.shipTo != null ? order.shipTo.country : null (at column 6)",
        ),
        (
            "order.total > 100",
            "order.total is a text and 100 is a number, which '>' cannot compare; write double(order.total) > 100 (at column 13)",
        ),
        (
            "order.shipTo > 100",
            "order.shipTo is null and 100 is a number, which '>' cannot compare; test it first: order.shipTo != null (at column 14)",
        ),
        (
            "order.total * 2",
            "order.total is a text and 2 is a number, which '*' cannot work with; write double(order.total) * 2 (at column 13)",
        ),
        (
            "order.id + 1",
            "order.id is a text and 1 is a number, which '+' cannot work with; join texts: order.id + string(1), or add: double(order.id) (at column 10)",
        ),
        (
            "order.attributes.half % 2",
            "order.attributes.half is a number and 2 is a number, which '%' cannot work with; '%' needs whole numbers: int(…) (at column 23)",
        ),
        ("double(order.currency)", "double() cannot convert order.currency (at column 7)"),
        ("1 / 0", "division by zero (at column 3)"),
        ("order.id &&\n order.currency", "order.currency must be true or false, and is a text (at line 2, column 7)"),
        ("order.lines[7].sku", "order.lines has no item at that index; test its size() first (at column 6)"),
        (
            "order.lines.sku",
            "order.lines is a list, so it has no 'sku'; read one of its items: order.lines[0] (at column 6)",
        ),
        (
            "steps['create-order'].data.none",
            "steps['create-order'].data has no 'none'; test it first: has(steps['create-order'].data.none) (at column 22)",
        ),
        (
            "order.attributes[order.currency]",
            "order.attributes has no such key; test it first: order.currency in order.attributes (at column 6)",
        ),
        (
            "'E' in order.currency",
            "order.currency is a text, which has no items; write order.currency.contains(…) (at column 13)",
        ),
        (
            "order.shipTo.startsWith('a')",
            "order.shipTo is null here, which startsWith() cannot work with; test it first: order.shipTo != null (at column 24)",
        ),
        (
            "size(order.attributes.a)",
            "size() cannot work with order.attributes.a (a number); it needs a text, a list or a map (at column 5)",
        ),
        (
            "'x'.matches('(')",
            "matches() is given a pattern that is no regular expression, or too large a one (at column 12)",
        ),
        (
            "order.attributes.map(k, order.attributes[k] + 'x')",
            "order.attributes[k] is a number and 'x' is a text, which '+' cannot work with; join texts: string(order.attributes[k]) + 'x' (at column 45)",
        ),
    ] {
        assert_eq!(failure(source).to_string(), said, "{source}");
    }
    let guard = Expression::compile("order.total").unwrap();
    assert_eq!(guard.holds(&scope()).unwrap_err().to_string(), "must be true or false, is a text");
}

#[test]
fn has_works_on_missing_values() {
    assert_eq!(value("has(order.shipTo.country)"), json!(false));
    assert_eq!(value("has(order.attributes.none)"), json!(false));
    assert_eq!(value("order.shipTo != null && order.shipTo.country == 'France'"), json!(false));
    assert_eq!(value("order.shipTo.country == 'France' || true"), json!(true));
    assert_eq!(value("order.lines.exists(l, l.weight > 3 || l.sku == '42')"), json!(true));
}

#[test]
fn numbers_are_numbers() {
    for kilograms in [json!(5), json!(5.0), json!(5.5)] {
        let mut scope = scope();
        scope.order["attributes"]["kg"] = kilograms.clone();
        let of = |source: &str| Expression::compile(source).unwrap().evaluate(&scope).unwrap().as_f64().unwrap();
        let exact = kilograms.as_f64().unwrap();
        assert!((of("order.attributes.kg * 2") - exact * 2.0).abs() < 1e-9);
        assert!((of("10 - order.attributes.kg") - (10.0 - exact)).abs() < 1e-9);
        assert!((of("order.attributes.kg + 1.5") - (exact + 1.5)).abs() < 1e-9);
        assert!((of("order.attributes.kg + 1u") - (exact + 1.0)).abs() < 1e-9);
        assert!((of("order.attributes.kg / 0.5") - exact * 2.0).abs() < 1e-9);
    }
    assert_eq!(value("order.attributes.big - 1"), json!(u64::MAX - 1));
    assert_eq!(value("1u - 3"), json!(-2));
    assert_eq!(value("7 / 2"), json!(3));
    assert_eq!(
        value("2 < 2.5 && 3u > 2.5 && 1 == 1.0 && 1u == 1 && [1] == [1.0] && {'a': 1} == {'a': 1u}"),
        json!(true)
    );
    assert_eq!(failure("order.attributes.big + 1").to_string(), "the result of '+' is out of range (at column 22)");
    assert_eq!(failure("-9223372036854775807 - 2").to_string(), "the result of '-' is out of range (at column 22)");
}

#[test]
fn an_evaluation_tracks_placeholders_and_ignores_similar_text() {
    let mut scope = scope();
    scope.placeholders = true;
    scope.order["customer"] = json!({"id": "⟦customer.email⟧", "name": "⟦customer.name⟧", "email": null});
    scope.order["shipTo"] = json!({"city": "⟦shipTo.city⟧", "country": "⟦shipTo.city⟧"});
    scope.order["attributes"]["note"] = json!("see ⟦customer.name⟧");
    scope.steps["ship"]["data"]["ref"] = json!("⟦shipTo.city⟧");
    for (source, found) in [
        ("order.customer.name", vec![("", vec![0])]),
        ("order['customer']['name']", vec![("", vec![0])]),
        ("order.customer", vec![("/name", vec![0])]),
        ("order.customer.id + order.attributes.note + steps.ship.data.ref", vec![]),
        ("order.shipTo", vec![("/city", vec![0])]),
        ("{'a/b': [1, 'ö: ' + order.customer.name]}", vec![("/a~1b/1", vec![3])]),
        ("order.attributes.note + ' ' + order.shipTo.city + order.customer.name", vec![("", vec![20, 33])]),
        ("order.attributes.note + string(bytes(order.shipTo.city))", vec![("", vec![19])]),
        ("[order].map(o, o.shipTo.city)", vec![("/0", vec![0])]),
        ("order.customer.map(key, order.customer[key])", vec![("/2", vec![0])]),
        ("{'x': order.shipTo}.x.city", vec![("", vec![0])]),
        ("'⟦customer.name⟧'", vec![]),
    ] {
        let evaluated = Expression::compile(source).unwrap().evaluate_marked(&scope).unwrap();
        let expected: Vec<_> = found.into_iter().map(|(pointer, at)| (pointer.to_owned(), at)).collect();
        assert_eq!(evaluated.placeholders, expected, "{source}");
    }
}

#[test]
fn a_refusal_says_where() {
    assert!(refusal("order.total ==").starts_with("1:15: "), "{}", refusal("order.total =="));
    assert!(refusal("order.total\n  == )").starts_with("2:6: "), "{}", refusal("order.total\n  == )"));
    assert_eq!(refusal("'ö' + sise(order.lines)"), "1:7: there is no function 'sise'; did you mean 'size'?");
    assert!(refusal("'ö' + )").starts_with("1:7: "), "{}", refusal("'ö' + )"));
    assert!(refusal("'ö' == order.?id").starts_with("1:13: "), "{}", refusal("'ö' == order.?id"));
    assert_eq!(refusal("order.total == 'x"), "1:16: has a ' without an end");
    assert_eq!(refusal(r"'\q'"), "1:2: has an escape that means nothing; write \\\\ for a backslash");
    assert_eq!(
        refusal("1 == steps.create-order.data"),
        "1:6: steps.create-order is a subtraction; write steps['create-order']"
    );
    assert_eq!(refusal(" \n "), "1:1: is empty");
    assert!(refusal("Order{id: 1}").contains("there is no type 'Order'"));
    assert!(refusal("order.?id").contains("unsupported syntax"));
    assert!(refusal("timestamp('2020-01-01T00:00:00Z')").contains("there is no function 'timestamp'"));
    assert!(refusal("has(order)").contains("has()"), "{}", refusal("has(order)"));
}

#[test]
fn it_knows_what_it_reads() {
    let expression = Expression::compile(
        "order.lines.exists(l, l.sku == other) && steps.ship.outcome == 'shipped' && 'x' != steps['create-order'].outcome && has(steps.pack)",
    )
    .unwrap();
    let subjects: Vec<_> = expression.references().iter().map(|reference| reference.subject.clone()).collect();
    let field = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    let step = |id: &str, name| Subject::Step { id: id.to_owned(), field: field(name) };
    let expected = [
        Subject::Order { field: field("lines") },
        Subject::Unknown("other".into()),
        step("ship", "outcome"),
        step("create-order", "outcome"),
        step("pack", ""),
    ];
    assert_eq!(subjects, expected);
    let compared: Vec<_> =
        expression.comparisons().iter().map(|c| (c.step.as_str(), c.outcome.as_str(), c.equal)).collect();
    assert_eq!(compared, [("ship", "shipped", true), ("create-order", "x", false)]);
    assert_eq!(Expression::compile("size(steps)").unwrap().references()[0].subject, Subject::AllSteps);
    assert_eq!(Expression::compile("steps[order.id]").unwrap().references()[0].subject, Subject::AllSteps);
    assert_eq!(Expression::compile("[1].map(steps, steps.a)").unwrap().references(), []);
}

#[test]
fn the_largest_texts_that_pass_are_parsed_and_evaluated_on_a_small_stack() {
    let chains = [
        format!("1{}", "+1".repeat(200)),
        format!("{}true", "!".repeat(200)),
        format!("{}1", "- ".repeat(200)),
        format!("order{}", ".a".repeat(200)),
        format!("{}1", "true?1:".repeat(200)),
        format!("{}1{}", "[".repeat(12), "]".repeat(12)),
        format!("{}1{}", "(".repeat(12), ")".repeat(12)),
        format!("{}1{}", "[1].map(x,".repeat(12), ")".repeat(12)),
        format!("{}1{}", "{'a':".repeat(12), "}".repeat(12)),
        format!("true{}", "&&true".repeat(100)),
        format!("[1]{}", ".map(x,[x,x,x,x])".repeat(60)),
        format!("['aaaa']{}", ".map(x,x+x)".repeat(60)),
    ];
    let run = move || {
        for source in &chains {
            if let Ok(expression) = Expression::compile(source) {
                let _ = expression.evaluate(&scope());
            }
        }
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap();
}

/// An order with this many lines, each with a name of this length.
fn large(lines: usize, name: usize) -> Scope {
    let mut scope = scope();
    let line = json!({"sku": "11", "name": "N".repeat(name), "quantity": 1, "unitPrice": "1.00"});
    scope.order["lines"] = Value::Array(vec![line; lines]);
    scope
}

#[test]
fn an_expression_beyond_its_budget_is_given_up() {
    let lines = "order.lines + ".repeat(8);
    let texts = "l.name + ".repeat(60);
    for source in [
        "order.lines.map(a, order.lines.map(b, order.lines.map(c, 1)))".to_owned(),
        format!("order.lines.map(a, {lines} order.lines)"),
        format!("order.lines.map(a, {lines} order.lines).size() > 0"),
        format!("order.lines.map(a, order.lines.map(l, {texts} ''))"),
        format!("[1]{}", ".map(x, [x, x, x, x, x, x, x, x])".repeat(12)),
        format!("[1]{}.size() == 1", ".map(x, x == 1 ? [0, 0, 0, 0] : x + x + x + x)".repeat(10)),
        format!("['aaaaaaaa']{}.exists(x, x.contains('b'))", ".map(x, x + x + x + x)".repeat(12)),
        "order.lines.map(a, order.lines.map(b, order.lines == order.lines))".to_owned(),
        "order.lines.map(a, order.lines.map(b, a in order.lines))".to_owned(),
        "order.lines.all(a, order.lines.all(b, string(b.name + a.name).size() > 3))".to_owned(),
        "order.lines.all(a, order.lines.all(b, !b.name.matches('(N|.)*(N|.)*Q')))".to_owned(),
        "order.lines.all(a, order.lines.all(b, !'x'.matches(a.name + string(b.quantity)))) && false".to_owned(),
        format!("'x'.matches('(?i){}')", r"\\PL".repeat(200)),
        format!("'{}'.matches('[01]*1[01]{{900}}2')", "01".repeat(1_000)),
        format!("['{}'].map(x, x + x + x + x + x + x + x + x)[0].matches('[01]*1[01]{{200}}2')", "01".repeat(1_000)),
    ] {
        let (result, spent) = Expression::compile(&source).unwrap().metered(&large(500, 200), UNITS);
        let given_up = matches!(result, Err(EvaluationError::TooMuchWork | EvaluationError::TooLarge));
        // A list of 12 nested copies is refused for its depth.
        assert!(given_up || source.starts_with("[1].map(x, [x"), "{source}: {result:?}");
        assert!(spent <= budget::UNITS);
    }
}

#[test]
fn too_much_work_is_an_error_that_nothing_overrides() {
    let source = "order.lines.exists(a, order.lines.exists(b, order.lines == order.lines && false)) || true";
    assert_eq!(Expression::compile(source).unwrap().evaluate(&large(500, 9)), Err(EvaluationError::TooMuchWork));
}

#[test]
fn ordinary_expressions_over_an_order_of_500_lines_stay_well_within_the_budget() {
    for source in [
        "order.lines",
        "order.lines.map(l, {'sku': l.sku, 'count': l.quantity})",
        "order.lines.filter(l, l.quantity > 0 && l.sku.startsWith('1')).map(l, l.name + ' (' + l.sku + ')')",
        "order.lines.exists(l, l.name.matches('(?i)gift'))",
        "order.lines.all(l, l.name.matches('^[A-Z]+$') && double(l.unitPrice) < 5.0)",
        "{'order': order, 'count': size(order.lines)}",
        "order.lines + order.lines",
    ] {
        let (result, spent) = Expression::compile(source).unwrap().metered(&large(500, 100), UNITS);
        assert!(result.is_ok(), "{source}: {result:?}");
        assert!(spent < budget::UNITS / 4, "{source} spends {spent}");
    }
}

#[test]
fn too_long_and_too_deep_texts_are_refused_before_they_are_parsed() {
    assert!(refusal(&"[".repeat(13)).contains("nested more than"));
    assert!(refusal(&"a.".repeat(2000)).contains("operators"));
    assert!(refusal(&" ".repeat(4097)).contains("longer than"));
}

proptest! {
    #[test]
    fn any_text_is_compiled_or_refused(source in "\\PC{0,60}") {
        if let Ok(expression) = Expression::compile(&source) {
            let _ = expression.evaluate(&scope());
        }
    }

    #[test]
    fn any_words_are_compiled_or_refused(words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..40)) {
        for separator in ["", " "] {
            if let Ok(expression) = Expression::compile(&words.join(separator)) {
                let first = expression.evaluate(&scope());
                prop_assert_eq!(first, expression.evaluate(&scope()));
            }
        }
    }

    #[test]
    fn json_survives_a_round_trip_through_an_expression(number in any::<f64>(), int in any::<i64>(), uint in any::<u64>(), text in "[^\\x00\n]*") {
        let order = json!([number, int, uint, text, {"a": [null, true]}]);
        let scope = Scope { order: order.clone(), steps: Value::Null, placeholders: false };
        prop_assert_eq!(Expression::compile("order").unwrap().evaluate(&scope).unwrap(), order);
    }
}

const WORDS: [&str; 62] = [
    "order",
    "steps",
    "ship",
    "'ship'",
    "\"a\"",
    "x",
    "1",
    "-1",
    "0",
    "1.5",
    "2u",
    "9223372036854775807",
    "true",
    "false",
    "null",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ".",
    ",",
    ":",
    "?",
    "+",
    "-",
    "*",
    "/",
    "%",
    "!",
    "==",
    "!=",
    "<",
    "<=",
    "&&",
    "||",
    "in",
    "has",
    "size",
    "map",
    "filter",
    "all",
    "exists",
    "exists_one",
    "matches",
    "contains",
    "string",
    "int",
    "double",
    "type",
    "b'x'",
    "r'\\'",
    "'''",
    "`a`",
    "//",
    "\n",
    "'\\u00e9'",
    "ö",
    "order.lines",
    "steps.ship.outcome",
    "@",
];
