use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{MAX_LINES, MAX_QUANTITY, Violation, check};
use crate::ids::OrderId;
use crate::json;
use crate::order::{Address, Customer, Line, NewOrder};

fn full() -> Value {
    json!({
        "orderId": "10248", "workflow": "order-fulfilment",
        "customer": { "id": "VINET", "name": "Vins et alcools Chevalier", "email": "orders@vinet.example" },
        "currency": "EUR",
        "lines": [
            { "sku": "11", "name": "Queso Cabrales", "quantity": 12, "unitPrice": "14.00" },
            { "sku": "42", "quantity": 1, "unitPrice": "0" },
        ],
        "shipTo": { "name": "Vins et alcools", "street": "59 rue de l'Abbaye", "city": "Reims", "region": null,
                    "postalCode": "51100", "country": "France" },
        "attributes": { "gift": true, "tags": [1, "two", null] },
    })
}

/// The full order with another value at a pointer, which may be new.
fn with(pointer: &str, value: impl Into<Value>) -> Value {
    let mut order = full();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = order.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value.into(),
        _ => parent[name] = value.into(),
    }
    order
}

fn violations(value: &Value) -> Vec<Violation> {
    check(value).unwrap_err()
}

/// The only violation of the full order with another value at a pointer.
#[track_caller]
fn detail(pointer: &str, value: impl Into<Value>) -> String {
    let mut violations = violations(&with(pointer, value));
    assert_eq!(violations.len(), 1, "{violations:?}");
    let violation = violations.remove(0);
    assert_eq!(violation.pointer, pointer, "{}", violation.detail);
    violation.detail
}

#[test]
fn a_full_order_is_accepted_unchanged() {
    let order = check(&full()).unwrap();
    assert_eq!(order.order_id, Some(OrderId::new("10248").unwrap()));
    assert_eq!(order.lines[0].unit_price.to_string(), "14.00");
    assert_eq!(order.total(), Some(Decimal::new(16800, 2)));
    assert_eq!(order.ship_to.unwrap().region, None);
    assert_eq!(order.attributes["tags"], json!([1, "two", null]));
}

#[test]
fn the_smallest_order_has_a_workflow_a_customer_a_currency_and_a_line() {
    let order = json!({ "workflow": "w", "customer": { "id": "c" }, "currency": "USD",
                        "lines": [ { "sku": "s", "quantity": 1, "unitPrice": "1" } ] });
    assert!(check(&order).is_ok());
    let fields = ["/workflow", "/customer", "/currency", "/lines"];
    for field in fields {
        assert_eq!(detail(field, Value::Null), "must be given");
    }
    let pointers: Vec<_> = violations(&json!({})).into_iter().map(|violation| violation.pointer).collect();
    assert_eq!(pointers, fields);
}

#[test]
fn all_violations_are_reported_together() {
    let order = json!({
        "orderId": "a/b", "workflow": "Order", "customer": { "mail": 1, "email": "x" }, "currency": "usd",
        "lines": [ { "sku": "", "quantity": -1, "unitPrice": 1.5 }, 7 ], "shipTo": [], "attributes": "", "colour": 1,
    });
    let mut pointers: Vec<_> = violations(&order).into_iter().map(|violation| violation.pointer).collect();
    pointers.sort_unstable();
    let expected = [
        "/attributes",
        "/colour",
        "/currency",
        "/customer/email",
        "/customer/id",
        "/customer/mail",
        "/lines/0/quantity",
        "/lines/0/sku",
        "/lines/0/unitPrice",
        "/lines/1",
        "/orderId",
        "/shipTo",
        "/workflow",
    ];
    assert_eq!(pointers, expected);
}

#[test]
fn a_request_that_is_not_an_object_is_refused() {
    for (value, found) in [
        (json!(null), "null"),
        (json!([]), "an empty array"),
        (json!([1, 2]), "an array of 2 items"),
        (json!("order"), "the string \"order\""),
        (json!(1.5), "1.5"),
    ] {
        let detail = format!("expected an object, found {found}");
        assert_eq!(violations(&value), [Violation { pointer: String::new(), detail }]);
    }
}

