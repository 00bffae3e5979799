//! `--where`: which orders a command selects, as a line that people can type. [`domain::filter`]
//! defines the meaning.
//!
//! `state=RUNNING,workflow=order-fulfilment@1,placedAt>=2026-01-31` selects orders that are
//! running, follow version 1, and were placed since then. If a key is given again, either value
//! matches. A value in double quotes may contain commas. `step=ship,stepStatus=STUCK` are
//! conditions on one step. `attributes.delivery.floor=3` is a condition on an attribute; `*` is any
//! value.

mod text;

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::filter::{AmountRange, AttributeFilter, OrderFilter, WorkflowFilter};
use domain::order::{State, StepStatus};
use rust_decimal::Decimal;
use serde_json::Value;

use self::text::{Operand, split};
use crate::suggest::did_you_mean;
use crate::{duration, moment};

/// The syntax, for the help of commands.
pub const HELP: &str = "\
A condition is KEY=VALUE: state=RUNNING,workflow=order-fulfilment@1,placedAt>=2026-01-31.
The keys are status, state, customer, placedBy, workflow (NAME or NAME@VERSION), sku, minLines, total (with >= and <=), \
placedAt, updatedAt and endedAt (with >= and <), step, stepStatus, stepParticipant, stepSince and stepDue (with >= and <) and \
stepOlderThan (how long the step stands there at least: 90s, 10m, 2h, 3d; all of the same step), \
stuckReason (a part of it), late (true or false), and attributes.KEY.KEY (any value: *). If a key is given again, either \
value matches, where an order can have only one. A value with a comma stands in double quotes.";

const LISTS: [&str; 7] = ["status", "state", "customer", "placedBy", "sku", STEP_STATUS, STEP_PARTICIPANT];
const TIMES: [(&str, Time); 5] = [
    ("placedAt", Time::PlacedAt),
    ("updatedAt", Time::UpdatedAt),
    ("endedAt", Time::EndedAt),
    ("stepSince", Time::StepSince),
    ("stepDue", Time::StepDue),
];
const WORKFLOW: &str = "workflow";
const STEP: &str = "step";
const STEP_STATUS: &str = "stepStatus";
const STEP_PARTICIPANT: &str = "stepParticipant";
const STEP_OLDER_THAN: &str = "stepOlderThan";
const STUCK_REASON: &str = "stuckReason";
const LATE: &str = "late";
const MIN_LINES: &str = "minLines";
const TOTAL: &str = "total";
/// The keys that are no list, no time and no amount.
const OTHERS: [&str; 6] = [WORKFLOW, STEP, STEP_OLDER_THAN, STUCK_REASON, LATE, MIN_LINES];
/// The prefix of an attribute's keys, which are separated by dots.
const ATTRIBUTES: &str = "attributes.";

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// A business status.
    Status(String),
    /// A state of the execution.
    State(State),
    /// A customer.
    Customer(String),
    /// A principal that placed it.
    PlacedBy(String),
    /// An SKU of a line.
    Sku(String),
    /// A workflow, in all versions or in one.
    Workflow(WorkflowFilter),
    /// A bound of a range of time.
    Time(Time, Bound, DateTime<Utc>),
    /// The least number of lines.
    MinLines(u32),
    /// A bound of the total. The bound itself matches.
    Total(Bound, Decimal),
    /// The name of a step.
    Step(String),
    /// A status of a step.
    StepStatus(StepStatus),
    /// A participant of a step.
    StepParticipant(String),
    /// How long a step stands where it is.
    StepOlderThan(Duration),
    /// A text in the reason why an order is stuck.
    StuckReason(String),
    /// Whether an order is late.
    Late(bool),
    /// An attribute.
    Attribute(AttributeFilter),
}

/// A time of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Time {
    PlacedAt,
    UpdatedAt,
    EndedAt,
    StepSince,
    StepDue,
}

/// Which bound of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Bound {
    Lower,
    Upper,
}

/// Conditions that an order has to meet, all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditions(pub Vec<Condition>);

/// Reads conditions that are separated by commas.
pub fn conditions(text: &str) -> Result<Conditions, String> {
    split(text)?.into_iter().map(condition).collect::<Result<_, _>>().map(Conditions)
}

