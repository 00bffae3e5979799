//! The table of what a participant's answer means, as a golden file: each status, each shape of a
//! body, each way in which an exchange fails, and what becomes of a call, a request and an undo
//! that is answered so.

use std::collections::BTreeMap;
use std::fmt::Write;

use chrono::{DateTime, Utc};
use domain::order::{Event, Reply};
use domain::testing::{Story, done, order, refused, unclear};
use domain::workflow::{Final, Workflow};
use reqwest::StatusCode;

use super::failing_exchanges;
use super::said::{Said, said};
use crate::answer_shapes::{golden, shapes};

const HEAD: &str = "What an answer of a participant means. UPDATE_GOLDEN=1 writes this file again.
";

/// What is asked, with a step of each kind before its answer.
struct Asked {
    kinds: [(&'static str, Workflow); 3],
    known: BTreeMap<(&'static str, bool, String), String>,
}

impl Asked {
    fn new() -> Self {
        let step = |mode: &str| {
            let source = format!(
                "workflow: w
version: 1
participants: {{ p: {{ url: 'http://p' }} }}
steps:
  a: {{ {mode}: p.a, undo: p.un-a, outcomes: [ok, done, declined], timeout: 9s, retry: {{ attempts: 3 }} }}
  b: {{ after: [a], call: p.b }}"
            );
            Workflow::parse(&source).unwrap()
        };
        let kinds = [("call", step("call")), ("request", step("request")), ("undo", step("call"))];
        Self { kinds, known: BTreeMap::new() }
    }

    /// What becomes of each kind that is answered so.
    fn all(&mut self, unsure: bool, reply: &Reply) -> String {
        let kinds = ["call", "request", "undo"].map(|kind| self.becomes(kind, unsure, reply));
        match kinds {
            [call, request, undo] if call == request && call == undo => call,
            [call, request, undo] if call == request => format!("{call}; undo: {undo}"),
            [call, request, undo] if request == undo => format!("{request}; call: {call}"),
            [call, request, undo] => format!("call: {call}; request: {request}; undo: {undo}"),
        }
    }

    fn becomes(&mut self, kind: &'static str, unsure: bool, reply: &Reply) -> String {
        let reply = without_words(reply.clone());
        let key = (kind, unsure, format!("{reply:?}"));
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let (_, workflow) = self.kinds.iter().find(|(name, _)| *name == kind).unwrap();
        let mut story = Story::given(workflow);
        story.place(order()).whatever();
        if kind == "undo" {
            story.answer("a", done()).whatever();
            story.answer("b", refused("no")).whatever();
        }
        if unsure {
            story.answer("a", unclear("503")).whatever();
            story.tick_after(std::time::Duration::from_mins(1)).whatever();
        }
        let first = story.answer("a", reply).events().into_iter().next();
        let becomes = first.as_ref().map_or_else(|| "nothing".to_owned(), told);
        self.known.insert(key, becomes.clone());
        becomes
    }
}

/// The reply without what changes nothing of its meaning.
fn without_words(reply: Reply) -> Reply {
    let words = String::new;
    match reply {
        Reply::Done { outcome, .. } => Reply::Done { outcome, data: serde_json::Value::Null },
        Reply::Accepted => Reply::Accepted,
        Reply::Refused { .. } => Reply::Refused { error: words() },
        Reply::Unclear { .. } => Reply::Unclear { error: words(), retry_after: None },
        Reply::Held { .. } => Reply::Held { error: words() },
        Reply::Misconfigured { maybe_done, .. } => {
            Reply::Misconfigured { error: words(), retry_after: None, maybe_done }
        }
    }
}

fn told(event: &Event) -> String {
    let maybe = |maybe_done: bool| if maybe_done { ", and may be done" } else { "" };
    match event {
        Event::StepCompleted(e) if e.outcome.len() > 60 => "done, with a long outcome".to_owned(),
        Event::StepCompleted(e) => format!("done ({})", e.outcome),
        Event::StepAccepted(_) => "accepted".to_owned(),
        Event::StepFailed(e) => format!("no{}", maybe(e.maybe_done)),
        Event::StepAttemptFailed(e) if e.misconfigured => format!("misconfigured{}", maybe(e.maybe_done)),
        Event::StepAttemptFailed(_) => "unclear".to_owned(),
        other => other.type_name().to_owned(),
    }
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

fn answered(status: u16, media_type: &str, body: &[u8], unsure: bool, give_up_on: &[Final]) -> Reply {
    let status = StatusCode::from_u16(status).unwrap();
    said(Said { status, media_type, retry_after: "", encoding: "", body }, unsure, give_up_on, now())
}

/// Runs of statuses that mean the same.
fn statuses(asked: &mut Asked, unsure: bool, reply: impl Fn(u16) -> Reply) -> String {
    let mut runs: Vec<(u16, u16, String)> = Vec::new();
    for status in 100..=599 {
        let becomes = asked.all(unsure, &reply(status));
        match runs.last_mut() {
            Some((_, last, known)) if *known == becomes => *last = status,
            _ => runs.push((status, status, becomes)),
        }
    }
    runs.iter().fold(String::new(), |mut text, (from, to, becomes)| {
        let run = if from == to { from.to_string() } else { format!("{from}-{to}") };
        let _ = writeln!(text, "{run:8} {becomes}");
        text
    })
}

fn table_of_statuses(asked: &mut Asked) -> String {
    const PROBLEM: &str = "application/problem+json";
    let empty = |unsure| move |status| answered(status, "", b"", unsure, &[]);
    let problem = |unsure| move |status| answered(status, PROBLEM, br#"{"title":"No"}"#, unsure, &[]);
    let listed = |status| answered(status, "", b"", true, &[Final::Status(status)]);
    let mut text = String::new();
    for (title, table) in [
        ("Status, at the first attempt", statuses(asked, false, empty(false))),
        ("Status, after an unclear attempt", statuses(asked, true, empty(true))),
        ("Status with the participant's own problem, at the first attempt", statuses(asked, false, problem(false))),
        ("Status with the participant's own problem, after an unclear attempt", statuses(asked, true, problem(true))),
        ("Status that `give-up-on` lists, after an unclear attempt", statuses(asked, true, listed)),
    ] {
        let _ = write!(text, "\n# {title}\n\n{table}");
    }
    text
}

/// At most so much of a text.
fn start_of(text: &str) -> String {
    const MOST: usize = 90;
    let start: String = text.chars().take(MOST).collect();
    let left = text.chars().count() - start.chars().count();
    if left == 0 { start } else { format!("{start}… and {left} characters") }
}

fn table_of_bodies(asked: &mut Asked) -> String {
    let mut text = String::from("\n# Body of a 200, and what a 402 says with it\n");
    for shape in shapes() {
        let ok = answered(200, shape.media_type, &shape.body, false, &[]);
        let Reply::Done { data, .. } = &ok else { panic!("{}: {ok:?}", shape.name) };
        let Reply::Refused { error } = answered(402, shape.media_type, &shape.body, false, &[]) else {
            panic!("{}: a 402 is a no", shape.name)
        };
        let data = start_of(&data.to_string());
        let _ = writeln!(text, "\n{}\n  200: {}; data {data}", shape.name, asked.all(false, &ok));
        let _ = writeln!(text, "  402: {}", start_of(&error));
    }
    text
}

#[tokio::test]
async fn what_every_answer_means_is_the_golden_table() {
    let mut asked = Asked::new();
    let mut text = HEAD.to_owned();
    text += &table_of_statuses(&mut asked);
    text += &table_of_bodies(&mut asked);
    text += "\n# Exchange that fails\n\n";
    for failing in failing_exchanges::all() {
        let (reply, requests, circuit) = failing.tried().await;
        let (becomes, times) = (asked.all(false, &reply), if requests == 1 { "" } else { "s" });
        let circuit = if circuit == "closed" { "" } else { "; circuit open" };
        let _ = writeln!(text, "{}: {becomes}; {requests} request{times} reached it{circuit}", failing.name);
    }
    golden("answers.txt", &text);
}

/// Pieces of a cell of the book's table that are statuses, `5xx` for a hundred of them.
fn statuses_in(cell: &str) -> Vec<String> {
    let pieces = cell.split([',', ';']).map(str::trim);
    let is_status = |piece: &&str| piece.len() == 3 && piece.starts_with(|c: char| c.is_ascii_digit());
    pieces.filter(is_status).map(str::to_owned).collect()
}

#[test]
fn the_table_in_the_book_says_the_same() {
    let page = include_str!("../../../docs/participant/http.md");
    let rows = page.lines().skip_while(|line| !line.starts_with("| answer | means | then |")).skip(2);
    let rows: Vec<Vec<&str>> =
        rows.take_while(|line| line.starts_with('|')).map(|line| line.split('|').map(str::trim).collect()).collect();
    let listed: Vec<String> = rows.iter().flat_map(|row| statuses_in(row[1])).collect();
    let mut seen = 0;
    for row in &rows {
        let expected: &[&str] = match row[2] {
            "done" => &["done (done)"],
            "accepted" => &["accepted"],
            "no" => &["no"],
            "unclear" => &["unclear"],
            "a mistake of the deployment" => &["misconfigured", "misconfigured, and may be done"],
            // Nothing was sent, so no status can be in that row.
            "nothing" => &[],
            other => panic!("the book says {other:?}"),
        };
        for status in statuses_in(row[1]) {
            let hundred = status.strip_suffix("xx").map(|first| first.parse::<u16>().unwrap() * 100);
            let statuses = hundred.map_or_else(|| vec![status.parse().unwrap()], |from| (from..from + 100).collect());
            for status in statuses {
                if hundred.is_some() && listed.contains(&status.to_string()) {
                    continue;
                }
                let becomes = Asked::new().becomes("request", false, &answered(status, "", b"", false, &[]));
                assert!(expected.contains(&becomes.as_str()), "{status}: the book says {}, it is {becomes}", row[2]);
                seen += 1;
            }
        }
    }
    assert!(seen > 300, "only {seen} statuses of the table were looked at");
}