#[test]
fn an_unknown_field_is_a_violation_that_names_the_known_ones() {
    let expected = "unknown field; known in this place are sku, name, quantity, unitPrice";
    assert_eq!(detail("/lines/1/unit_price", "14.00"), expected);
    let mut order = full();
    order["a/b~c"] = Value::Null;
    assert_eq!(violations(&order)[0].pointer, "/a~1b~0c");
    let longest = format!("/{}", "k".repeat(60));
    assert_eq!(violations(&with(&longest, 1))[0].pointer, longest);
    let long = with(&format!("/{}", "k".repeat(5000)), 1);
    assert_eq!(violations(&long)[0].pointer, "");
    assert!(violations(&long)[0].detail.len() < 300);
}

#[test]
fn violations_beyond_the_limit_are_counted() {
    let mut order = full();
    (0..250).for_each(|index| order[format!("field{index}")] = Value::Null);
    let violations = violations(&order);
    assert_eq!(violations.len(), 101);
    assert_eq!(violations[100].detail, "and 150 more like these");
}

#[test]
fn an_id_keeps_to_its_alphabet() {
    assert_eq!(detail("/orderId", "a\nb"), "must consist of letters, digits, '.', '_', '~' and '-', found '\\n'");
    assert_eq!(detail("/orderId", ""), "must not be empty");
    assert!(detail("/orderId", "x".repeat(65)).contains("64"));
    for name in ["", "Order", "1st", "-a", "order_fulfilment", "ö"] {
        assert!(detail("/workflow", name).starts_with("must start with a lower-case letter"), "{name}");
    }
    assert!(detail("/workflow", "x".repeat(65)).contains("64 characters at most"));
    assert!(check(&with("/workflow", "x".repeat(64))).is_ok());
}

#[test]
fn ids_of_outside_things_are_printable_and_bounded() {
    assert_eq!(detail("/customer/id", ""), "must not be empty: 1 to 128 characters");
    assert_eq!(detail("/customer/id", "x".repeat(129)), "must be at most 128 characters, found 129");
    assert!(check(&with("/customer/id", "ö".repeat(128))).is_ok());
    assert_eq!(detail("/lines/0/sku", "x".repeat(65)), "must be at most 64 characters, found 65");
    assert_eq!(detail("/lines/0/sku", " 11"), "must not start or end with white space, found \" 11\"");
    for strange in ['\0', '\u{7}', '\n', '\u{7f}', '\u{85}', '\u{2028}', '\u{202e}'] {
        for pointer in ["/customer/id", "/customer/name", "/lines/0/sku", "/lines/0/name", "/shipTo/street"] {
            let expected =
                format!("must not contain control characters, found U+{:04X} as character 2", strange as u32);
            assert_eq!(detail(pointer, format!("a{strange}b")), expected);
        }
    }
    assert_eq!(detail("/shipTo/city", "x".repeat(201)), "must be at most 200 characters, found 201");
    assert!(check(&with("/customer/name", "")).is_ok());
}

#[test]
fn a_mail_address_is_one_that_can_be_sent_to() {
    for address in ["a@b.example", "a.b+c@sub.example.com", "ü@münchen.example", "root@localhost", "o'hara@x-y.example"]
    {
        assert!(check(&with("/customer/email", address)).is_ok(), "{address}");
    }
    for address in [
        "",
        "a",
        "@b.example",
        "a@",
        "a b@c.example",
        "a@b c.example",
        "a@b@c.example",
        ".a@b.example",
        "a..b@c.example",
        "a@-b.example",
        "a@b..example",
        "a@.example",
        "a@b.example.",
        "<a@b.example>",
        "a,b@c.example",
        "a@[127.0.0.1]",
    ] {
        let detail = detail("/customer/email", address);
        assert!(detail.starts_with("must be a mail address such as"), "{address}: {detail}");
    }
    assert!(detail("/customer/email", "a@b.example\r\nBcc: c@d.example").contains("U+000D"));
    assert!(detail("/customer/email", format!("{}@b.example", "a".repeat(65))).contains("64 bytes"));
    assert!(detail("/customer/email", format!("a@{}", "b.".repeat(130) + "c")).contains("254"));
}

