use proptest::prelude::*;
use serde_json::json;

use super::*;

fn fault(text: impl AsRef<[u8]>) -> JsonFault {
    parse(text.as_ref()).unwrap_err().fault
}

#[test]
fn json_values_are_read_unchanged() {
    let text = r#" {"a":[1,-2,0.5,1e2,"é\n\ud83d\ude00",null,true,{}],"":18446744073709551615} "#;
    let expected = json!({"a": [1, -2, 0.5, 100.0, "é\n😀", null, true, {}], "": u64::MAX});
    assert_eq!(parse(text.as_bytes()), Ok(expected));
}

#[test]
fn malformed_text_is_refused_with_line_and_column() {
    let error = parse(b"{\n  \"a\": [1, ]\n}").unwrap_err();
    assert_eq!(error.to_string(), "not valid JSON: trailing comma (line 2, column 12)");
    assert_eq!(error.pointer, "/a/1");
    for text in ["{", "[1 2]", "nul", "{'a':1}", "{\"a\":1} x", "01", "NaN", "[1,]", "\"\n\"", "\u{feff}{}", "// a\n1"]
    {
        assert!(matches!(fault(text), JsonFault::Malformed(_)), "{text:?}");
    }
}

#[test]
fn nothing_is_no_json() {
    assert_eq!(fault(""), JsonFault::Empty);
    assert_eq!(fault(" \r\n\t"), JsonFault::Empty);
}

#[test]
fn bytes_that_are_not_utf8_are_refused_with_their_place() {
    let error = parse(b"{\n\"a\":\"\xff\"}").unwrap_err();
    assert_eq!(error, JsonError { fault: JsonFault::NotUtf8, pointer: String::new(), line: 2, column: 6 });
}

#[test]
fn a_repeated_key_is_refused_with_its_pointer() {
    let error = parse(br#"{"x":[0,{"a/b":1,"a\u002fb":2}]}"#).unwrap_err();
    assert_eq!((error.pointer.as_str(), error.fault), ("/x/1/a~1b", JsonFault::DuplicateKey("a/b".into())));
    assert!(parse(br#"[{"a":1},{"a":2}]"#).is_ok());
}

#[test]
fn nesting_ends_at_the_limit() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(fault(nested(MAX_DEPTH + 1)), JsonFault::TooDeep);
    assert_eq!(fault("{\"a\":".repeat(100_000)), JsonFault::TooDeep);
}

#[test]
fn nul_is_refused_in_strings_and_keys() {
    let error = parse(br#"{"a":["b\u0000"]}"#).unwrap_err();
    assert_eq!((error.pointer.as_str(), error.fault), ("/a/0", JsonFault::Nul));
    assert_eq!(fault(r#"{"a\u0000":1}"#), JsonFault::Nul);
    assert!(parse(br#"["\\u0000"]"#).is_ok());
}

#[test]
fn a_lone_surrogate_is_refused() {
    for text in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\u0041""#, r#"{"\ud800":1}"#] {
        assert!(matches!(fault(text), JsonFault::Malformed(_)), "{text}");
    }
}

#[test]
fn a_number_that_changes_on_a_round_trip_is_refused() {
    for text in
        ["18446744073709551617", "3.14159265358979323846", "1e-400", "-9223372036854775809", "0.1000000000000000000001"]
    {
        assert_eq!(fault(text), JsonFault::InexactNumber(text.into()));
    }
    let error = parse(br#"{"a":["7",8,{"b":9007199254740993.5}]}"#).unwrap_err();
    assert_eq!(error.pointer, "/a/2/b");
    assert!(error.to_string().starts_with("the number 9007199254740993.5 cannot be held exactly"), "{error}");
    for text in ["1e999", "-1e999", "[1e99999999999999999999]"] {
        assert!(matches!(fault(text), JsonFault::Malformed(_)), "{text}");
    }
    for text in ["0.1", "-0", "1e300", "5e-324", "100000000000000000000", "1.10", "9007199254740993", "123456.789e3"] {
        assert!(parse(text.as_bytes()).is_ok(), "{text}");
    }
}

#[test]
fn equal_values_have_one_canonical_text() {
    let one = parse(br#"{"b":[1.0,{"d":null,"c":"\u00e9"}],"a":-0.0,"e":[],"f":{}}"#).unwrap();
    let other = parse(r#"{ "f":{}, "e":[], "a":0, "b":[ 1, {"c":"é","d":null} ] }"#.as_bytes()).unwrap();
    assert_eq!(canonical(&one), r#"{"a":0,"b":[1,{"c":"é","d":null}],"e":[],"f":{}}"#);
    assert_eq!(canonical(&one), canonical(&other));
    assert_eq!(canonical(&json!(1e19)), canonical(&json!(10_000_000_000_000_000_000_u64)));
}

/// Any value within the limits that can be written as JSON.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let text = "[^\0]{0,12}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text, inner, 0..4).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn any_scrap_of_json_is_read_or_refused_without_a_panic(text in r#"([\[\]{}:,"\\0-9eE.+-]|null|\\u00|\\ud8){0,24}"#) {
        let ours = parse(text.as_bytes());
        let theirs = serde_json::from_str::<Value>(&text);
        // We accept nothing that the parser refuses, and return the same value.
        if let Ok(value) = ours {
            prop_assert_eq!(value, theirs.unwrap());
        }
    }

    #[test]
    fn what_is_written_reads_back_equal(value in any_value()) {
        prop_assert_eq!(parse(value.to_string().as_bytes()).unwrap(), value.clone());
        let canonical_text = canonical(&value);
        prop_assert_eq!(canonical(&parse(canonical_text.as_bytes()).unwrap()), canonical_text);
    }
}