/// Combines conditions into a filter. A condition that is given twice and can hold only once is an
/// error.
pub fn filter<'a>(conditions: impl IntoIterator<Item = &'a Condition>) -> Result<OrderFilter, String> {
    let mut filter = OrderFilter::default();
    for condition in conditions {
        add(&mut filter, condition.clone())?;
    }
    filter.checked().map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

fn add(filter: &mut OrderFilter, condition: Condition) -> Result<(), String> {
    match condition {
        Condition::Status(status) => filter.statuses.get_or_insert_default().push(status),
        Condition::State(state) => filter.states.get_or_insert_default().push(state),
        Condition::Customer(customer) => filter.customers.get_or_insert_default().push(customer),
        Condition::PlacedBy(principal) => filter.placed_by.get_or_insert_default().push(principal),
        Condition::Sku(sku) => filter.skus.get_or_insert_default().push(sku),
        Condition::Workflow(workflow) => {
            once(&mut filter.workflow, workflow, || "workflow is given twice: an order has only one".to_owned())?;
        }
        Condition::Time(time, bound, at) => {
            let range = match time {
                Time::PlacedAt => &mut filter.placed_at,
                Time::UpdatedAt => &mut filter.updated_at,
                Time::EndedAt => &mut filter.ended_at,
                Time::StepSince => &mut filter.step.get_or_insert_default().since,
                Time::StepDue => &mut filter.step.get_or_insert_default().due,
            };
            let key = TIMES.iter().find(|(_, known)| *known == time).map_or("a time", |(key, _)| key);
            let range = if bound == Bound::Lower { &mut range.from } else { &mut range.to };
            once(range, at, || format!("the same bound of {key} is given twice"))?;
        }
        Condition::MinLines(lines) => {
            once(&mut filter.min_lines, lines, || format!("{MIN_LINES} is given twice"))?;
        }
        Condition::Total(bound, amount) => {
            let AmountRange { at_least, at_most } = &mut filter.total;
            let range = if bound == Bound::Lower { at_least } else { at_most };
            once(range, amount, || "the same bound of total is given twice".to_owned())?;
        }
        Condition::Step(name) => {
            once(&mut filter.step.get_or_insert_default().name, name, || "step is given twice".to_owned())?;
        }
        Condition::StepStatus(status) => {
            filter.step.get_or_insert_default().statuses.get_or_insert_default().push(status);
        }
        Condition::StepParticipant(name) => {
            filter.step.get_or_insert_default().participants.get_or_insert_default().push(name);
        }
        Condition::StepOlderThan(age) => {
            let known = &mut filter.step.get_or_insert_default().older_than;
            once(known, age, || format!("{STEP_OLDER_THAN} is given twice"))?;
        }
        Condition::StuckReason(text) => {
            once(&mut filter.stuck_reason, text, || format!("{STUCK_REASON} is given twice"))?;
        }
        Condition::Late(late) => once(&mut filter.late, late, || format!("{LATE} is given twice"))?,
        Condition::Attribute(attribute) => {
            if filter.attributes.iter().any(|known| known.path == attribute.path) {
                return Err(format!("{ATTRIBUTES}{} is given twice", attribute.path.join(".")));
            }
            filter.attributes.push(attribute);
        }
    }
    Ok(())
}

/// Sets a value that was not set before.
fn once<T>(place: &mut Option<T>, value: T, twice: impl FnOnce() -> String) -> Result<(), String> {
    if place.replace(value).is_some() { Err(twice()) } else { Ok(()) }
}

fn condition((key, operator, operand): (&str, &str, Operand)) -> Result<Condition, String> {
    let known = |keys: &[&'static str]| keys.iter().copied().find(|known| *known == key);
    let Operand { text: value, is_quoted } = operand;
    if value.is_empty() {
        return Err(format!("{key} has no value"));
    }
    if let Some((key, time)) = TIMES.into_iter().find(|(name, _)| *name == key) {
        let bound = match operator {
            ">=" => Bound::Lower,
            "<" => Bound::Upper,
            _ => return Err(format!("{key} is a span of time: write {key}>=… or {key}<…")),
        };
        return moment::parse(&value).map(|at| Condition::Time(time, bound, at)).ok_or_else(|| {
            format!("{key}: {value:?} is no moment; write one like 2026-01-31 or 2026-01-31T09:00:00Z")
        });
    }
    if key == TOTAL {
        return amount(operator, &value);
    }
    let path = key.strip_prefix(ATTRIBUTES);
    if known(&LISTS).is_none() && known(&OTHERS).is_none() && path.is_none() {
        let rest = OTHERS.into_iter().chain([TOTAL]);
        let times = TIMES.map(|(name, _)| name);
        let keys: Vec<&str> = LISTS.into_iter().chain(rest).chain(times).chain(["attributes.KEY"]).collect();
        return Err(format!("there is no key {key:?}{}; there are {}", did_you_mean(key, &keys), keys.join(", ")));
    }
    if operator != "=" {
        return Err(format!("{key} takes = only"));
    }
    if let Some(path) = path {
        return attribute(key, path, value, is_quoted);
    }
    match key {
        "status" => Ok(Condition::Status(value)),
        "state" => word(key, &value, &State::ALL, State::as_str).map(Condition::State),
        "customer" => Ok(Condition::Customer(value)),
        "placedBy" => Ok(Condition::PlacedBy(value)),
        "sku" => Ok(Condition::Sku(value)),
        STEP_STATUS => word(key, &value, &StepStatus::BEGUN, StepStatus::as_str).map(Condition::StepStatus),
        STEP => Ok(Condition::Step(value)),
        STEP_PARTICIPANT => Ok(Condition::StepParticipant(value)),
        STEP_OLDER_THAN => duration::parse(&value).map(Condition::StepOlderThan).map_err(|why| format!("{key}: {why}")),
        STUCK_REASON => Ok(Condition::StuckReason(value)),
        LATE => value.parse().map(Condition::Late).map_err(|_| format!("{LATE}: {value:?} is not true and not false")),
        MIN_LINES => value
            .parse()
            .map(Condition::MinLines)
            .map_err(|_| format!("{MIN_LINES}: {value:?} is no number of lines; write one from 0 to {}", u32::MAX)),
        _ => workflow(&value),
    }
}

/// Reads a word of a list of words in capitals.
fn word<T: Copy>(key: &str, value: &str, known: &[T], spelled: fn(T) -> &'static str) -> Result<T, String> {
    let word = value.to_ascii_uppercase();
    if let Some(found) = known.iter().find(|known| spelled(**known) == word) {
        return Ok(*found);
    }
    let known: Vec<&str> = known.iter().map(|known| spelled(*known)).collect();
    Err(format!("there is no {key} {value:?}{}; there are {}", did_you_mean(&word, &known), known.join(", ")))
}

fn amount(operator: &str, value: &str) -> Result<Condition, String> {
    let bound = match operator {
        ">=" => Bound::Lower,
        "<=" => Bound::Upper,
        _ => return Err(format!("{TOTAL} is a range of amounts: write {TOTAL}>=… or {TOTAL}<=…")),
    };
    let amount = Decimal::from_str_exact(value);
    amount
        .map(|amount| Condition::Total(bound, amount))
        .map_err(|_| format!("{TOTAL}: {value:?} is no amount; write one like 14.00"))
}

/// Without quotes, a number is a number, and `true` and `false` are booleans.
fn attribute(key: &str, path: &str, text: String, is_quoted: bool) -> Result<Condition, String> {
    let path: Vec<String> = path.split('.').map(str::to_owned).collect();
    if path.iter().any(String::is_empty) {
        return Err(format!("{key:?} has a key that is empty; write keys like attributes.delivery.floor"));
    }
    let plain = || serde_json::from_str(&text).ok().filter(|value: &Value| value.is_number() || value.is_boolean());
    let value = match text.as_str() {
        "*" if !is_quoted => None,
        _ if is_quoted => Some(Value::String(text)),
        _ => Some(plain().unwrap_or_else(|| Value::String(text.clone()))),
    };
    Ok(Condition::Attribute(AttributeFilter { path, value }))
}

fn workflow(value: &str) -> Result<Condition, String> {
    let is = |name: &str, version| Ok(Condition::Workflow(WorkflowFilter { name: name.to_owned(), version }));
    let Some((name, version)) = value.split_once('@') else { return is(value, None) };
    match version.parse() {
        Ok(version) if version > 0 && !name.is_empty() => is(name, Some(version)),
        _ => Err(format!("workflow: {value:?} is no name and version; write one like order-fulfilment@1")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Value, String> {
        filter(&conditions(text)?.0).map(|filter| serde_json::to_value(filter).unwrap())
    }

    #[test]
    fn conditions_are_read_as_the_filter_of_the_server() {
        for (text, filter) in [
            ("state=RUNNING", json!({ "state": ["RUNNING"] })),
            ("state=running, state=Waiting", json!({ "state": ["RUNNING", "WAITING"] })),
            ("status=Placed,customer=VINET", json!({ "status": ["Placed"], "customer": ["VINET"] })),
            (
                r#"customer="Smith, \"Jo\" \\ Co" , status=Placed"#,
                json!({ "customer": [r#"Smith, "Jo" \ Co"#], "status": ["Placed"] }),
            ),
            ("placedBy=web,placedBy=app", json!({ "placedBy": ["web", "app"] })),
            ("customer=a=b", json!({ "customer": ["a=b"] })),
            ("workflow=order-fulfilment", json!({ "workflow": { "name": "order-fulfilment" } })),
            ("workflow=order-fulfilment@2", json!({ "workflow": { "name": "order-fulfilment", "version": 2 } })),
            (
                "placedAt>=2026-01-31,placedAt<2026-02-01T09:00:00+01:00",
                json!({ "placedAt": { "from": "2026-01-31T00:00:00Z", "to": "2026-02-01T08:00:00Z" } }),
            ),
            (
                "sku=11,sku=42,total>=10.50,total<=99",
                json!({ "sku": ["11", "42"], "total": { "atLeast": "10.50", "atMost": "99" } }),
            ),
            (
                "stepStatus=stuck,step=ship,stepStatus=RETRYING",
                json!({ "step": { "name": "ship", "status": ["STUCK", "RETRYING"] } }),
            ),
            ("step=charge", json!({ "step": { "name": "charge" } })),
            (
                "stepParticipant=shipping,stepStatus=WAITING,stepOlderThan=1h,stepDue<2026-01-31,stepSince>=2026-01-30",
                json!({ "step": {
                    "status": ["WAITING"], "participant": ["shipping"], "olderThan": "1h",
                    "since": { "from": "2026-01-30T00:00:00Z" }, "due": { "to": "2026-01-31T00:00:00Z" },
                } }),
            ),
            ("stuckReason=409", json!({ "stuckReason": "409" })),
            ("late=true", json!({ "late": true })),
            ("minLines=2", json!({ "minLines": 2 })),
            (
                r#"attributes.gift=true,attributes.delivery.floor=3,attributes.a="3",attributes.b=*,attributes.c="*",attributes.d=web"#,
                json!({ "attributes": [
                    { "path": ["gift"], "value": true }, { "path": ["delivery", "floor"], "value": 3 },
                    { "path": ["a"], "value": "3" }, { "path": ["b"] }, { "path": ["c"], "value": "*" },
                    { "path": ["d"], "value": "web" },
                ] }),
            ),
        ] {
            assert_eq!(read(text), Ok(filter), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_the_key_that_was_meant() {
        for (text, part) in [
            ("", "begins no condition"),
            ("RUNNING", "begins no condition"),
            ("state", "begins no condition"),
            ("state!=RUNNING", "begins no condition"),
            ("placedAt<=2026-01-31", "write placedAt>=… or placedAt<…"),
            ("total<10", "write total>=… or total<=…"),
            ("total>=much", "no amount"),
            ("total>=1,total>=2", "given twice"),
            ("stepStatus=PENDING", "no stepStatus \"PENDING\""),
            ("step=a,step=b", "step is given twice"),
            ("stuckReason=a,stuckReason=b", "given twice"),
            ("stepOlderThan=1h,stepOlderThan=2h", "given twice"),
            ("stepOlderThan=long", "\"long\" is not a span of time"),
            ("stepOlderThan=999d", "longer than a year"),
            ("stepSince=2026-01-31", "write stepSince>=… or stepSince<…"),
            ("attributes.a=1,attributes.a=2", "attributes.a is given twice"),
            ("attributes.a..b=1", "a key that is empty"),
            ("sku>=11", "sku takes = only"),
            ("late=yes", "not true and not false"),
            ("late=true,late=false", "given twice"),
            ("minLines=-1", "no number of lines"),
            ("minLines=1,minLines=2", "minLines is given twice"),
            ("state=RUNNING,", "begins no condition"),
            ("sttate=RUNNING", "no key \"sttate\", did you mean \"state\"?"),
            ("placedat>=2026-01-31", "did you mean \"placedAt\"?"),
            (
                "colour=red",
                "no key \"colour\"; there are status, state, customer, placedBy, sku, stepStatus, stepParticipant, workflow, step, stepOlderThan, stuckReason, late, minLines, \
                 total, placedAt, updatedAt, endedAt, stepSince, stepDue, attributes.KEY",
            ),
            ("state=RUNING", "did you mean \"RUNNING\"?"),
            ("state=", "state has no value"),
            ("customer=\"a", "is not closed"),
            ("customer=\"a\"b", "a comma has to follow"),
            ("customer=\"a\\b\"", "a backslash stands before"),
            ("workflow=w@x", "no name and version"),
            ("workflow=w@0", "no name and version"),
            ("workflow=a,workflow=b", "given twice"),
            ("placedAt=2026-01-31", "write placedAt>=… or placedAt<…"),
            ("placedAt>=yesterday", "no moment"),
            ("placedAt<2026-01-31,placedAt<2026-01-30", "given twice"),
            ("status<Placed", "status takes = only"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
