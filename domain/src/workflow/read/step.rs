//! One step of a file.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fields::{Fields, entries};
use super::values;
use crate::order::Mode;
use crate::workflow::fault::FaultReport;
use crate::workflow::yaml::{Content, Entry, Node};
use crate::workflow::{Expression, Join, Retry, Step};

/// The keys of a step.
pub(in crate::workflow) const STEP_KEYS: [&str; 19] = [
    "after",
    "join",
    "when",
    "call",
    "request",
    "wait",
    "await",
    "with",
    "undo",
    "undo-timeout",
    "timeout",
    "exchange-timeout",
    "on-timeout",
    "retry",
    "outcomes",
    "outcome",
    "interim",
    "compensate-on",
    "sets-status",
];
/// The keys of `retry`.
pub(in crate::workflow) const RETRY_KEYS: [&str; 5] = ["attempts", "initial", "factor", "max", "give-up-on"];
/// The keys that define what a step does: each step has exactly one of them.
const KINDS: [&str; 4] = ["call", "request", "wait", "await"];

/// The default time-out of an exchange.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);
/// The default time-out of a later answer.
const ANSWER_TIMEOUT: Duration = Duration::from_hours(24);
/// The limit for steps of one section.
pub(super) const MAX_STEPS: usize = 200;
/// The limit for names in `with`.
const MAX_INPUTS: usize = 50;
/// The limit for outcomes.
const MAX_OUTCOMES: usize = 50;
/// The limit for answers to give up on.
const MAX_FINALS: usize = 50;

/// Reads a step.
pub(super) fn read(entry: &Entry, report: &mut FaultReport) -> Step {
    values::check_name(&entry.key, entry.key_at, &entry.value.path, report);
    let mut step = blank(&entry.key);
    if let Some(fields) = Fields::of(&entry.value, entry.key_at, &STEP_KEYS, report) {
        order_of_steps(&mut step, &fields, report);
        kind(&mut step, &fields, report);
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
        mode: Mode::Call,
        action: None,
        awaits: None,
        with: Vec::new(),
        undo: None,
        exchange_timeout: EXCHANGE_TIMEOUT,
        answer_timeout: ANSWER_TIMEOUT,
        undo_timeout: None,
        on_timeout: None,
        retry: Retry::default(),
        outcomes: Vec::new(),
        outcome_required: false,
        interim: BTreeMap::new(),
        compensate_on: Vec::new(),
        sets_status: None,
    }
}

fn order_of_steps(step: &mut Step, fields: &Fields, report: &mut FaultReport) {
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

/// The action of the step, and its input.
fn kind(step: &mut Step, fields: &Fields, report: &mut FaultReport) {
    let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| fields.get(kind).is_some()).collect();
    match kinds[..] {
        [] => fields.fault_of_all("'call', 'request', 'wait' or 'await' is missing", report),
        [kind] => read_kind(step, kind, fields, report),
        [first, second, ..] => {
            let reason = format!("a step has either '{first}' or '{second}', not both");
            fields.fault(second, reason, report);
            read_kind(step, first, fields, report);
        }
    }
    if let Some(node) = fields.get("with") {
        step.with = inputs(node, report);
    }
    step.undo = fields.get("undo").and_then(|node| values::action(node, report));
    step.sets_status = fields.get("sets-status").and_then(|node| values::status(node, report));
}

fn read_kind(step: &mut Step, kind: &str, fields: &Fields, report: &mut FaultReport) {
    let Some(node) = fields.get(kind) else { return };
    match kind {
        "call" | "request" => {
            step.mode = if kind == "call" { Mode::Call } else { Mode::Request };
            step.action = values::action(node, report);
        }
        "wait" => {
            step.mode = Mode::Wait;
            step.answer_timeout = values::duration(node, report).unwrap_or(step.answer_timeout);
        }
        _ => {
            step.mode = Mode::Await;
            step.awaits = values::word(node, report).map(str::to_owned);
        }
    }
    for key in without_meaning(step.mode) {
        fields.fault(key, format!("has no meaning for a step with '{kind}'"), report);
    }
}

