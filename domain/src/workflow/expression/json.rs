//! Between JSON and the values of CEL, without loss: what cannot be kept exactly is an error.

use std::collections::HashMap;

use cel::objects::{Key, Value as CelValue};
use serde_json::{Map, Number, Value};

use super::EvaluationError;

/// Deeper values are refused: conversion recurses.
const MAX_DEPTH: usize = 128;

/// A JSON value as CEL sees it. Whole numbers are ints (uints beyond `i64`), others doubles.
pub(super) fn to_cel(value: &Value) -> Result<CelValue, EvaluationError> {
    to_cel_within(value, MAX_DEPTH)
}

/// Entries of a JSON object as a CEL map.
pub(super) fn to_cel_map<'a>(
    entries: impl Iterator<Item = (&'a String, &'a Value)>,
) -> Result<CelValue, EvaluationError> {
    map_within(entries, MAX_DEPTH)
}

fn map_within<'a>(
    entries: impl Iterator<Item = (&'a String, &'a Value)>,
    depth: usize,
) -> Result<CelValue, EvaluationError> {
    let entries = entries.map(|(key, value)| Ok((Key::from(key.clone()), to_cel_within(value, depth)?)));
    Ok(CelValue::from(entries.collect::<Result<HashMap<Key, CelValue>, EvaluationError>>()?))
}

fn to_cel_within(value: &Value, depth: usize) -> Result<CelValue, EvaluationError> {
    let inner =
        depth.checked_sub(1).ok_or_else(|| EvaluationError::Failed("a value is nested too deeply".to_owned()))?;
    Ok(match value {
        Value::Null => CelValue::Null,
        Value::Bool(truth) => CelValue::Bool(*truth),
        Value::String(text) => CelValue::from(text.as_str()),
        Value::Number(number) => number_to_cel(number)?,
        Value::Array(items) => {
            let items = items.iter().map(|item| to_cel_within(item, inner));
            CelValue::List(items.collect::<Result<Vec<_>, _>>()?.into())
        }
        Value::Object(object) => map_within(object.iter(), inner)?,
    })
}

fn number_to_cel(number: &Number) -> Result<CelValue, EvaluationError> {
    if let Some(int) = number.as_i64() {
        return Ok(CelValue::Int(int));
    }
    if let Some(uint) = number.as_u64() {
        return Ok(CelValue::UInt(uint));
    }
    let double = number.as_f64().filter(|double| double.is_finite());
    double.map(CelValue::Float).ok_or_else(|| EvaluationError::Failed("a number is out of range".to_owned()))
}

/// A value of CEL as JSON, where JSON has the like.
pub(super) fn from_cel(value: &CelValue) -> Result<Value, EvaluationError> {
    Ok(match value {
        CelValue::Null => Value::Null,
        CelValue::Bool(truth) => Value::Bool(*truth),
        CelValue::Int(int) => Value::from(*int),
        CelValue::UInt(uint) => Value::from(*uint),
        CelValue::Float(double) => {
            let number = Number::from_f64(*double);
            Value::Number(number.ok_or_else(|| EvaluationError::NotJson("a number that is not finite".to_owned()))?)
        }
        CelValue::String(text) => Value::String(text.as_ref().clone()),
        CelValue::List(items) => Value::Array(items.iter().map(from_cel).collect::<Result<_, _>>()?),
        CelValue::Map(map) => {
            let entries = map.map.iter().map(|(key, value)| match key {
                Key::String(name) => Ok((name.as_ref().clone(), from_cel(value)?)),
                _ => Err(EvaluationError::NotJson("a key that is no text".to_owned())),
            });
            Value::Object(entries.collect::<Result<Map<_, _>, _>>()?)
        }
        other => return Err(EvaluationError::NotJson(format!("it is of type {}", other.type_of()))),
    })
}

/// What people call the type of a JSON value.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
