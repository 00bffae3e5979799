//! The transition table, whole: each event in each state of an order and a step, legal or refused,
//! and what each legal one changes.
//!
//! Audit and views rely on the fold to refuse what cannot follow, so no guard may change unnoticed.
//! `UPDATE_GOLDEN=1 cargo test -p domain transition` writes the file again: read the difference,
//! rule by rule.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, TimeDelta};
use regex::Regex;
use serde_json::json;

use super::*;
use crate::Timestamp;
use crate::wire::golden_tests::{only, placed};

const STEP: &str = "a";

fn at(seconds: i64) -> Timestamp {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

/// Each stage of a step that was attempted twice, and whose undo was attempted once.
fn stages() -> Vec<(&'static str, Option<Stage>)> {
    use Direction::{Do, Undo};
    let soon = at(50);
    vec![
        ("none", None),
        ("in flight, do", Some(Stage::InFlight { direction: Do, attempt: 2, deadline: soon })),
        ("in flight, undo", Some(Stage::InFlight { direction: Undo, attempt: 1, deadline: soon })),
        ("backing off, do", Some(Stage::BackingOff { direction: Do, attempt: 2, until: soon })),
        ("backing off, undo", Some(Stage::BackingOff { direction: Undo, attempt: 1, until: soon })),
        ("awaiting, do", Some(Stage::Awaiting { direction: Do, deadline: soon })),
        ("awaiting, undo", Some(Stage::Awaiting { direction: Undo, deadline: soon })),
        ("completed", Some(Stage::Completed)),
        ("skipped", Some(Stage::Skipped)),
        ("failed, maybe done", Some(Stage::Failed { maybe_done: true })),
        ("failed, not done", Some(Stage::Failed { maybe_done: false })),
        ("held, maybe done", Some(Stage::Held { maybe_done: true })),
        ("held, not done", Some(Stage::Held { maybe_done: false })),
        ("undone", Some(Stage::Undone)),
        ("undo failed", Some(Stage::UndoFailed)),
    ]
}

/// What differs between two states whose step has the same stage.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Situation {
    phase: Phase,
    paused_at: Option<i64>,
    stuck_at: Option<&'static str>,
    split: bool,
    unsure: bool,
    unsent_since: Option<i64>,
    undo_attempts: u32,
    mode: Mode,
}

impl Situation {
    const PLAIN: Self = Self {
        phase: Phase::Forward,
        paused_at: None,
        stuck_at: None,
        split: false,
        unsure: false,
        unsent_since: None,
        undo_attempts: 1,
        mode: Mode::Call,
    };

    /// Everything that the fold's guards look at besides the stage.
    fn all() -> Vec<Self> {
        let phases = [Phase::Forward, Phase::Undoing, Phase::Compensated, Phase::Completed, Phase::Canceled];
        let mut all = vec![Self { mode: Mode::Request, ..Self::PLAIN }];
        for phase in phases {
            for paused_at in [None, Some(20)] {
                for stuck_at in [None, Some(STEP)] {
                    for split in [false, true] {
                        all.push(Self { phase, paused_at, stuck_at, split, ..Self::PLAIN });
                    }
                }
            }
        }
        all
    }

    fn name(self) -> String {
        let mut name = format!("{:?}", self.phase);
        if let Some(second) = self.paused_at {
            write!(name, ", paused at {second}").unwrap();
        }
        if let Some(step) = self.stuck_at {
            write!(name, ", stuck at {step}").unwrap();
        }
        if let Some(second) = self.unsent_since {
            write!(name, ", unsent since {second}").unwrap();
        }
        for (is, flag) in
            [(self.split, ", split"), (self.unsure, ", unsure"), (self.undo_attempts == 0, ", no undo attempted")]
        {
            name.push_str(if is { flag } else { "" });
        }
        name
    }

