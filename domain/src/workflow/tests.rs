//! The shipped files, a file for each kind of fault, and random files.

use crate::order::Mode;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const WITH_BACKORDER: &str = include_str!("../../../workflows/order-fulfilment.yaml");
const WITHOUT_BACKORDER: &str = include_str!("../../../workflows/order-fulfilment-without-backorder.yaml");
const PARALLEL: &str = include_str!("../../../workflows/order-parallel.yaml");
const SCHEMA: &str = include_str!("../../../workflows/schema.json");

fn parsed(source: &str) -> Workflow {
    Workflow::parse(source).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn the_shipped_workflows_are_without_fault() {
    for source in [WITH_BACKORDER, WITHOUT_BACKORDER, PARALLEL] {
        let workflow = parsed(source);
        assert_eq!(workflow.version, 1);
        assert_eq!(workflow.source, source);
        assert_eq!(workflow.step("record-canceled").unwrap().sets_status.as_deref(), Some("Canceled"));
    }
}

#[test]
fn a_backorder_waits_for_thirty_days_where_there_are_backorders() {
    let with = parsed(WITH_BACKORDER);
    let ship = with.step("ship").unwrap();
    assert_eq!(ship.mode, Mode::Request);
    assert_eq!(ship.interim["backordered"], Duration::from_hours(30 * 24));
    assert_eq!(ship.answer_timeout, Duration::from_hours(3 * 24));
    assert_eq!(ship.exchange_timeout, Duration::from_secs(10));
    assert_eq!(ship.undo.as_ref().unwrap().action, "cancel_shipment");

    let without = parsed(WITHOUT_BACKORDER);
    assert_eq!(without.step("ship").unwrap().compensate_on, ["out_of_stock"]);
    assert!(without.step("record-backorder").is_none());
}

#[test]
fn missing_keys_have_defaults() {
    let workflow =
        parsed("workflow: w\nversion: 7\nparticipants: { a: { url: 'http://a' } }\nsteps: { do: { call: a.do } }");
    let step = &workflow.steps[0];
    assert_eq!((step.mode, step.join, &step.retry), (Mode::Call, Join::All, &Retry::default()));
    assert_eq!(step.exchange_timeout, Duration::from_secs(10));
    assert_eq!(step.answer_timeout, Duration::from_hours(24));
    assert_eq!((workflow.version, workflow.compensated.len()), (7, 0));
}

/// Each file under `faulty` begins with comments that list its expected faults, one in each line.
#[test]
fn every_kind_of_fault_is_refused_with_its_place_and_its_reason() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/workflow/faulty");
    let mut kinds = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let source = std::fs::read_to_string(&path).unwrap();
        let expected: Vec<&str> = source.lines().map_while(|line| line.strip_prefix("# ")).collect();
        let faults = Workflow::parse(&source).map(|_| ()).unwrap_err().to_string();
        assert_eq!(faults.lines().collect::<Vec<_>>(), expected, "{}", path.display());
        kinds += 1;
    }
    assert!(kinds >= 25, "only {kinds} kinds");
}

#[test]
fn a_registered_definition_is_read_by_the_rules_of_its_time() {
    for source in [
        "workflow: w\nversion: 1\nparticipants: { a: { url: 'http://a?tenant=blue' } }\nsteps: { do: { call: a.do } }",
        "workflow: w\nversion: 1\nparticipants: { a: { url: 'http://a' } }\nsteps: { do: { call: a.do, when: order.total > 100 } }",
    ] {
        assert_eq!(Workflow::parse(source).unwrap_err().iter().count(), 1, "{source}");
        let workflow = Workflow::registered(source).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(workflow.steps[0].id, "do");
        assert!(Workflow::registered(&source.replace("a.do", "b.do")).is_err(), "what was refused before still is");
    }
}

#[test]
fn a_step_skipped_with_a_guarded_predecessor_gets_a_hint() {
    for source in [WITH_BACKORDER, WITHOUT_BACKORDER, PARALLEL] {
        assert_eq!(parsed(source).hints(), None, "the shipped files mean what they say");
    }
    let source = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  check: { call: p.check }
  approve: { after: [check], when: size(order.lines) > 10, await: approval }
  charge: { after: [approve], call: p.charge }
  thank: { after: [approve], when: order.customer.email != null, call: p.thank }
  ship: { after: [check, approve], call: p.ship }
";
    let hints = parsed(source).hints().unwrap().to_string();
    assert!(hints.starts_with("7:3: steps.charge: is skipped where approve is skipped"), "{hints}");
    assert_eq!(hints.lines().count(), 1, "{hints}");
}

#[test]
fn a_file_that_is_too_large_is_refused_unread() {
    let faults = Workflow::parse(&"#".repeat(256 * 1024 + 1)).unwrap_err().to_string();
    assert_eq!(faults, "1:1: is larger than 256 KiB");
}

#[test]
fn the_schema_has_the_keys_that_are_read() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let keys = |pointer: &str| -> BTreeSet<String> {
        schema.pointer(pointer).and_then(Value::as_object).unwrap().keys().cloned().collect()
    };
    let known = |keys: &[&str]| -> BTreeSet<String> { keys.iter().map(|key| (*key).to_owned()).collect() };
    assert_eq!(keys("/properties"), known(&read::WORKFLOW_KEYS));
    assert_eq!(keys("/$defs/participant/properties"), known(&read::PARTICIPANT_KEYS));
    assert_eq!(keys("/$defs/step/properties"), known(&read::STEP_KEYS));
    assert_eq!(keys("/$defs/retry/properties"), known(&read::RETRY_KEYS));
}

