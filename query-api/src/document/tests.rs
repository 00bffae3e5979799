//! Which documents are refused before the library reads them, and which are not.

#![expect(clippy::format_collect, reason = "a document is made once in a test")]

use async_graphql::{Pos, Variables};
use serde_json::json;

use super::excess::{MAX_JSON_DEPTH, MAX_JSON_VALUES, MAX_NESTING, MAX_TOKENS};
use super::*;
use crate::code::ErrorCode;

fn refusal(query: impl Into<String>) -> String {
    refusal_of(Request::new(query))
}

fn refusal_of(request: Request) -> String {
    let Err(error) = Document::read(request) else { panic!("it is read") };
    let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code")).cloned();
    assert_eq!(code, Some(ErrorCode::DocumentLimit.as_str().into()), "{}", error.message);
    error.message
}

fn weight(query: impl Into<String>) -> usize {
    Document::read(Request::new(query)).map_err(|error| error.message).unwrap().weight.total
}

/// Fragments that each spread the next so many times.
fn chain(fragments: usize, times: usize) -> String {
    let links = (0..fragments)
        .map(|link| format!("fragment f{link} on Query{{{}}}", format!("...f{} ", link + 1).repeat(times)));
    format!("{{...f0}}{}fragment f{fragments} on Query{{__typename}}", links.collect::<String>())
}

#[test]
fn brackets_of_every_kind_are_counted_and_nested_only_so_deep() {
    for (open, close, before, after) in [
        ("[", "]", "{__typename@skip(if:", ")}"),
        ("{a:", "}", "{order(id:", "){id}}"),
        ("{a", "}", "", ""),
        ("...{", "}", "{", "}"),
        ("[", "]", "query($v:", "Int){__typename}"),
        ("[", "]", "query($v:Int=", "){__typename}"),
        ("[", "]", "query($v:Int@d(a:", ")){__typename}"),
        ("[", "]", "fragment f on Query@d(a:", "){id}"),
    ] {
        for count in [MAX_NESTING + 1, 1_650, 7_000] {
            let nested = format!("{before}{}{}{after}", open.repeat(count), close.repeat(count));
            assert!(refusal(&nested).contains("nested deeper than 50"), "{before}");
            // Nor does it take the closing ones.
            assert!(refusal(format!("{before}{}", open.repeat(count))).contains("nested deeper than 50"));
        }
    }
}

#[test]
fn a_bracket_in_a_text_or_a_comment_is_none() {
    let brackets = "[".repeat(500);
    for fine in [
        format!("{{order(id:\"{brackets}\"){{id}}}}"),
        format!("{{order(id:\"\\\"{brackets}\"){{id}}}}"),
        format!("{{order(id:\"\"\"{brackets} \\\"\"\" \" \n {brackets}\"\"\"){{id}}}}"),
        format!("{{#{brackets}\n__typename}}"),
        format!("{{#{brackets}\r__typename}}"),
    ] {
        assert!(Document::read(Request::new(&fine)).is_ok(), "{fine}");
    }
    // What ends them early shows the brackets behind.
    for hidden in [
        format!("{{a(b:\"\",c:{brackets}"),
        format!("{{a(b:\"\\\\\",c:{brackets}"),
        format!("{{#\"\n{brackets}"),
        format!("{{a(b:\"\"\"\\\"\"\" \"\"\",c:{brackets}"),
        format!("{{a(b:\"#\",c:{brackets}"),
    ] {
        assert!(refusal(&hidden).contains("nested deeper"), "{hidden}");
    }
}

#[test]
fn a_block_string_without_an_end_is_not_taken_for_an_empty_one_with_brackets_behind() {
    assert!(refusal(format!("{{a(b:[\"\"\"x\"{}", "[".repeat(2_000))).contains("has no end"));
}

#[test]
fn an_error_has_the_place_in_the_document() {
    let error = Document::read(Request::new(format!("{{a\n  b(c:{}", "[".repeat(60)))).err().unwrap();
    assert_eq!(error.locations, [Pos { line: 2, column: 7 + 48 }]);
}

#[test]
fn tokens_and_names_are_bounded() {
    assert!(Document::read(Request::new(format!("{{{}}}", "a ".repeat(MAX_TOKENS - 2)))).is_ok());
    assert!(refusal(format!("{{{}}}", "a ".repeat(MAX_TOKENS))).contains("more than 15000 tokens"));
    assert!(refusal(format!("{{{}}}", "a".repeat(300))).contains("300 bytes"));
    assert!(refusal_of(Request::new("{a}").operation_name("n".repeat(300))).contains("`operationName` has 300 bytes"));
}

