//! The matrix on the shipped workflows, and on workflows whose mistakes only a life shows.

use super::*;
use crate::testing::order;

fn report(source: &str) -> MatrixReport {
    run(&Workflow::parse(source).unwrap_or_else(|faults| panic!("{faults}")), &order(), &Samples::new())
}

#[track_caller]
fn assert_all_right(report: &MatrixReport) {
    let first: Vec<_> = report.failures.iter().take(3).collect();
    assert!(first.is_empty(), "{} of {} went wrong: {first:#?}", report.wrong(), report.cases());
    assert_eq!(report.never_begun, Vec::<String>::new());
}

#[track_caller]
fn assert_passes(source: &str) {
    let report = report(source);
    println!("{} cases: {:?}", report.cases(), report.kinds);
    assert_all_right(&report);
    assert!(report.cases() > 1000, "{}", report.cases());
}

#[test]
fn order_fulfilment_passes_the_matrix() {
    assert_passes(include_str!("../../../workflows/order-fulfilment.yaml"));
}

#[test]
fn order_fulfilment_without_backorder_passes_the_matrix() {
    assert_passes(include_str!("../../../workflows/order-fulfilment-without-backorder.yaml"));
}

#[test]
fn order_parallel_passes_the_matrix() {
    assert_passes(include_str!("../../../workflows/order-parallel.yaml"));
}

#[test]
fn waits_persons_branches_and_events_pass_the_matrix() {
    let report = report(
        "workflow: w
version: 1
participants: { p: { url: 'http://p' }, e: { events: true } }
steps:
  a: { request: e.a, undo: e.not-a, timeout: 1h }
  b: { call: p.b, undo: p.not-b }
  c: { after: [a, b], join: any, await: approval, timeout: 1d, outcomes: [yes, no], on-timeout: no, compensate-on: [no] }
  d: { after: [c], wait: 1d }
  e: { after: [a, b, d], call: p.e, undo: p.not-e, with: { n: steps.a.data.deep.number } }
compensated:
  z: { request: e.z }
result: steps.a.data.deep",
    );
    assert_all_right(&report);
}

#[test]
fn a_missing_required_outcome_passes_the_matrix_for_calls_and_requests() {
    let report = report(
        "workflow: w
version: 1
participants: { p: { url: 'http://p' }, e: { events: true } }
steps:
  a: { request: e.a, undo: e.not-a, outcome: required }
  b: { after: [a], call: p.b, undo: p.not-b, outcome: required }",
    );
    assert_all_right(&report);
}

#[test]
fn split_decisions_pass_the_matrix() {
    // A log that takes one or two events in one append, so that every decision is split.
    let workflow = Workflow::parse(include_str!("../../../workflows/order-parallel.yaml")).unwrap();
    for decision in [1, 2_500] {
        let limits = Limits { decision, ..Limits::LOG };
        let life = Life::run(&workflow, &order(), &cases::paths(&workflow, &Samples::new())[0], limits);
        assert!(life.history.iter().filter(|event| event.type_name() == "DecisionSplit").count() > 2);
        assert_all_right(&run_within(&workflow, &order(), &Samples::new(), limits, &mut |_| ControlFlow::Continue(())));
    }
}

#[test]
fn an_expression_that_has_no_value_is_found() {
    let report = report(
        "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  a: { call: p.a }
  b: { after: [a], call: p.b, when: steps.a.data.score > 5 }",
    );
    assert!(report.failures[0].wrong.iter().any(|wrong| wrong.contains("b: `when` has no answer")), "{report:#?}");
    assert_eq!(report.never_begun, ["b"]);
}

#[test]
fn samples_replace_generated_data() {
    let source = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  a: { call: p.a }
  b: { after: [a], call: p.b, when: steps.a.data.score > 5 }";
    let samples = Samples::from([("a".to_owned(), serde_json::json!({ "score": 7 }))]);
    assert_all_right(&run(&Workflow::parse(source).unwrap(), &order(), &samples));
}

/// In each life, the guard of `b` reads a text as a number.
const WITHOUT_VALUE: &str = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  a: { call: p.a, undo: p.not-a, outcomes: [yes, no] }
  b: { after: [a], call: p.b, when: steps.a.data.score > 5 }";

#[test]
fn every_life_with_faults_is_counted_and_the_first_ones_are_described() {
    let report = report(WITHOUT_VALUE);
    assert_eq!(report.failures.len(), MAX_FAILURES);
    assert!(report.wrong() > MAX_FAILURES && report.wrong() <= report.cases(), "{:?}", report.kinds);
}

#[test]
fn a_matrix_shows_how_far_it_is_and_ends_when_its_watcher_breaks() {
    let workflow = Workflow::parse(WITHOUT_VALUE).unwrap();
    let mut seen = Vec::new();
    let report = run_watched(&workflow, &order(), &Samples::new(), &mut |explored| {
        seen.push((explored.report.cases(), explored.paths, explored.all_paths));
        if explored.paths == 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let last = *seen.last().unwrap();
    assert_eq!(last, (report.cases(), 1, 2), "it ends with the first life of the second path");
    assert!(seen.iter().enumerate().all(|(index, (cases, ..))| *cases == index + 1), "each life is seen");
    let whole = run(&workflow, &order(), &Samples::new());
    assert!(report.cases() < whole.cases());
}
