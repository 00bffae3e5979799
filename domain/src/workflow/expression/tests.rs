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
fn values_come_back_as_the_json_they_were() {
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
fn a_map_is_gone_through_in_the_order_of_its_keys() {
    assert_eq!(value("order.attributes.map(k, k)"), json!(["a", "b", "big", "c", "d", "half"]));
    assert_eq!(value("{'z': 1, 'y': 2, 'x': 3}.filter(k, k != 'y')"), json!(["x", "z"]));
}

#[test]
fn what_json_has_not_is_an_error() {
    for source in ["{1: 2}", "double('NaN')", "1.0 / 0.0", "b'abc'", "[double('Infinity')]"] {
        assert!(matches!(failure(source), EvaluationError::NotJson(_)), "{source}");
    }
}

#[test]
fn an_error_says_what_is_missing_and_no_values() {
    assert_eq!(failure("order.nothing").to_string(), "there is no 'nothing'");
    assert_eq!(failure("order.id + 1").to_string(), "'add' does not work between string and int");
    assert_eq!(failure("double(order.currency)").to_string(), "double() cannot work with what it is given");
    assert_eq!(failure("1 / 0").to_string(), "division by zero");
    let guard = Expression::compile("order.total").unwrap();
    assert_eq!(guard.holds(&scope()).unwrap_err().to_string(), "must be true or false, is a text");
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

#[test]
fn too_much_work_is_given_up() {
    let lines = (0..1000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let source = format!(
        "[{}].map(a, order.many.map(b, order.many.map(c, order.many.map(d, 1))))",
        &lines[..2000].trim_end_matches(|c| c != ',').trim_end_matches(',')
    );
    let mut scope = scope();
    scope.order["many"] = json!((0..1000).collect::<Vec<_>>());
    assert_eq!(Expression::compile(&source).unwrap().evaluate(&scope), Err(EvaluationError::TooMuchWork));
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
    fn json_survives_the_way_through_an_expression(number in any::<f64>(), int in any::<i64>(), uint in any::<u64>(), text in ".*") {
        let order = json!([number, int, uint, text, {"a": [null, true]}]);
        let scope = Scope { order: order.clone(), steps: Value::Null };
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

#[test]
fn what_needs_no_evaluation_comes_to_what_an_evaluation_comes_to() {
    for outcome in [json!("shipped"), json!(""), json!(null), json!(1), json!(true), json!(["shipped"])] {
        let scope = Scope { steps: json!({ "ship": { "outcome": outcome } }), ..scope() };
        for path in ["steps.ship.outcome", "steps['ship'].outcome", "steps.ship.nothing"] {
            for operator in ["==", "!="] {
                for literal in ["'shipped'", "''", "null", "1"] {
                    let text = format!("{path} {operator} {literal}");
                    let short = Expression::compile(&text).unwrap().holds(&scope);
                    let long = Expression::compile(&format!("({text}) || false")).unwrap().holds(&scope);
                    assert_eq!(short.is_ok(), long.is_ok(), "{text} of {outcome}");
                    assert_eq!(short.ok(), long.ok(), "{text} of {outcome}");
                }
            }
        }
    }
}