#[test]
fn a_diagram_shows_steps_and_guards() {
    let diagram = parsed(WITH_BACKORDER).diagram();
    assert!(diagram.contains(r#"steps0["create-order<br/>orders.create<br/>undo: orders.cancel"]"#), "{diagram}");
    assert!(diagram.contains(r#"steps2(["ship<br/>"#), "{diagram}");
    assert!(diagram.contains(r#"steps2 -->|"steps.ship.outcome == 'shipped'"| steps3"#), "{diagram}");
    assert!(diagram.contains("subgraph compensated"), "{diagram}");
}

/// An accepted file must be complete. A refused file must have faults with places in the file.
fn read_or_refused(source: &str) -> Result<(), TestCaseError> {
    match Workflow::parse(source) {
        Ok(workflow) => {
            prop_assert!(!workflow.steps.is_empty() && workflow.version >= 1);
            for step in workflow.steps.iter().chain(&workflow.compensated) {
                prop_assert!(step.action.iter().all(|action| workflow.participants.contains_key(&action.participant)));
                prop_assert!(step.after.iter().all(|id| workflow.step(id).is_some()));
            }
            prop_assert!(workflow.diagram().starts_with("flowchart"));
        }
        Err(faults) => {
            let lines = source.split('\n').count() + source.matches('\r').count();
            prop_assert!(faults.iter().next().is_some());
            for fault in &faults {
                prop_assert!(fault.line >= 1 && fault.line <= lines + 1 && fault.column >= 1, "{fault}");
            }
        }
    }
    Ok(())
}

/// A change to a text: what to cut, in ten-thousandths of the whole, and what to insert.
fn change() -> impl Strategy<Value = (usize, usize, String)> {
    let scrap =
        prop_oneof!["[ -~\n]{0,6}", prop::sample::select(SCRAPS.to_vec()).prop_map(str::to_owned), "\\PC{1,3}",];
    (0..10_000_usize, 0..24_usize, scrap)
}

fn changed(source: &str, changes: &[(usize, usize, String)]) -> String {
    let mut characters: Vec<char> = source.chars().collect();
    for (place, length, scrap) in changes {
        let start = characters.len() * place / 10_000;
        let end = (start + length).min(characters.len());
        characters.splice(start..end, scrap.chars());
    }
    characters.into_iter().collect()
}

const SCRAPS: [&str; 36] = [
    "\n",
    "\n  ",
    "\t",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    "|",
    ">",
    "&a ",
    "*a",
    "!t ",
    "#",
    "---\n",
    "...\n",
    "? ",
    "%",
    "@",
    "after: [ship]",
    "ship",
    "steps:",
    "call: orders.x",
    "\r\n",
    "\u{feff}",
    "\u{85}",
    "0",
    "steps.ship",
    "<<: ",
    "\\",
    "\0",
    "order",
    "1ms",
];

proptest! {
    #[test]
    fn any_text_is_read_or_refused(source in "\\PC{0,200}") {
        read_or_refused(&source)?;
    }

    #[test]
    fn any_scraps_of_yaml_are_read_or_refused(scraps in prop::collection::vec(prop::sample::select(SCRAPS.to_vec()), 0..60)) {
        read_or_refused(&scraps.concat())?;
    }

    #[test]
    fn a_workflow_with_a_few_changes_is_read_or_refused(changes in prop::collection::vec(change(), 1..5)) {
        read_or_refused(&changed(WITH_BACKORDER, &changes))?;
    }
}

#[test]
fn a_value_tested_by_a_guard_is_present_for_all_steps_behind_it() {
    let file = |after: &str| {
        format!(
            "workflow: w\nversion: 1\nparticipants: {{ a: {{ url: 'http://a' }} }}\nsteps:\n  label:\n    call: a.label\n    \
             when: order.shipTo != null\n    with: {{ city: order.shipTo.city }}\n  other: {{ call: a.other }}\n  \
             ship:\n    call: a.ship\n    after: {after}\n    with: {{ country: order.shipTo.country }}\n"
        )
    };
    parsed(&file("[label]"));
    let faults = Workflow::parse(&file("[label, other]")).unwrap_err();
    assert_eq!(faults.iter().map(|fault| fault.path.as_str()).collect::<Vec<_>>(), ["steps.ship.with.country"]);
}

#[test]
fn a_value_tested_by_two_guards_stays_present() {
    let step = |id: &str, after: &str| {
        format!(
            "  {id}: {{ after: [{after}], call: a.x, when: order.shipTo != null, with: {{ city: order.shipTo.city }} }}\n"
        )
    };
    parsed(&format!(
        "workflow: w\nversion: 1\nparticipants: {{ a: {{ url: 'http://a' }} }}\nsteps:\n{}{}  last: {{ after: [b], call: a.x, \
         with: {{ country: order.shipTo.country }} }}\n",
        step("a", ""),
        step("b", "a")
    ));
}