    fn state(self, stage: Option<Stage>) -> Order {
        let order = evolve(None, &Event::OrderPlaced(Box::new(placed()))).unwrap();
        let stuck =
            |step: &str| Stuck { step: step.to_owned(), direction: Direction::Undo, reason: "before".to_owned() };
        Order {
            phase: self.phase,
            paused: self.paused_at.map(at),
            stuck: self.stuck_at.map(stuck),
            split: self.split.then(|| at(30)),
            to_retry: self.split.then(|| STEP.to_owned()).into_iter().collect(),
            steps: stage.map(|stage| (STEP.to_owned(), Arc::new(self.step(stage)))).into_iter().collect(),
            requests: [(1, Arc::new(requested(1)))].into(),
            requests_made: 1,
            settled: vec!["first".to_owned(), STEP.to_owned(), "last".to_owned()],
            updated_at: at(30),
            ..order
        }
    }

    fn step(self, stage: Stage) -> StepState {
        StepState {
            stage,
            since: at(10),
            mode: Some(self.mode),
            requested: Some(RequestedAction { participant: "p".to_owned(), action: "before".to_owned() }),
            input: Arc::new(json!("before")),
            placeholders: Some(only("/before")),
            attempts: 2,
            undo_attempts: self.undo_attempts,
            request_since: 1,
            failures: 1,
            unsent_since: self.unsent_since.map(at),
            unsure: self.unsure,
            key_since: 1,
            undo_key_since: 1,
            outcome: Some("before".to_owned()),
            basis: Basis::Answer,
            data: json!("before"),
            answers: Vec::new(),
            undo_answer: None,
            last_error: Some("before".to_owned()),
            started_at: at(5),
            ended_at: None,
            begun_at: TimeDelta::zero(),
        }
    }
}

/// Every event, in each way that the fold can distinguish.
fn events() -> Vec<(String, Event)> {
    let now = at(100);
    let step = || STEP.to_owned();
    let new = || "new".to_owned();
    let mut events = Vec::new();
    for direction in [Direction::Do, Direction::Undo] {
        for attempt in 1..=4 {
            starts(direction, attempt, &mut events);
            failed_attempts(direction, attempt, &mut events);
        }
        ends(direction, &mut events);
    }
    let mut add = |name: &str, event| events.push((name.to_owned(), event));
    add(
        "wait-started",
        Event::WaitStarted(WaitStarted {
            step: step(),
            mode: Mode::Await,
            awaits: None,
            input: Some(json!("new")),
            placeholders: Some(only("/new")),
            deadline: at(200),
            at: now,
        }),
    );
    add("skipped", Event::StepSkipped(StepSkipped { step: step(), because: new(), at: now }));
    add("placed", Event::OrderPlaced(Box::new(placed())));
    add("status", Event::StatusChanged(StatusChanged { status: new(), step: step(), at: now }));
    add("noted", Event::OrderNoted(OrderNoted { at: now }));
    add("requested", Event::OperationRequested(Box::new(requested(1))));
    add("requested-second", Event::OperationRequested(Box::new(requested(2))));
    add("request-settled", Event::RequestSettled(RequestSettled { request: 1, how: Settlement::Declined, at: now }));
    add("paused", Event::OrderPaused(OrderPaused { at: now }));
    add("resumed", Event::OrderResumed(OrderResumed { at: now }));
    add("undoing", Event::CompensationStarted(CompensationStarted { step: None, because: new(), at: now }));
    add("all-undone", Event::CompensationCompleted(CompensationCompleted { at: now }));
    add(
        "order-completed",
        Event::OrderCompleted(OrderCompleted {
            result: json!("new"),
            placeholders: Some(only("/new")),
            result_error: Some(new()),
            at: now,
        }),
    );
    add("order-canceled", Event::OrderCanceled(OrderCanceled { at: now }));
    add("stuck", Event::OrderStuck(OrderStuck { step: step(), direction: Direction::Do, reason: new(), at: now }));
    add("split", Event::DecisionSplit(DecisionSplit { retry: Vec::new(), at: now }));
    add("split-retry", Event::DecisionSplit(DecisionSplit { retry: vec![step(), "b".to_owned()], at: now }));
    events
}

