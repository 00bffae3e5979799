//! `--where`: which orders, in a line that people can type.
//!
//! `state=RUNNING,workflow=order-fulfilment@1,placedAt>=2026-01-31` reads: running, and of version 1, and placed since then. The same
//! key again is another value that will do. A value in double quotes may have commas in it.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::commands::moment;
use crate::commands::suggest::did_you_mean;

const LISTS: [&str; 3] = ["status", "state", "customer"];
const SPANS: [&str; 3] = ["placedAt", "updatedAt", "endedAt"];
const WORKFLOW: &str = "workflow";
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
                let span = filter.entry(*key).or_insert_with(|| json!({}));
                if !span[*bound].is_null() {
                    return Err(format!("the same bound of {key} is said twice"));
                }
                span[*bound] = json!(at);
            }
        }
    }
    Ok(Value::Object(filter))
}

/// Key, operator and value of each condition.
fn split(text: &str) -> Result<Vec<(&str, &str, String)>, String> {
    let mut conditions = Vec::new();
    let mut rest = text;
    loop {
        let key_ends = rest.find(['=', '<', '>', ',', '!']).unwrap_or(rest.len());
        let (key, after) = rest.split_at(key_ends);
        let Some(operator) = ["=", ">=", "<"].into_iter().find(|o| after.starts_with(o) && !after.starts_with("<="))
        else {
            let so_far = format!("{key}{}", after.chars().take(2).collect::<String>());
            return Err(format!(
                "{so_far:?} begins no condition; write key=value, or a span of time as placedAt>=… and placedAt<…"
            ));
        };
        let (value, after) = value(&after[operator.len()..])?;
        conditions.push((key.trim(), operator, value));
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Ok(conditions),
        }
    }
}

/// A value, and what follows it: a comma and more, or nothing.
fn value(text: &str) -> Result<(String, &str), String> {
    let text = text.trim_start();
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        return Ok((text[..end].trim_end().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => {
                let after = quoted[index + 1..].trim_start();
                let ends = after.is_empty() || after.starts_with(',');
                return if ends { Ok((value, after)) } else { Err(format!("after {value:?}, a comma has to follow")) };
            }
            '\\' => match characters.next() {
                Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                _ => return Err("in quotes, a backslash stands before a quote or a backslash".to_owned()),
            },
            other => value.push(other),
        }
    }
    Err(format!("the quote before {quoted:?} is not closed"))
}

fn condition((key, operator, value): (&str, &str, String)) -> Result<Condition, String> {
    let known = |keys: &[&'static str]| keys.iter().copied().find(|known| *known == key);
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
    if known(&LISTS).is_none() && key != WORKFLOW {
        let keys: Vec<&str> = LISTS.into_iter().chain([WORKFLOW]).chain(SPANS).collect();
        return Err(format!("there is no key {key:?}{}; there are {}", did_you_mean(key, &keys), keys.join(", ")));
    }
    if operator != "=" {
        return Err(format!("{key} takes = only"));
    }
    match known(&LISTS) {
        Some(key @ "state") => state(&value).map(|state| Condition::Value(key, state)),
        Some(key) => Ok(Condition::Value(key, value)),
        None => workflow(&value),
    }
}

fn state(value: &str) -> Result<String, String> {
    let state = value.to_ascii_uppercase();
    if STATES.contains(&state.as_str()) {
        return Ok(state);
    }
    Err(format!("there is no state {value:?}{}; there are {}", did_you_mean(&state, &STATES), STATES.join(", ")))
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
            ("placedAt<=2026-01-31", "begins no condition"),
            ("state=RUNNING,", "begins no condition"),
            ("sate=RUNNING", "no key \"sate\", did you mean \"state\"?"),
            ("placedat>=2026-01-31", "did you mean \"placedAt\"?"),
            (
                "colour=red",
                "no key \"colour\"; there are status, state, customer, workflow, placedAt, updatedAt, endedAt",
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
