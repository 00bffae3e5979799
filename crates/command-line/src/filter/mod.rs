//! `--where`: which orders, in a line that people can type.
//!
//! `state=RUNNING,workflow=order-fulfilment@1,placedAt>=2026-01-31` reads: running, and of version 1, and placed since then. The same
//! key again is another value that will do. A value in double quotes may have commas in it.
//! `step=ship,stepStatus=STUCK` is one step; `attributes.delivery.floor=3` is an attribute by the keys that lead to it, `*` any value.

mod text;

use chrono::{DateTime, Utc};
use domain::order::StepStatus;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use self::text::{Operand, split};
use crate::moment;
use crate::suggest::did_you_mean;

const LISTS: [&str; 5] = ["status", "state", "customer", "sku", STEP_STATUS];
const SPANS: [&str; 3] = ["placedAt", "updatedAt", "endedAt"];
const WORKFLOW: &str = "workflow";
const STEP: &str = "step";
/// The key of the status of a step.
pub const STEP_STATUS: &str = "stepStatus";
const STUCK_REASON: &str = "stuckReason";
const TOTAL: &str = "total";
/// Stands before the keys of an attribute, which have dots between them.
const ATTRIBUTES: &str = "attributes.";
const STATES: [&str; 7] = ["RUNNING", "WAITING", "PAUSED", "COMPENSATING", "COMPLETED", "CANCELED", "STUCK"];

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// A list's value.
    Value(&'static str, String),
    /// The definition, in all its versions or in one.
    Workflow(String, Option<i32>),
    /// A bound of a span of time: not before, or before.
    Bound(&'static str, &'static str, DateTime<Utc>),
    /// A bound of the total, itself included.
    Amount(&'static str, Decimal),
    /// The name of a step.
    Step(String),
    /// Text in the reason why it is stuck.
    StuckReason(String),
    /// An attribute: the keys that lead to it, and what it is, if that is said.
    Attribute(Vec<String>, Option<Value>),
}

/// Conditions that all have to be met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditions(pub Vec<Condition>);

/// Reads conditions that are separated by commas.
pub fn conditions(text: &str) -> Result<Conditions, String> {
    split(text)?.into_iter().map(condition).collect::<Result<_, _>>().map(Conditions)
}

/// The same as the server wants it; what is said twice and cannot be is an error.
pub fn as_json<'a>(conditions: impl IntoIterator<Item = &'a Condition>) -> Result<Value, String> {
    let mut filter = Map::new();
    for condition in conditions {
        match condition {
            Condition::Value(STEP_STATUS, value) => {
                let step = filter.entry(STEP).or_insert_with(|| json!({}));
                match step["status"].as_array_mut() {
                    Some(statuses) => statuses.push(json!(value)),
                    None => step["status"] = json!([value]),
                }
            }
            Condition::Value(key, value) => match filter.entry(*key).or_insert_with(|| json!([])) {
                Value::Array(values) => values.push(json!(value)),
                _ => return Err(format!("{key} is said in two ways")),
            },
            Condition::Workflow(name, version) => {
                let workflow =
                    version.map_or(json!({ "name": name }), |version| json!({ "name": name, "version": version }));
                if filter.insert(WORKFLOW.to_owned(), workflow).is_some() {
                    return Err("workflow is said twice: an order has only one".to_owned());
                }
            }
            Condition::Bound(key, bound, at) => {
                once(&mut filter, key, bound, json!(at), &format!("the same bound of {key}"))?;
            }
            Condition::Amount(bound, amount) => {
                once(&mut filter, TOTAL, bound, json!(amount.to_string()), "the same bound of total")?;
            }
            Condition::Step(name) => once(&mut filter, STEP, "name", json!(name), STEP)?,
            Condition::StuckReason(text) => {
                if filter.insert(STUCK_REASON.to_owned(), json!(text)).is_some() {
                    return Err(format!("{STUCK_REASON} is said twice"));
                }
            }
            Condition::Attribute(path, value) => {
                let attributes = filter.entry("attributes").or_insert_with(|| json!([]));
                let attributes = attributes.as_array_mut().ok_or("attributes are said in two ways")?;
                if attributes.iter().any(|known| known["path"] == json!(path)) {
                    return Err(format!("{ATTRIBUTES}{} is said twice", path.join(".")));
                }
                attributes.push(match value {
                    Some(value) => json!({ "path": path, "value": value }),
                    None => json!({ "path": path }),
                });
            }
        }
    }
    Ok(Value::Object(filter))
}

/// Says a field of an object in the filter, for the first time.
fn once(filter: &mut Map<String, Value>, key: &str, field: &str, value: Value, what: &str) -> Result<(), String> {
    let object = filter.entry(key).or_insert_with(|| json!({}));
    if !object[field].is_null() {
        return Err(format!("{what} is said twice"));
    }
    object[field] = value;
    Ok(())
}

