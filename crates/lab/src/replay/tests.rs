//! The texts of a replay.

use domain::replay::Recorded;
use domain::testing::{Story, done, order, unclear};
use domain::wire::Metadata;
use domain::workflow::Workflow;
use uuid::Uuid;

use super::*;
use command_line::output::Palette;

const SOURCE: &str = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  charge: { call: p.charge, retry: { attempts: 3, initial: 1s } }
";

fn workflow(source: &str) -> Workflow {
    Workflow::parse(source).unwrap_or_else(|faults| panic!("{faults}"))
}

fn history(workflow: &Workflow) -> Vec<Recorded> {
    let mut story = Story::given(workflow);
    let mut history: Vec<Recorded> = Vec::new();
    let decisions = [
        story.place(order()).events(),
        story.answer("charge", unclear("answered 503\u{1b}")).events(),
        story.tick_after(std::time::Duration::from_secs(1)).events(),
        story.answer("charge", done()).events(),
    ];
    for events in decisions {
        let first = history.len() as u128 + 1;
        for (index, event) in events.into_iter().enumerate() {
            let metadata = Metadata {
                correlation_id: "1".to_owned(),
                causation_id: (index > 0).then(|| Uuid::from_u128(first)),
                traceparent: None,
                actor: None,
                approved_by: None,
                reason: None,
                schema: 1,
                hash: String::new(),
            };
            let revision = history.len() as u64;
            history.push(Recorded { id: Uuid::from_u128(u128::from(revision) + 1), revision, event, metadata });
        }
    }
    history
}

fn with<T>(source: &str, until: usize, see: impl FnOnce(&Life<'_>) -> T) -> T {
    let (history, order) = (history(&workflow(SOURCE)), OrderId::new("1").unwrap());
    let workflow = workflow(source);
    see(&Life { order: &order, workflow: Some(&workflow), history: &history, shown: &history[..until] })
}

fn narrow() -> Page {
    Page { palette: Palette::NONE, width: Some(60) }
}

#[test]
fn a_replay_fits_a_narrow_terminal_and_says_what_happened_and_why() {
    let (text, tally) = with(SOURCE, 6, |life| render::told(life, false, narrow()));
    let golden = "\
Order 1: 6 events in 4 decisions, each of which would be
made so today
";
    assert!(
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .starts_with(&golden.replace('\n', " ")[..golden.len() - 1]),
        "{text}"
    );
    assert!(text.lines().skip(1).all(|line| line.chars().count() <= 60), "{text}");
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "because 1 of 3 attempts used, so there is another one",
        "answered 503\\u{1b}",
        "Decision 3, 1970-01-01 00:00:01.000 UTC, 1.000 s later",
        "then charge is being asked for, attempt 2",
        "now Placed (COMPLETED)",
        "then nothing",
    ] {
        assert!(flat.contains(part), "{part}: {text}");
    }
    assert_eq!(tally.otherwise, 0);
}

#[test]
fn a_decision_that_comes_out_otherwise_is_shown_from_both_sides() {
    let stricter = SOURCE.replace("attempts: 3", "attempts: 1");
    let (text, tally) = with(&stricter, 6, |life| render::told(life, false, narrow()));
    assert_eq!(tally.otherwise, 1);
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("today it would be decided otherwise: only then: charge"), "{text}");
    assert!(flat.contains("1 of which do not come out so today"), "{text}");
}

#[test]
fn a_diff_names_each_field_that_an_event_changed() {
    let (text, _) = with(SOURCE, 3, |life| render::told(life, true, Page { width: None, ..narrow() }));
    assert!(text.contains("status: – → \"Placed\"") && text.contains("steps.charge.attempts: – → 1"), "{text}");
    assert!(text.contains("steps.charge.stage.name: \"in-flight\" → \"backing-off\""), "{text}");
    assert!(text.contains("3 of 6 events in 2 decisions"), "{text}");
}

#[test]
fn programs_get_commands_states_and_verdicts() {
    let (text, _) = with(SOURCE, 3, |life| json::told(life, true));
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&told["events"], &told["decidedAlike"]), (&3.into(), &2.into()));
    let second = &told["decisions"][1];
    assert_eq!((&second["command"]["kind"], &second["command"]["reply"]), (&"answer".into(), &"unclear".into()));
    assert_eq!(second["again"]["same"], true);
    assert_eq!(second["events"][0]["why"]["rule"], "retry");
    assert_eq!(second["events"][0]["state"]["steps"]["charge"]["status"], "RETRYING");
    assert!(second["events"][0]["changes"].as_array().unwrap().iter().any(|c| c["path"] == "steps.charge.failures"));
    assert_eq!(second["pending"][0]["kind"], "wake");
}

#[test]
fn a_part_of_a_decision_is_shown_without_its_rest() {
    let (text, tally) = with(SOURCE, 1, |life| render::told(life, false, narrow()));
    assert!(text.contains("Placed by customer VINET") && !text.contains("StepStarted"), "{text}");
    assert_eq!((tally.decisions, tally.otherwise), (1, 0));
}
