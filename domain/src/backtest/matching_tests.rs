//! Which recorded answer a request of the run gets.

use super::difference_tests::{past, steps};
use super::tests::{tried, tried_with, unknown};
use super::*;
use crate::testing::{answered, done, refused};

#[test]
fn the_input_of_a_person_is_compared_too() {
    let source = steps("  a: { await: approval, with: { total: order.total } }\n  b: { after: [a], call: p.b }\n");
    let past = past(&source, |story| {
        story.signal("a", "approved").whatever();
        story.answer("b", done()).whatever();
    });
    let strict = Options { same_input: true, ..Options::default() };
    assert_eq!(tried_with(&past, &source, &strict).verdict, Verdict::Same);
    let other = source.replace("order.total", "order.currency");
    let verdict = tried_with(&past, &other, &strict).verdict;
    assert_eq!(unknown(verdict), [("a person (approval)".to_owned(), UnknownKind::OtherInput)]);
    assert_eq!(tried(&past, &other), Verdict::Same);
}

#[test]
fn a_renamed_step_gets_the_answer_of_the_removed_one() {
    let then = steps("  first: { call: p.ask, with: { n: '1' } }\n");
    let answered_then = past(&then, |story| story.answer("first", answered("yes")).whatever());
    // With another input, its answer is unknown.
    let other = steps("  third: { call: p.ask, with: { n: '2' } }\n");
    assert_eq!(unknown(tried(&answered_then, &other)), [("p.ask".to_owned(), UnknownKind::OtherInput)]);
    let renamed = steps("  third: { call: p.ask, with: { n: '1' } }\n");
    assert_eq!(tried(&answered_then, &renamed), Verdict::Same);
    // The step of that name has another action now, so another step can get its answer.
    let moved = steps("  third: { call: p.ask, with: { n: '1' } }\n  first: { after: [third], wait: 1s }\n");
    assert_eq!(tried(&answered_then, &moved), Verdict::Same);
    // A step with the same action keeps its answer, even if another step sends its request first.
    let both = steps(
        "  third: { call: p.ask, with: { n: '1' } }\n  first: { after: [third], call: p.ask, with: { n: '1' } }\n",
    );
    assert_eq!(unknown(tried(&answered_then, &both)), [("p.ask".to_owned(), UnknownKind::OtherInput)]);
}

#[test]
fn only_other_answers_to_the_same_action_show_that_its_input_matters() {
    // The answer to `b` differs, but it is the answer to another action.
    let source = |n: &str| {
        steps(&format!(
            "  a: {{ call: p.a, with: {{ n: '{n}' }}, undo: p.c }}\n  b: {{ after: [a], call: p.b, with: {{ m: '1' }} }}\n"
        ))
    };
    let past_of_two = past(&source("1"), |story| {
        story.answer("a", answered("yes")).whatever();
        story.answer("b", answered("no")).whatever();
    });
    assert_eq!(tried(&past_of_two, &source("2")), Verdict::Same);
    // An undo by the same action does not show it either.
    let source = |n: &str| {
        steps(&format!(
            "  a: {{ call: p.turn, with: {{ n: '{n}' }} }}\n  b: {{ after: [a], call: p.b, with: {{ m: '1' }}, undo: p.turn }}\n  c: {{ after: [b], call: p.c }}\n"
        ))
    };
    let past = past(&source("1"), |story| {
        story.answer("a", answered("yes")).whatever();
        story.answer("b", done()).whatever();
        story.answer("c", refused("no")).whatever();
        story.answer("b", done()).whatever();
    });
    assert_eq!(tried(&past, &source("2")), Verdict::Same);
}

#[test]
fn other_answers_to_the_same_input_do_not_show_that_it_matters() {
    let source = |n: &str| {
        steps(&format!(
            "  first: {{ call: p.ask, with: {{ n: '{n}' }} }}\n  \
             second: {{ after: [first], call: p.ask, with: {{ n: '1' }} }}\n"
        ))
    };
    let past = past(&source("1"), |story| {
        story.answer("first", answered("yes")).whatever();
        story.answer("second", answered("no")).whatever();
    });
    assert_eq!(tried(&past, &source("2")), Verdict::Same);
}