#[test]
fn a_mail_address_is_measured_in_bytes_and_may_have_all_that_is_allowed() {
    let longest = format!("{}@{}.{}.{}", "a".repeat(64), "b".repeat(63), "c".repeat(63), "d".repeat(61));
    assert_eq!(longest.len(), 254);
    assert!(check(&with("/customer/email", longest.clone())).is_ok());
    // As many characters, and a byte more.
    let byte_more = longest.replacen("bb", "é", 1) + "d";
    assert_eq!((byte_more.chars().count(), byte_more.len()), (254, 255));
    assert_eq!(detail("/customer/email", byte_more), "must be at most 254 bytes, found 255");
}

#[test]
fn a_quantity_is_a_positive_integer_written_as_one() {
    for (quantity, found) in [
        (json!(0), "0"),
        (json!(-3), "-3"),
        (json!(1_000_001), "1000001"),
        (json!(u64::MAX), "18446744073709551615"),
        (json!(-1.0), "-1.0"),
        (json!(1e300), "1e+300"),
        (json!(1.5), "1.5"),
        (json!("12"), "the string \"12\""),
        (json!([12]), "an array of one item"),
    ] {
        let expected = format!("expected an integer from 1 to 1000000, found {found}");
        assert_eq!(detail("/lines/0/quantity", quantity), expected);
    }
    assert!(check(&with("/lines/0/quantity", MAX_QUANTITY)).is_ok());
    for written in ["1", "1.0", "1e0", "10e-1"] {
        let text = full().to_string().replace("\"quantity\":12", &format!("\"quantity\":{written}"));
        assert_eq!(check(&json::parse(text.as_bytes()).unwrap()).unwrap().lines[0].quantity, 1, "{written}");
    }
}

#[test]
fn a_price_is_a_decimal_string() {
    for price in ["0", "0.0", "14", "14.0", "14.1200", "999999999999999.99", "007.50", "-0", "-0.00"] {
        assert!(check(&with("/lines/0/unitPrice", price)).is_ok(), "{price}");
    }
    for price in [
        "",
        " 1",
        "1 ",
        "--1",
        "-",
        "- 1",
        "+1",
        "1e3",
        "1E-2",
        "1.",
        ".5",
        "1,50",
        "1.23456",
        "1000000000000000",
        "1_000",
        "0x10",
        "NaN",
        "Infinity",
        "١",
        "1.2.3",
    ] {
        let detail = detail("/lines/0/unitPrice", price);
        assert!(detail.starts_with("expected an amount such as \"14.00\""), "{price}: {detail}");
        assert!(detail.ends_with(&format!("found {price:?}")), "{detail}");
    }
    let hint = "expected an amount as a string, found a number: write \"14.5\" in quotes";
    assert_eq!(detail("/lines/0/unitPrice", 14.5), hint);
}

#[test]
fn an_amount_has_the_minor_units_of_its_currency() {
    let mut order = full();
    let mut check_in = |currency: &str, price: &str| {
        order["currency"] = currency.into();
        order["lines"][0]["unitPrice"] = price.into();
        check(&order)
    };
    for (currency, price, total) in [
        ("EUR", "14", "168.00"),
        ("EUR", "0.1", "1.20"),
        ("JPY", "100", "1200"),
        ("JPY", "100.00", "1200"),
        ("KWD", "14", "168.000"),
        ("KWD", "0.125", "1.500"),
        ("EUR", "0", "0.00"),
    ] {
        assert_eq!(check_in(currency, price).unwrap().total().unwrap().to_string(), total, "{price} {currency}");
    }
    for (currency, price, why) in [
        ("EUR", "14.005", "EUR has 2 digits after the point, such as \"14.00\"; found \"14.005\""),
        ("JPY", "100.50", "JPY has no minor unit: write whole amounts such as \"14\"; found \"100.50\""),
        ("KWD", "0.0005", "KWD has 3 digits after the point, such as \"14.000\"; found \"0.0005\""),
    ] {
        let expected = [Violation { pointer: "/lines/0/unitPrice".into(), detail: why.into() }];
        assert_eq!(check_in(currency, price).unwrap_err(), expected);
    }
}