fn requested(request: u32) -> OperationRequested {
    OperationRequested {
        request,
        operation: Operation::Cancel,
        requested_by: "new".to_owned(),
        principal: "new".to_owned(),
        reason: "new".to_owned(),
        approver: "operator".to_owned(),
        previewed_at: 7,
        expires_at: at(500),
        at: at(100),
    }
}

fn starts(direction: Direction, attempt: u32, events: &mut Vec<(String, Event)>) {
    for (kind, input, new_key) in
        [("", None, false), ("-with-input", Some(json!("new")), false), ("-new-key", None, true)]
    {
        let placeholders = input.is_some().then(|| only("/new"));
        events.push((
            format!("{}-started-{attempt}{kind}", direction.as_str()),
            Event::StepStarted(StepStarted {
                step: STEP.to_owned(),
                direction,
                attempt,
                participant: "q".to_owned(),
                action: "new".to_owned(),
                mode: Mode::Request,
                input,
                placeholders,
                new_key,
                deadline: at(200),
                at: at(100),
            }),
        ));
    }
}

fn failed_attempts(direction: Direction, attempt: u32, events: &mut Vec<(String, Event)>) {
    let failed = StepAttemptFailed {
        step: STEP.to_owned(),
        direction,
        attempt,
        error: "new".to_owned(),
        lost: false,
        unsent: false,
        misconfigured: false,
        maybe_done: false,
        retry_at: at(150),
        at: at(100),
    };
    for (kind, event) in [
        ("", failed.clone()),
        ("-lost", StepAttemptFailed { lost: true, ..failed.clone() }),
        ("-unsent", StepAttemptFailed { unsent: true, ..failed.clone() }),
        ("-misconfigured", StepAttemptFailed { misconfigured: true, ..failed.clone() }),
        ("-misconfigured-maybe-done", StepAttemptFailed { misconfigured: true, maybe_done: true, ..failed }),
    ] {
        let name = format!("{}-attempt-{attempt}-failed{kind}", direction.as_str());
        events.push((name, Event::StepAttemptFailed(event)));
    }
}

fn ends(direction: Direction, events: &mut Vec<(String, Event)>) {
    let (way, now) = (direction.as_str(), at(100));
    let accepted = StepAccepted { step: STEP.to_owned(), direction, deadline: at(300), at: now };
    events.push((format!("{way}-accepted"), Event::StepAccepted(accepted)));
    for (kind, basis, open) in [
        ("by-answer", Basis::Answer, false),
        ("by-answer-for-now", Basis::Answer, true),
        ("by-assumption", Basis::Assumption, false),
        ("by-deadline", Basis::Deadline, false),
    ] {
        let completed = StepCompleted {
            step: STEP.to_owned(),
            direction,
            outcome: "new".to_owned(),
            basis,
            data: json!("new"),
            answer_key: Some("new".to_owned()),
            open_until: open.then(|| at(400)),
            at: now,
        };
        events.push((format!("{way}-done-{kind}"), Event::StepCompleted(completed)));
    }
    let failed = StepFailed {
        step: STEP.to_owned(),
        direction,
        error: "new".to_owned(),
        maybe_done: false,
        misconfigured: false,
        unsent: false,
        answer_key: None,
        at: now,
    };
    for (kind, failed) in [
        ("", failed.clone()),
        ("-by-answer", StepFailed { answer_key: Some("new".to_owned()), ..failed.clone() }),
        ("-maybe-done", StepFailed { maybe_done: true, ..failed.clone() }),
        ("-misconfigured", StepFailed { misconfigured: true, ..failed.clone() }),
        ("-misconfigured-maybe-done", StepFailed { misconfigured: true, maybe_done: true, ..failed.clone() }),
        ("-never-sent", StepFailed { misconfigured: true, unsent: true, ..failed }),
    ] {
        events.push((format!("{way}-failed{kind}"), Event::StepFailed(failed)));
    }
}

