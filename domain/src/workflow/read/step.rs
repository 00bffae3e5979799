//! One step of a file.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fields::{Fields, entries};
use super::{MAX_STEPS, values};
use crate::order::Mode;
use crate::workflow::fault::Report;
use crate::workflow::yaml::{Content, Entry, Node};
use crate::workflow::{ActionRef, Expression, Join, Retry, Step};

/// The keys of a step.
pub(in crate::workflow) const STEP_KEYS: [&str; 14] = [
    "after",
    "join",
    "when",
    "call",
    "request",
    "with",
    "undo",
    "timeout",
    "exchange-timeout",
    "retry",
    "outcomes",
    "interim",
    "compensate-on",
    "sets-status",
];
/// The keys of `retry`.
pub(in crate::workflow) const RETRY_KEYS: [&str; 4] = ["attempts", "initial", "factor", "max"];

/// How long one exchange may take where the file does not say.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a later answer may take where the file does not say.
const ANSWER_TIMEOUT: Duration = Duration::from_hours(24);
/// The most names in `with`.
const MAX_INPUTS: usize = 50;
/// The most outcomes.
const MAX_OUTCOMES: usize = 50;

/// Reads a step.
pub(super) fn read(entry: &Entry, report: &mut Report) -> Step {
    values::check_name(&entry.key, entry.key_at, &entry.value.path, report);
    let mut step = blank(&entry.key);
    if let Some(fields) = Fields::of(&entry.value, entry.key_at, &STEP_KEYS, report) {
        order_of_steps(&mut step, &fields, report);
        asking(&mut step, &fields, report);
        timeouts(&mut step, &fields, report);
        answers(&mut step, &fields, report);
    }
    step
}

fn blank(id: &str) -> Step {
    Step {
        id: id.to_owned(),
        after: Vec::new(),
        join: Join::default(),
        when: None,
        action: no_action(),
        mode: Mode::Call,
        with: Vec::new(),
        undo: None,
        exchange_timeout: EXCHANGE_TIMEOUT,
        answer_timeout: ANSWER_TIMEOUT,
        retry: Retry::default(),
        outcomes: Vec::new(),
        interim: BTreeMap::new(),
        compensate_on: Vec::new(),
        sets_status: None,
    }
}

/// Stands in for an action that could not be read.
fn no_action() -> ActionRef {
    ActionRef { participant: String::new(), action: String::new() }
}

fn order_of_steps(step: &mut Step, fields: &Fields, report: &mut Report) {
    if let Some(node) = fields.get("after") {
        step.after = values::texts(node, MAX_STEPS, report);
    }
    if let Some(node) = fields.get("join") {
        match values::text(node, report) {
            Some("all") | None => {}
            Some("any") => step.join = Join::Any,
            Some(_) => report.add_at(node, "must be 'all' or 'any'"),
        }
    }
    step.when = fields.get("when").and_then(|node| values::expression(node, report));
}

fn asking(step: &mut Step, fields: &Fields, report: &mut Report) {
    match (fields.get("call"), fields.get("request")) {
        (Some(node), None) => step.action = values::action(node, report).unwrap_or_else(no_action),
        (None, Some(node)) => {
            step.mode = Mode::Request;
            step.action = values::action(node, report).unwrap_or_else(no_action);
        }
        (Some(_), Some(_)) => fields.fault("request", "a step has either 'call' or 'request', not both", report),
        (None, None) => fields.fault_of_all("'call' or 'request' is missing", report),
    }
    if let Some(node) = fields.get("with") {
        step.with = inputs(node, report);
    }
    step.undo = fields.get("undo").and_then(|node| values::action(node, report));
    step.sets_status = fields.get("sets-status").and_then(|node| values::status(node, report));
}

fn inputs(node: &Node, report: &mut Report) -> Vec<(String, Expression)> {
    let entries = entries(node, MAX_INPUTS, report).unwrap_or_default();
    let input = |entry: &Entry| {
        values::check_word(&entry.key, entry.key_at, &entry.value.path, report);
        Some((entry.key.clone(), values::expression(&entry.value, report)?))
    };
    entries.iter().filter_map(input).collect()
}

fn timeouts(step: &mut Step, fields: &Fields, report: &mut Report) {
    let timeout = fields.get("timeout").and_then(|node| values::duration(node, report));
    let exchange = fields.get("exchange-timeout").and_then(|node| values::duration(node, report));
    match step.mode {
        Mode::Call => {
            step.exchange_timeout = timeout.unwrap_or(EXCHANGE_TIMEOUT);
            let reason = "is only for a 'request'; the exchange of a 'call' has 'timeout'";
            fields.fault("exchange-timeout", reason, report);
        }
        Mode::Request => {
            step.answer_timeout = timeout.unwrap_or(ANSWER_TIMEOUT);
            step.exchange_timeout = exchange.unwrap_or(EXCHANGE_TIMEOUT);
        }
    }
    if let Some(node) = fields.get("retry") {
        step.retry = retry(node, report);
    }
}

fn retry(node: &Node, report: &mut Report) -> Retry {
    let default = Retry::default();
    let Some(fields) = Fields::of(node, node.at, &RETRY_KEYS, report) else { return default };
    let retry = Retry {
        attempts: fields.get("attempts").and_then(|node| values::attempts(node, report)).unwrap_or(default.attempts),
        initial: fields.get("initial").and_then(|node| values::duration(node, report)).unwrap_or(default.initial),
        factor: fields.get("factor").and_then(|node| values::factor(node, report)).unwrap_or(default.factor),
        max: fields.get("max").and_then(|node| values::duration(node, report)).unwrap_or(default.max),
    };
    if retry.initial > retry.max {
        let key = if fields.get("initial").is_some() { "initial" } else { "max" };
        fields.fault(key, "the first wait is longer than the longest ('initial' > 'max')", report);
    }
    retry
}

fn answers(step: &mut Step, fields: &Fields, report: &mut Report) {
    if let Some(node) = fields.get("outcomes") {
        step.outcomes = values::words(node, MAX_OUTCOMES, report);
        if matches!(&node.content, Content::List(items) if items.is_empty()) {
            fields.fault("outcomes", "must hold at least one; without the key, any outcome will do", report);
        }
    }
    if let Some(node) = fields.get("compensate-on") {
        step.compensate_on = values::words(node, MAX_OUTCOMES, report);
    }
    if let Some(node) = fields.get("interim") {
        let entries = entries(node, MAX_OUTCOMES, report).unwrap_or_default();
        let interim = |entry: &Entry| Some((entry.key.clone(), values::duration(&entry.value, report)?));
        step.interim = entries.iter().filter_map(interim).collect();
    }
}