fn condition((key, operator, operand): (&str, &str, Operand)) -> Result<Condition, String> {
    let known = |keys: &[&'static str]| keys.iter().copied().find(|known| *known == key);
    let Operand { text: value, is_quoted } = operand;
    if value.is_empty() {
        return Err(format!("{key} has no value"));
    }
    if let Some(key) = known(&SPANS) {
        let bound = match operator {
            ">=" => "from",
            "<" => "to",
            _ => return Err(format!("{key} is a span of time: write {key}>=… or {key}<…")),
        };
        return moment::parse(&value).map(|at| Condition::Bound(key, bound, at)).ok_or_else(|| {
            format!("{key}: {value:?} is no moment; write one like 2026-01-31 or 2026-01-31T09:00:00Z")
        });
    }
    if key == TOTAL {
        return amount(operator, &value);
    }
    let path = key.strip_prefix(ATTRIBUTES);
    if known(&LISTS).is_none() && known(&[WORKFLOW, STEP, STUCK_REASON]).is_none() && path.is_none() {
        let rest = [WORKFLOW, STEP, STUCK_REASON, TOTAL];
        let keys: Vec<&str> = LISTS.into_iter().chain(rest).chain(SPANS).chain(["attributes.KEY"]).collect();
        return Err(format!("there is no key {key:?}{}; there are {}", did_you_mean(key, &keys), keys.join(", ")));
    }
    if operator != "=" {
        return Err(format!("{key} takes = only"));
    }
    if let Some(path) = path {
        return attribute(key, path, value, is_quoted);
    }
    match known(&LISTS) {
        Some(key @ "state") => word(key, &value, &STATES),
        Some(key @ STEP_STATUS) => word(key, &value, &StepStatus::BEGUN.map(StepStatus::as_str)),
        Some(key) => Ok(Condition::Value(key, value)),
        None if key == STEP => Ok(Condition::Step(value)),
        None if key == STUCK_REASON => Ok(Condition::StuckReason(value)),
        None => workflow(&value),
    }
}

/// One of some words that are written in capitals.
fn word(key: &'static str, value: &str, known: &[&str]) -> Result<Condition, String> {
    let word = value.to_ascii_uppercase();
    if known.contains(&word.as_str()) {
        return Ok(Condition::Value(key, word));
    }
    Err(format!("there is no {key} {value:?}{}; there are {}", did_you_mean(&word, known), known.join(", ")))
}

fn amount(operator: &str, value: &str) -> Result<Condition, String> {
    let bound = match operator {
        ">=" => "atLeast",
        "<=" => "atMost",
        _ => return Err(format!("{TOTAL} is a range of amounts: write {TOTAL}>=… or {TOTAL}<=…")),
    };
    let amount = Decimal::from_str_exact(value);
    amount
        .map(|amount| Condition::Amount(bound, amount))
        .map_err(|_| format!("{TOTAL}: {value:?} is no amount; write one like 14.00"))
}

/// A number, `true` and `false` are what they look like, unless they are in quotes.
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
    Ok(Condition::Attribute(path, value))
}

fn workflow(value: &str) -> Result<Condition, String> {
    let Some((name, version)) = value.split_once('@') else { return Ok(Condition::Workflow(value.to_owned(), None)) };
    match version.parse() {
        Ok(version) if version > 0 && !name.is_empty() => Ok(Condition::Workflow(name.to_owned(), Some(version))),
        _ => Err(format!("workflow: {value:?} is no name and version; write one like order-fulfilment@1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, String> {
        as_json(&conditions(text)?.0)
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
            ("stuckReason=409", json!({ "stuckReason": "409" })),
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
            ("total>=1,total>=2", "said twice"),
            ("stepStatus=PENDING", "no stepStatus \"PENDING\""),
            ("step=a,step=b", "step is said twice"),
            ("stuckReason=a,stuckReason=b", "said twice"),
            ("attributes.a=1,attributes.a=2", "attributes.a is said twice"),
            ("attributes.a..b=1", "a key that is empty"),
            ("sku>=11", "sku takes = only"),
            ("state=RUNNING,", "begins no condition"),
            ("sate=RUNNING", "no key \"sate\", did you mean \"state\"?"),
            ("placedat>=2026-01-31", "did you mean \"placedAt\"?"),
            (
                "colour=red",
                "no key \"colour\"; there are status, state, customer, sku, stepStatus, workflow, step, stuckReason, total, placedAt, updatedAt, \
                 endedAt, attributes.KEY",
            ),
            ("state=RUNING", "did you mean \"RUNNING\"?"),
            ("state=", "state has no value"),
            ("customer=\"a", "is not closed"),
            ("customer=\"a\"b", "a comma has to follow"),
            ("customer=\"a\\b\"", "a backslash stands before"),
            ("workflow=w@x", "no name and version"),
            ("workflow=w@0", "no name and version"),
            ("workflow=a,workflow=b", "said twice"),
            ("placedAt=2026-01-31", "write placedAt>=… or placedAt<…"),
            ("placedAt>=yesterday", "no moment"),
            ("placedAt<2026-01-31,placedAt<2026-01-30", "said twice"),
            ("status<Placed", "status takes = only"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