/// Everything of a state that events can change. No `..`: a new field has to be named here.
fn fields(state: &Order) -> BTreeMap<String, String> {
    let Order {
        placed: _,
        status,
        phase,
        paused,
        pauses,
        notes,
        requests,
        requests_made,
        undone_because,
        canceled,
        split,
        to_retry,
        stuck,
        steps,
        settled,
        result,
        result_placeholders,
        result_error,
        updated_at,
        ended_at,
        // The tests of expected times are about these.
        clock: _,
    } = state;
    let mut fields: BTreeMap<String, String> = [
        ("status", text(status)),
        ("phase", text(phase)),
        ("paused", text(paused)),
        ("pauses", text(pauses)),
        ("notes", text(notes)),
        ("requests", text(&requests.keys())),
        ("requests_made", text(requests_made)),
        ("undone_because", text(undone_because)),
        ("canceled", text(canceled)),
        ("split", text(split)),
        ("to_retry", text(to_retry)),
        ("stuck", text(stuck)),
        ("settled", text(settled)),
        ("result", text(result)),
        ("result_placeholders", text(result_placeholders)),
        ("result_error", text(result_error)),
        ("updated_at", text(updated_at)),
        ("ended_at", text(ended_at)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (id, step) in steps {
        fields.extend(fields_of_step(step).map(|(name, value)| (format!("{id}.{name}"), value)));
    }
    fields
}

fn fields_of_step(step: &StepState) -> [(&'static str, String); 22] {
    let StepState {
        stage,
        since,
        mode,
        requested,
        input,
        placeholders,
        attempts,
        undo_attempts,
        request_since,
        failures,
        unsent_since,
        unsure,
        key_since,
        undo_key_since,
        outcome,
        basis,
        data,
        answers,
        undo_answer,
        last_error,
        started_at,
        ended_at,
        begun_at: _,
    } = step;
    [
        ("stage", text(stage)),
        ("since", text(since)),
        ("mode", text(mode)),
        ("requested", text(requested)),
        ("input", text(input)),
        ("placeholders", text(placeholders)),
        ("attempts", text(attempts)),
        ("undo_attempts", text(undo_attempts)),
        ("request_since", text(request_since)),
        ("failures", text(failures)),
        ("unsent_since", text(unsent_since)),
        ("unsure", text(unsure)),
        ("key_since", text(key_since)),
        ("undo_key_since", text(undo_key_since)),
        ("outcome", text(outcome)),
        ("basis", text(basis)),
        ("data", text(data)),
        ("answers", text(answers)),
        ("undo_answer", text(undo_answer)),
        ("last_error", text(last_error)),
        ("started_at", text(started_at)),
        ("ended_at", text(ended_at)),
    ]
}

/// A value in one line: of times, minutes and seconds; of hashes, the first byte.
fn text(value: &impl Debug) -> String {
    static HASH: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\[(\d+)(, \d+){31}\]").unwrap());
    let whole = format!("{value:?}").replace("1970-01-01T00:", "");
    let whole = HASH.replace_all(&whole, "#$1");
    whole.replace("\"before\"", "before").replace("\"new\"", "new")
}

/// The legal events of each stage, in this situation.
fn legal(situation: Situation) -> String {
    let mut table = String::new();
    for (name, stage) in stages() {
        let state = situation.state(stage);
        let legal: Vec<String> = events()
            .into_iter()
            .filter(|(_, event)| evolve(Some(state.clone()), event).is_ok())
            .map(|(name, _)| name)
            .collect();
        writeln!(table, "  {name}: {}", if legal.is_empty() { "nothing".to_owned() } else { legal.join(" ") }).unwrap();
    }
    table
}

/// What each legal event changes, stage by stage; without the entries that `known` has alike.
fn effects(situation: Situation, known: Option<&BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let mut effects = BTreeMap::new();
    for (stage_name, stage) in stages() {
        for (event_name, event) in events() {
            let before = situation.state(stage);
            let Ok(after) = evolve(Some(before.clone()), &event) else { continue };
            let (key, effect) = (format!("{stage_name} + {event_name}"), changed(&before, &after));
            if known.is_none_or(|known| known.get(&key) != Some(&effect)) {
                effects.insert(key, effect);
            }
        }
    }
    effects
}

fn changed(before: &Order, after: &Order) -> String {
    let (before, after) = (fields(before), fields(after));
    let differences: Vec<String> = after
        .iter()
        .filter(|(name, value)| before.get(*name) != Some(value))
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    differences.join("; ")
}

fn written() -> String {
    let mut groups: Vec<(Vec<String>, String)> = Vec::new();
    for situation in Situation::all() {
        let table = legal(situation);
        match groups.iter_mut().find(|(_, known)| *known == table) {
            Some((names, _)) => names.push(situation.name()),
            None => groups.push((vec![situation.name()], table)),
        }
    }
    let mut written =
        String::from("# What may follow, by the state of the order and its step. Everything else is refused.\n");
    for (names, table) in groups {
        write!(written, "\n{}\n{table}", names.join(" | ")).unwrap();
    }
    let plain = effects(Situation::PLAIN, None);
    writeln!(written, "\n# What changes: Forward").unwrap();
    list(&plain, &mut written);
    for other in [
        Situation { phase: Phase::Undoing, ..Situation::PLAIN },
        Situation { phase: Phase::Compensated, ..Situation::PLAIN },
        Situation { paused_at: Some(20), ..Situation::PLAIN },
        Situation { paused_at: Some(2), ..Situation::PLAIN },
        Situation { mode: Mode::Request, ..Situation::PLAIN },
        Situation { stuck_at: Some(STEP), ..Situation::PLAIN },
        Situation { stuck_at: Some("b"), ..Situation::PLAIN },
        Situation { split: true, ..Situation::PLAIN },
        Situation { unsure: true, ..Situation::PLAIN },
        Situation { unsent_since: Some(8), ..Situation::PLAIN },
        Situation { unsent_since: Some(8), paused_at: Some(2), ..Situation::PLAIN },
        Situation { unsent_since: Some(8), paused_at: Some(20), ..Situation::PLAIN },
        Situation { phase: Phase::Undoing, unsure: true, ..Situation::PLAIN },
        Situation { phase: Phase::Undoing, undo_attempts: 0, unsure: true, ..Situation::PLAIN },
    ] {
        writeln!(written, "\n# What changes otherwise: {}", other.name()).unwrap();
        list(&effects(other, Some(&plain)), &mut written);
    }
    written
}

fn list(effects: &BTreeMap<String, String>, written: &mut String) {
    for (key, effect) in effects {
        writeln!(written, "  {key}: {effect}").unwrap();
    }
}

#[test]
fn the_transition_table_is_the_golden_one() {
    let written = written();
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/order/transitions.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &written).unwrap();
    }
    let golden = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let difference = golden.lines().zip(written.lines()).find(|(golden, written)| golden != written);
    assert_eq!(difference, None, "the table changed: run with UPDATE_GOLDEN=1 and read the difference");
    assert_eq!(golden.lines().count(), written.lines().count());
}

#[test]
fn the_first_event_of_an_order_is_order_placed() {
    for (name, event) in events() {
        assert_eq!(evolve(None, &event).is_ok(), name == "placed", "{name}");
    }
}

#[test]
fn a_refused_event_names_itself_and_the_reason() {
    let refused = |situation: Situation, stage, name: &str| {
        let (_, event) = events().into_iter().find(|(known, _)| known == name).unwrap();
        evolve(Some(situation.state(stage)), &event).unwrap_err().to_string()
    };
    let ended = Situation { phase: Phase::Canceled, ..Situation::PLAIN };
    assert_eq!(refused(ended, None, "status"), "StatusChanged cannot follow here: the order has ended");
    let again = refused(Situation::PLAIN, None, "placed");
    assert_eq!(again, "OrderPlaced cannot follow here: the order is placed already");
    let unstarted = refused(Situation::PLAIN, None, "do-accepted");
    assert_eq!(unstarted, "StepAccepted cannot follow here: step \"a\" has not started");
    let done = refused(Situation::PLAIN, Some(Stage::Completed), "do-accepted");
    assert_eq!(done, "StepAccepted cannot follow here: step \"a\" stands at Completed");
}
