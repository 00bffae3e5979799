//! The meaning of a definition, independent of its file's form: comments, line ends, quotes, the
//! order of keys, and explicit default values do not make another workflow.

use std::fmt::Display;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{ActionRef, Expression, Final, Join, Participant, Step, Workflow};
use crate::order::Mode;

/// The limit of named differences.
const MAX_NAMED: usize = 3;
/// The limit for a shown value, in characters.
const MAX_SHOWN: usize = 80;

impl Workflow {
    /// How the meaning of another definition differs from that of this registered one. `None`: both
    /// mean the same.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let mut found = Vec::new();
        compare("", Some(&meaning(self)), Some(&meaning(other)), &mut found);
        let more = found.len().saturating_sub(MAX_NAMED);
        found.truncate(MAX_NAMED);
        let named = found.join("; ");
        match (found.is_empty(), more) {
            (true, _) => None,
            (false, 0) => Some(named),
            (false, more) => Some(format!("{named}; and {more} more")),
        }
    }
}

/// The definition as JSON, without what makes no difference.
fn meaning(workflow: &Workflow) -> Value {
    let participants = workflow.participants.iter().map(|(name, participant)| {
        let reached = match participant {
            Participant::Http { url } => json!({ "url": url }),
            Participant::Events => json!({ "events": true }),
        };
        (name.clone(), reached)
    });
    json!({
        "workflow": workflow.name,
        "version": workflow.version,
        "participants": participants.collect::<Map<_, _>>(),
        "steps": section(&workflow.steps),
        "compensated": section(&workflow.compensated),
        "result": workflow.result.as_ref().map(text),
    })
}

fn section(steps: &[Step]) -> Map<String, Value> {
    steps.iter().map(|step| (step.id.clone(), step_meaning(step))).collect()
}

fn step_meaning(step: &Step) -> Value {
    let action = |action: &ActionRef| format!("{}.{}", action.participant, action.action);
    let (way, what) = match step.mode {
        Mode::Call => ("call", step.action.as_ref().map(action)),
        Mode::Request => ("request", step.action.as_ref().map(action)),
        Mode::Wait => ("wait", Some(duration(step.answer_timeout))),
        Mode::Await => ("await", step.awaits.clone()),
    };
    let is_final = |answer: &Final| match answer {
        Final::Status(status) => status.to_string(),
        Final::Problem(uri) => uri.clone(),
    };
    let retry = &step.retry;
    let (exchange, answer) = (duration(step.exchange_timeout), duration(step.answer_timeout));
    let (timeout, exchange) = match step.mode {
        Mode::Call => (Some(exchange), None),
        Mode::Request => (Some(answer), Some(exchange)),
        Mode::Await => (Some(answer), None),
        Mode::Wait => (None, None),
    };
    json!({
        way: what,
        "after": sorted(step.after.iter().cloned()),
        "join": if step.join == Join::Any { "any" } else { "all" },
        "when": step.when.as_ref().map(text),
        "with": step.with.iter().map(|(name, value)| (name.clone(), text(value).into())).collect::<Map<_, _>>(),
        "undo": step.undo.as_ref().map(action),
        "undo-timeout": step.undo.as_ref().map(|_| duration(step.undo_timeout.unwrap_or(step.answer_timeout))),
        "exchange-timeout": exchange,
        "timeout": timeout,
        "on-timeout": step.on_timeout,
        "retry": {
            "attempts": retry.attempts,
            "initial": duration(retry.initial),
            "factor": retry.factor,
            "max": duration(retry.max),
            "give-up-on": sorted(retry.give_up_on.iter().map(is_final)),
        },
        "outcomes": sorted(step.outcomes.iter().cloned()),
        "outcome": step.outcome_required.then_some("required"),
        "interim": step.interim.iter().map(|(name, wait)| (name.clone(), duration(*wait).into())).collect::<Map<_, _>>(),
        "compensate-on": sorted(step.compensate_on.iter().cloned()),
        "sets-status": step.sets_status,
    })
}