#[test]
fn fragments_are_weighed_without_writing_them_out() {
    // 6^30 is more than can be counted in 64 bits.
    assert!(refusal(chain(30, 6)).contains(&format!("{}", usize::MAX)));
    assert!(refusal(chain(24, 2)).contains("at most 30000 are allowed"));
    assert!(refusal(chain(1_500, 1)).contains("1501 fragments"));
    assert!(refusal(chain(150, 1)).contains("with fragments written out; at most 32 levels"));
    // Those that no operation spreads are visited as well.
    let unused = format!("{{__typename}}{}", chain(30, 6).trim_start_matches("{...f0}"));
    assert!(refusal(unused).contains("at most 30000 are allowed"));
    assert_eq!(weight("{...a ...a} fragment a on Query{x y}"), 2 + 2 * 2 + 2);
}

#[test]
fn a_fragment_that_spreads_itself_is_named() {
    for cycle in [
        "{...a} fragment a on Query{...a ...a}",
        "{x} fragment a on Query{...b ...b} fragment b on Query{...c} fragment c on Query{x{...b}}",
    ] {
        let message = refusal(cycle);
        assert!(
            message.contains("spreads itself")
                && (message.contains("`a`") || message.contains("`b`") || message.contains("`c`")),
            "{message}"
        );
    }
}

#[test]
fn everything_that_a_rule_walks_over_has_a_weight() {
    for (query, expected) in [
        ("{__typename}", 1),
        ("{a: __typename b: __typename}", 2),
        ("{a(x: 1, y: [1, 2], z: {k: 1})}", 1 + (1 + 1) + (1 + 3) + (1 + 2)),
        ("{a @skip(if: true) @include(if: true)}", 1 + 2 * 3),
        ("query($v: Int = 1) {a(x: $v)}", 2 + 1 + 1 + 1),
        ("{... {a}}", 2),
    ] {
        assert_eq!(weight(query), expected, "{query}");
    }
    let text = format!("{{a(x: \"{}\")}}", "x".repeat(6_400));
    assert_eq!(weight(text), 1 + 1 + 1 + 100);
}

#[test]
fn a_large_variable_weighs_wherever_it_is_used() {
    let uses = |count: usize| {
        let fields: String = (0..count).map(|field| format!("a{field}: order(id: $v) {{id}} ")).collect();
        let variables = Variables::from_json(json!({ "v": vec![0; 1_000] }));
        Request::new(format!("query ($v: [Int]) {{{fields}}}")).variables(variables)
    };
    assert!(Document::read(uses(10)).is_ok());
    assert!(refusal_of(uses(40)).contains("at most 30000 are allowed"));
    let default = |count: usize| {
        let uses = "a(x: $v) ".repeat(count);
        format!("query ($v: [Int] = [{}]) {{{uses}}}", "0 ".repeat(1_000))
    };
    assert!(Document::read(Request::new(default(10))).is_ok());
    assert!(refusal(default(40)).contains("at most 30000 are allowed"));
}

#[test]
fn what_is_compared_with_one_another_is_bounded_in_number() {
    let operations: String = (0..60).map(|operation| format!("query q{operation} {{a}} ")).collect();
    assert!(refusal(operations).contains("60 operations"));
    let variables: String = (0..300).map(|variable| format!("$v{variable}: Int ")).collect();
    assert!(refusal(format!("query ({variables}) {{a}}")).contains("300 variables"));
    assert!(refusal(format!("{{a {}}}", "@skip(if: true) ".repeat(11))).contains("11 directives"));
    assert!(refusal(format!("{{... {} {{a}}}}", "@skip(if: true) ".repeat(11))).contains("11 directives"));
    assert!(refusal(format!("query {} {{a}}", "@d ".repeat(11))).contains("11 directives"));
    assert!(refusal(format!("query ($v: Int {}) {{a}}", "@d ".repeat(11))).contains("11 directives"));
    assert!(refusal(format!("{{...f}} fragment f on Query {} {{a}}", "@d ".repeat(11))).contains("11 directives"));
    let arguments: String = (0..65).map(|argument| format!("a{argument}: 1 ")).collect();
    assert!(refusal(format!("{{a({arguments})}}")).contains("65 arguments"));
    assert!(refusal(format!("{{a @d({arguments})}}")).contains("65 arguments"));
}

#[test]
fn json_is_bounded_in_depth_and_number() {
    let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    let check = |value: serde_json::Value| {
        check_json("variables", json!({ "v": value }).as_object().unwrap()).map_err(|excess| excess.to_string())
    };
    assert_eq!(check(nested(MAX_JSON_DEPTH - 1)), Ok(()));
    assert!(check(nested(MAX_JSON_DEPTH)).unwrap_err().contains("nested deeper than 32"));
    assert_eq!(check(json!(vec![0; MAX_JSON_VALUES - 1])), Ok(()));
    assert!(check(json!(vec![0; MAX_JSON_VALUES])).unwrap_err().contains("more than 10000 values"));
}

#[test]
fn a_syntax_error_stays_the_parsers() {
    for wrong in ["", "{", "{a(b:\"", "{a(b:'x')}", "query", "{a}}", "fragment f on Query {a}"] {
        let error = Document::read(Request::new(wrong)).err().unwrap();
        assert!(error.extensions.is_none() && !error.message.is_empty(), "{wrong}");
    }
}