#[test]
fn discounts_are_negative_lines_of_at_most_the_total() {
    let with_discount = |price: &str| with("/lines/1/unitPrice", price);
    let total = |order: &Value| check(order).unwrap().total().unwrap().to_string();
    assert_eq!(total(&with_discount("-3.50")), "164.50");
    assert_eq!(total(&with_discount("-168.00")), "0.00");
    let negative = violations(&with_discount("-168.01"));
    let why = "the total must not be negative, found -0.01; discounts must not exceed the sum of the other lines";
    assert_eq!(negative, [Violation { pointer: "/lines".into(), detail: why.into() }]);
}

#[test]
fn an_order_has_1_to_500_lines() {
    let line = full()["lines"][0].clone();
    assert_eq!(detail("/lines", json!([])), "expected an array of 1 to 500 items, found an empty array");
    assert!(check(&with("/lines", vec![line.clone(); MAX_LINES])).is_ok());
    let expected = "expected an array of 1 to 500 items, found an array of 501 items";
    assert_eq!(detail("/lines", vec![line; MAX_LINES + 1]), expected);
}

#[test]
fn the_largest_total_is_exact() {
    let line = json!({ "sku": "s", "quantity": MAX_QUANTITY - 1, "unitPrice": "999999999999999.99" });
    let order = check(&with("/lines", vec![line; MAX_LINES])).unwrap();
    assert_eq!(order.total().unwrap().to_string(), "499999499999999995000005.00");
}

#[test]
fn attributes_are_bounded() {
    let keys = |count: usize| (0..count).map(|index| (index.to_string(), Value::Null)).collect::<Map<_, _>>();
    assert!(check(&with("/attributes", keys(64))).is_ok());
    assert_eq!(detail("/attributes", keys(65)), "must have at most 64 keys, found 65");

    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    assert!(check(&with("/attributes/nested", nested(7))).is_ok());
    assert_eq!(detail_of_attribute(&nested(8)), "must be nested at most 8 levels deep");
    assert_eq!(detail_of_attribute(&nested(1000)), "must be nested at most 8 levels deep");

    let room = 16 * 1024 - r#"{"note":""}"#.len();
    assert!(check(&with("/attributes", json!({ "note": "x".repeat(room) }))).is_ok());
    let expected = "must be at most 16384 bytes of JSON, found 16385";
    assert_eq!(detail("/attributes", json!({ "note": "x".repeat(room + 1) })), expected);

    assert_eq!(detail_of_attribute(&json!(["\0"])), "must not contain the NUL character, found \"\\0\"");
    assert!(check(&with("/attributes/note", "two\nlines")).is_ok());
}

fn detail_of_attribute(value: &Value) -> String {
    detail("/attributes", json!({ "nested": value }))
}

#[test]
fn a_field_of_a_wrong_type_is_a_violation_at_its_pointer() {
    let wrong = [json!(true), json!(7), json!(1.5), json!("?\n"), json!([]), json!([[]]), json!({"?": 1})];
    let mut pointers = Vec::new();
    collect_pointers(&full(), "", &mut pointers);
    assert_eq!(pointers.len(), 30);
    for pointer in &pointers {
        for value in &wrong {
            let free = pointer.starts_with("/attributes/") || (pointer == "/attributes" && value.is_object());
            let fits = pointer == "/lines/0/quantity" || pointer == "/lines/1/quantity";
            if free || (fits && *value == json!(7)) {
                continue;
            }
            let violations = violations(&with(pointer, value.clone()));
            // What is wrong in an array or an object is reported where it is wrong.
            let inside = format!("{pointer}/");
            let holds_parts = value.is_array() || value.is_object();
            let reported = |place: &str| place == pointer || (holds_parts && place.starts_with(&inside));
            assert!(violations.iter().all(|it| reported(&it.pointer)), "{pointer} = {value}: {violations:?}");
        }
    }
}

/// The pointers to all that is in a value, itself left out.
fn collect_pointers(value: &Value, pointer: &str, pointers: &mut Vec<String>) {
    if !pointer.is_empty() {
        pointers.push(pointer.to_owned());
    }
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, item)| collect_pointers(item, &format!("{pointer}/{index}"), pointers)),
        Value::Object(map) => {
            map.iter().for_each(|(key, item)| collect_pointers(item, &format!("{pointer}/{key}"), pointers));
        }
        _ => {}
    }
}