/// The keys without meaning for a step that sends no request.
fn without_meaning(mode: Mode) -> &'static [&'static str] {
    match mode {
        Mode::Call | Mode::Request => &[],
        Mode::Wait => &[
            "with",
            "undo",
            "undo-timeout",
            "timeout",
            "exchange-timeout",
            "on-timeout",
            "retry",
            "outcomes",
            "outcome",
            "interim",
            "compensate-on",
        ],
        Mode::Await => &["undo", "undo-timeout", "exchange-timeout", "retry", "outcome", "interim"],
    }
}

fn inputs(node: &Node, report: &mut FaultReport) -> Vec<(String, Expression)> {
    let entries = entries(node, MAX_INPUTS, report).unwrap_or_default();
    let input = |entry: &Entry| {
        values::check_word(&entry.key, entry.key_at, &entry.value.path, report);
        Some((entry.key.clone(), values::expression(&entry.value, report)?))
    };
    entries.iter().filter_map(input).collect()
}

fn timeouts(step: &mut Step, fields: &Fields, report: &mut FaultReport) {
    let timeout = fields.get("timeout").and_then(|node| values::duration(node, report));
    let exchange = fields.get("exchange-timeout").and_then(|node| values::duration(node, report));
    match step.mode {
        Mode::Call => {
            step.exchange_timeout = timeout.unwrap_or(EXCHANGE_TIMEOUT);
            let reason = "is only for a 'request'; the exchange of a 'call' has 'timeout'";
            fields.fault("exchange-timeout", reason, report);
            let reason = "is only for a 'request' or an 'await': a 'call' that is not answered is tried again";
            fields.fault("on-timeout", reason, report);
        }
        Mode::Request => {
            step.answer_timeout = timeout.unwrap_or(ANSWER_TIMEOUT);
            step.exchange_timeout = exchange.unwrap_or(EXCHANGE_TIMEOUT);
        }
        Mode::Await => step.answer_timeout = timeout.unwrap_or(ANSWER_TIMEOUT),
        Mode::Wait => {}
    }
    step.undo_timeout = fields.get("undo-timeout").and_then(|node| values::duration(node, report));
    if step.action.is_some() && fields.get("undo").is_none() {
        fields.fault("undo-timeout", "is only for a step with 'undo': how long its later answer may take", report);
    }
    step.on_timeout = fields.get("on-timeout").and_then(|node| values::word(node, report)).map(str::to_owned);
    if let Some(node) = fields.get("retry") {
        step.retry = retry(node, report);
    }
}

fn retry(node: &Node, report: &mut FaultReport) -> Retry {
    let default = Retry::default();
    let Some(fields) = Fields::of(node, node.at, &RETRY_KEYS, report) else { return default };
    let retry = Retry {
        attempts: fields.get("attempts").and_then(|node| values::attempts(node, report)).unwrap_or(default.attempts),
        initial: fields.get("initial").and_then(|node| values::duration(node, report)).unwrap_or(default.initial),
        factor: fields.get("factor").and_then(|node| values::factor(node, report)).unwrap_or(default.factor),
        max: fields.get("max").and_then(|node| values::duration(node, report)).unwrap_or(default.max),
        give_up_on: fields
            .get("give-up-on")
            .map(|node| values::finals(node, MAX_FINALS, report))
            .unwrap_or(default.give_up_on),
    };
    if retry.initial > retry.max {
        let key = if fields.get("initial").is_some() { "initial" } else { "max" };
        fields.fault(key, "the first wait is longer than the longest ('initial' > 'max')", report);
    }
    retry
}

fn answers(step: &mut Step, fields: &Fields, report: &mut FaultReport) {
    if let Some(node) = fields.get("outcomes") {
        step.outcomes = values::words(node, MAX_OUTCOMES, report);
        if matches!(&node.content, Content::List(items) if items.is_empty()) {
            fields.fault("outcomes", "must hold at least one; without the key, any outcome will do", report);
        }
    }
    if let Some(node) = fields.get("outcome") {
        match values::text(node, report) {
            Some("required") => step.outcome_required = true,
            None => {}
            Some(_) => {
                report.add_at(node, "must be 'required'; without the key, an answer without an outcome is 'done'");
            }
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
