//! What a filter refuses, and how it is written.

use std::time::Duration;

use crate::Timestamp;
use crate::order::StepStatus;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::*;

fn faults(filter: OrderFilter) -> Vec<(String, String)> {
    let faults = filter.checked().unwrap_err();
    faults.into_iter().map(|fault| (fault.pointer(), fault.to_string())).collect()
}

fn attribute(path: &[&str], value: Option<Value>) -> OrderFilter {
    let path = path.iter().map(|key| (*key).to_owned()).collect();
    OrderFilter { attributes: vec![AttributeFilter { path, value }], ..OrderFilter::default() }
}

#[test]
fn a_nul_is_refused_in_every_text_with_the_field_that_has_it() {
    let (text, texts) = (|| Some("a\0b".to_owned()), || Some(vec!["a".to_owned(), "a\0b".to_owned()]));
    let any = OrderFilter::default;
    let step = StepFilter { name: text(), ..StepFilter::default() };
    let asked = StepFilter { participants: texts(), ..StepFilter::default() };
    let workflow = WorkflowFilter { name: "\0".to_owned(), version: None };
    for (filter, place) in [
        (OrderFilter { statuses: texts(), ..any() }, "/status/1"),
        (OrderFilter { customers: texts(), ..any() }, "/customer/1"),
        (OrderFilter { placed_by: texts(), ..any() }, "/placedBy/1"),
        (OrderFilter { skus: texts(), ..any() }, "/sku/1"),
        (OrderFilter { workflow: Some(workflow), ..any() }, "/workflow/name"),
        (OrderFilter { step: Some(step), ..any() }, "/step/name"),
        (OrderFilter { step: Some(asked), ..any() }, "/step/participant/1"),
        (OrderFilter { stuck_reason: text(), ..any() }, "/stuckReason"),
        (attribute(&["a", "b\0"], None), "/attributes/0/path/1"),
        (attribute(&["a"], Some(json!([{ "b": "\0" }]))), "/attributes/0/value"),
        (attribute(&["a"], Some(json!({ "\0": 1 }))), "/attributes/0/value"),
    ] {
        let faults = faults(filter);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(faults[0].0, place);
        assert!(faults[0].1.contains("must have no NUL"), "{faults:?}");
    }
}

#[test]
fn everything_is_bounded_and_a_fault_names_its_place() {
    let any = OrderFilter::default;
    let many = OrderFilter { skus: Some(vec![String::new(); MAX_VALUES + 1]), ..any() };
    assert_eq!(faults(many), [("/sku".to_owned(), "`sku` takes at most 100 values".to_owned())]);
    let none = OrderFilter { step: Some(StepFilter::default()), ..any() };
    assert_eq!(faults(none), [("/step".to_owned(), format!("`step` takes at least one of {STEP_FIELDS}"))]);
    let path = "`attributes[0].path` takes 1 to 10 keys".to_owned();
    assert_eq!(faults(attribute(&[], None)), [("/attributes/0/path".to_owned(), path)]);
    let more = OrderFilter { attributes: vec![attribute(&["a"], None).attributes[0].clone(); 11], ..any() };
    assert_eq!(faults(more), [("/attributes".to_owned(), "`attributes` takes at most 10".to_owned())]);
}

#[test]
fn a_filter_is_written_as_a_batch_reads_it_and_only_with_what_is_given() {
    assert_eq!(serde_json::to_value(OrderFilter::default()).unwrap(), json!({}));
    let filter = OrderFilter {
        states: Some(vec![State::Running]),
        total: AmountRange { at_least: Some(Decimal::new(1050, 2)), at_most: None },
        step: Some(StepFilter {
            statuses: Some(vec![StepStatus::Stuck]),
            participants: Some(vec!["shipping".to_owned()]),
            older_than: Some(Duration::from_mins(90)),
            ..StepFilter::default()
        }),
        ..OrderFilter::default()
    };
    let written = json!({ "state": ["RUNNING"], "total": { "atLeast": "10.50" }, "step": {
        "status": ["STUCK"], "participant": ["shipping"], "olderThan": "90m" } });
    assert_eq!(serde_json::to_value(filter).unwrap(), written);
}

#[test]
fn moments_that_no_order_has_are_brought_to_the_edge() {
    let range = TimeRange { from: Some(Timestamp::MIN_UTC), to: Some(Timestamp::MAX_UTC) };
    let filter = OrderFilter { placed_at: range, ..OrderFilter::default() }.checked().unwrap();
    assert_eq!(filter.placed_at.from.unwrap().to_rfc3339(), "0001-01-01T00:00:00+00:00");
    assert!(filter.placed_at.to.unwrap().timestamp() == 253_402_300_800);
}

#[test]
fn an_age_counts_from_the_moment_of_the_filter_and_narrows_a_given_range() {
    let aged = |to: Option<&str>| {
        let since = TimeRange { from: None, to: to.map(|to| to.parse().unwrap()) };
        let step = StepFilter { since, older_than: Some(Duration::from_hours(1)), ..StepFilter::default() };
        let filter = OrderFilter { step: Some(step), ..OrderFilter::default() }.checked().unwrap();
        let at = filter.at("2026-01-01T12:00:00Z".parse().unwrap()).step.unwrap();
        assert_eq!(at.older_than, None);
        at.since.to.unwrap().to_rfc3339()
    };
    assert_eq!(aged(None), "2026-01-01T11:00:00+00:00");
    assert_eq!(aged(Some("2026-01-01T10:00:00Z")), "2026-01-01T10:00:00+00:00");
    assert_eq!(aged(Some("2026-01-01T11:30:00Z")), "2026-01-01T11:00:00+00:00");
    let too_long = Some(crate::duration::MAX + Duration::from_millis(1));
    let longest = StepFilter { older_than: too_long, ..StepFilter::default() };
    let faults = faults(OrderFilter { step: Some(longest), ..OrderFilter::default() });
    assert_eq!(faults, [("/step/olderThan".to_owned(), format!("`step.olderThan` {NO_AGE}"))]);
}

#[test]
fn an_age_without_a_moment_selects_no_order() {
    let step = StepSummary {
        name: "ship",
        status: StepStatus::Waiting,
        participant: Some("shipping"),
        since: Timestamp::UNIX_EPOCH,
        due_at: None,
    };
    let filter = StepFilter { older_than: Some(Duration::from_hours(1)), ..StepFilter::default() };
    assert!(!filter.selects(&step));
    assert!(filter.at("2026-01-01T12:00:00Z".parse().unwrap()).selects(&step));
}
