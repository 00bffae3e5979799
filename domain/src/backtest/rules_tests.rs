//! What rules answer: their guards, their bounds, and their data.

use serde_json::json;

use super::itself_tests::run_events_with;
use super::tests::{SOURCE, rules, shipped, shipped_and_sealed, tried_with, unknown, workflow};
use super::*;
use crate::order::Event;

#[test]
fn unquoted_data_are_typed_and_quoted_data_are_text() {
    let text = "answers:
  p.ship:
    - outcome: shipped
      data: { n: 1.5, i: 7, yes: true, no: false, quoted: 'true', not: \"false\", digits: '1', list: [a, 2, '2', ~], nothing: ~, word: word }
";
    let events = run_events_with(&shipped(), SOURCE, &rules(text, SOURCE));
    let result = events.iter().find_map(|event| match event {
        Event::OrderCompleted(e) => Some(e.result.clone()),
        _ => None,
    });
    let expected = json!({
        "n": 1.5, "i": 7, "yes": true, "no": false, "quoted": "true", "not": "false", "digits": "1",
        "list": ["a", 2, "2", null], "nothing": null, "word": "word",
    });
    assert_eq!(result, Some(expected));
}

#[test]
fn an_entry_holds_up_to_a_thousand_rules() {
    let of = |count: usize| format!("answers: {{ p.thank: [{}] }}", vec!["{}"; count].join(", "));
    for (count, is_allowed) in [(1, true), (999, true), (1_000, true), (1_001, false), (1_002, false)] {
        let read = Rules::parse(&of(count), &workflow(SOURCE));
        assert_eq!(read.is_ok(), is_allowed, "{count}");
        if let Err(faults) = read {
            assert!(faults.to_string().contains("must hold from 1 to 1000 rules"), "{faults}");
        }
    }
}

#[test]
fn a_rule_that_reads_sealed_personal_data_leaves_its_answer_unknown() {
    let (readable, past) = (shipped(), shipped_and_sealed());
    let rule = |guard: &str| rules(&format!("answers: {{ p.thank: [{{ when: \"{guard}\" }}] }}"), SOURCE);
    let harmless = rule("double(order.total) > 1.0 && order.customer.name != null");
    assert_eq!(tried_with(&past, SOURCE, &harmless).verdict, Verdict::Same);
    let curious = rule("order.customer.name.startsWith('V')");
    assert_eq!(tried_with(&readable, SOURCE, &curious).verdict, Verdict::Same);
    let verdict = tried_with(&past, SOURCE, &curious).verdict;
    assert_eq!(unknown(verdict), [("p.thank".to_owned(), UnknownKind::PersonalData)]);
}