fn duration(duration: Duration) -> String {
    format!("{duration:?}")
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// An expression without layout blanks. Blanks in texts stay. An expression with comments, escapes
/// or triple quotes stays as it is, because in it quotes alone do not show where a text ends.
fn text(expression: &Expression) -> String {
    let source = expression.source().trim();
    if ["//", "\\", "'''", "\"\"\""].iter().any(|rare| source.contains(rare)) {
        return source.to_owned();
    }
    let (mut plain, mut quote, mut blank) = (String::new(), None, false);
    for c in source.chars() {
        if quote.is_none() && c.is_whitespace() {
            blank = true;
            continue;
        }
        let joins = |c: char| c.is_alphanumeric() || "_'\"".contains(c);
        if std::mem::take(&mut blank) && joins(c) && plain.ends_with(joins) {
            plain.push(' ');
        }
        match quote {
            Some(open) if open == c => quote = None,
            None if matches!(c, '\'' | '"') => quote = Some(c),
            _ => {}
        }
        plain.push(c);
    }
    plain
}

fn compare(path: &str, registered: Option<&Value>, offered: Option<&Value>, found: &mut Vec<String>) {
    if registered == offered {
        return;
    }
    if let (Some(Value::Object(registered)), Some(Value::Object(offered))) = (registered, offered) {
        let keys = registered.keys().chain(offered.keys().filter(|key| !registered.contains_key(*key)));
        for key in keys {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            compare(&path, registered.get(key), offered.get(key), found);
        }
        return;
    }
    found.push(format!("{path} is {} in the log and {} in the file", shown(registered), shown(offered)));
}

fn shown(value: Option<&Value>) -> String {
    let shorten = |text: &dyn Display| {
        let text = text.to_string();
        let end = text.char_indices().nth(MAX_SHOWN).map_or(text.len(), |(end, _)| end);
        let dots = if end < text.len() { "…" } else { "" };
        format!("{}{dots}", &text[..end])
    };
    match value {
        None | Some(Value::Null) => "missing".to_owned(),
        Some(Value::String(text)) => shorten(text),
        Some(Value::Object(_)) => "there".to_owned(),
        Some(other) => shorten(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "workflow: w
version: 1
participants:
  p: { url: 'http://p' }
  q: { events: true }
steps:
  a: { call: p.a, timeout: 60s, retry: { attempts: 3 } }
  b:
    after: [a]
    request: q.b
    when: steps.a.outcome == 'on e' && size(order.lines) > 1
    with: { x: order.total, y: order.currency }
    outcomes: [yes, no]
    compensate-on: [no]
";

    fn difference(change: impl Fn(&str) -> String) -> Option<String> {
        let read = |source: &str| Workflow::parse(source).unwrap_or_else(|faults| panic!("{faults}"));
        let changed = change(SOURCE);
        assert_ne!(changed, SOURCE);
        read(SOURCE).difference(&read(&changed))
    }

    #[test]
    fn another_form_of_the_file_has_the_same_meaning() {
        for (from, to) in [
            ("steps:", "# what is done\nsteps:"),
            ("\n", "\r\n"),
            ("'http://p'", "\"http://p\""),
            (
                "{ call: p.a, timeout: 60s, retry: { attempts: 3 } }",
                "{ retry: { attempts: 3 }, timeout: 1m, call: 'p.a' }",
            ),
            ("attempts: 3 }", "attempts: 3, initial: 200ms }"),
            ("{ x: order.total, y: order.currency }", "\n      y: order.currency\n      x: order.total"),
            ("== 'on e' && size(order.lines) > 1", "=='on e'&&size(order.lines)>1"),
            ("[yes, no]", "[no, yes]"),
            ("  p: { url: 'http://p' }\n  q: { events: true }\n", "  q: { events: true }\n  p: { url: 'http://p' }\n"),
        ] {
            assert_eq!(difference(|source| source.replace(from, to)), None, "{to}");
        }
    }

    #[test]
    fn another_meaning_is_named_with_its_place_and_both_values() {
        for (from, to, says) in [
            ("p.a", "p.c", "steps.a.call is p.a in the log and p.c in the file"),
            ("attempts: 3", "attempts: 4", "steps.a.retry.attempts is 3 in the log and 4 in the file"),
            ("60s", "2m", "steps.a.timeout is 60s in the log and 120s in the file"),
            ("'on e'", "'one'", "steps.b.when is steps.a.outcome=='on e'&&size(order.lines)>1 in the log"),
            ("http://p", "http://r", "participants.p.url is http://p in the log"),
            (", y: order.currency", "", "steps.b.with.y is order.currency in the log and missing in the file"),
            ("    compensate-on: [no]\n", "", "steps.b.compensate-on is [\"no\"] in the log and [] in the file"),
            (
                "compensate-on: [no]",
                "compensate-on: [no]\n  c: { wait: 1h }",
                "steps.c is missing in the log and there",
            ),
        ] {
            let found = difference(|source| source.replace(from, to));
            assert!(found.as_ref().is_some_and(|found| found.contains(says)), "{to}: {found:?}");
        }
    }

    #[test]
    fn only_the_first_differences_are_named() {
        let found = difference(|source| {
            let fewer = source.replace(", y: order.currency", "").replace("attempts: 3", "attempts: 4");
            fewer.replace("'on e'", "'one'").replace("http://p", "http://r")
        });
        assert!(found.is_some_and(|found| found.ends_with("; and 1 more")));
    }
}