fn any_line() -> impl Strategy<Value = Line> {
    let price = (0..1_000_000_000_000_000_i64, 0..=2_u32).prop_map(|(digits, scale)| Decimal::new(digits, scale));
    ("[!-~ö]{1,64}", prop::option::of("[^\\pC\\pZ]{0,200}"), 1..=MAX_QUANTITY, price)
        .prop_map(|(sku, name, quantity, unit_price)| Line { sku, name, quantity, unit_price })
}

fn any_address() -> impl Strategy<Value = Address> {
    let text = || prop::option::of("[^\\pC\\pZ]{0,40}( [^\\pC\\pZ]{0,40})?");
    (text(), text(), text(), text(), text(), text()).prop_map(|(name, street, city, region, postal_code, country)| {
        Address { name, street, city, region, postal_code, country }
    })
}

fn any_order() -> impl Strategy<Value = NewOrder> {
    let order_id = prop::option::of("[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,63}".prop_map(|id| OrderId::new(id).unwrap()));
    let customer =
        ("[!-~]{1,128}", prop::option::of("[^\\pC\\pZ]{0,200}"), prop::option::of("[a-z]{1,9}@[a-z]{1,9}\\.example"))
            .prop_map(|(id, name, email)| Customer { id, name, email });
    let attributes = prop::collection::btree_map("[^\0]{0,12}", json::tests::any_value(), 0..4);
    (
        order_id,
        "[a-z][a-z0-9-]{0,63}",
        customer,
        prop::sample::select(vec!["EUR", "USD", "KWD", "XCG"]),
        prop::collection::vec(any_line(), 1..5),
        prop::option::of(any_address()),
        attributes,
    )
        .prop_map(|(order_id, workflow, customer, currency, lines, ship_to, attributes)| NewOrder {
            order_id,
            workflow,
            customer,
            currency: currency.to_owned(),
            lines,
            ship_to,
            attributes: attributes.into_iter().collect(),
        })
}

proptest! {
    #[test]
    fn any_json_is_accepted_or_refused_with_a_reason(value in json::tests::any_value()) {
        prop_assert!(!violations(&value).is_empty());
    }

    #[test]
    fn any_json_as_a_field_is_accepted_or_refused_with_a_reason(
        value in json::tests::any_value(),
        place in any::<prop::sample::Index>(),
    ) {
        let mut pointers = Vec::new();
        collect_pointers(&full(), "", &mut pointers);
        if let Err(violations) = check(&with(place.get::<String>(&pointers), value)) {
            prop_assert!(!violations.is_empty());
        }
    }

    #[test]
    fn a_total_has_its_currencys_digits_and_is_the_exact_sum(
        currency in prop::sample::select(vec!["EUR", "JPY", "KWD"]),
        lines in prop::collection::vec((-1_000_000_i64..1_000_000, 1..=MAX_QUANTITY), 1..20),
    ) {
        let digits = super::minor_units(currency).unwrap();
        let prices: Vec<Decimal> = lines.iter().map(|(price, _)| Decimal::new(*price, digits)).collect();
        let sum: Decimal = prices.iter().zip(&lines).map(|(price, (_, quantity))| price * Decimal::from(*quantity)).sum();
        let mut order = full();
        order["currency"] = currency.into();
        let line = |(price, (_, quantity)): (&Decimal, &(i64, u32))| {
            json!({ "sku": "s", "quantity": quantity, "unitPrice": price.normalize().to_string() })
        };
        order["lines"] = prices.iter().zip(&lines).map(line).collect();
        match check(&order) {
            Ok(order) => {
                let total = order.total().unwrap();
                prop_assert_eq!((total, total.scale()), (sum, digits));
                prop_assert!(!total.is_sign_negative());
            }
            Err(violations) => {
                prop_assert!(sum.is_sign_negative());
                prop_assert_eq!(violations[0].pointer.as_str(), "/lines");
            }
        }
    }

    #[test]
    fn an_order_that_is_written_is_read_back_equal(order in any_order()) {
        let written = serde_json::to_vec(&order).unwrap();
        let read = check(&json::parse(&written).unwrap()).unwrap();
        prop_assert_eq!(read.fingerprint(), order.fingerprint());
        prop_assert_eq!(read, order);
    }
}
