//! The functions that an expression can call.

use super::budget::Budget;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::{Regex, RegexBuilder};

use super::error::{Problem, Trouble};
use super::kind::Kind;
use super::operators::length;
use super::tree::{Call, Node};
use super::value::{Bytes, Outcome, Text, Value};

/// The limits of compiled patterns, in bytes, and the units for each byte of text, for the worst
/// possible text. Measured: `[01]*1[01]{n}2` takes 0.5, 2.4 and 14 µs for a byte of zeros and ones
/// in the last three. Larger patterns are refused.
const PATTERNS: [(usize, u64); 4] = [(1 << 10, 2), (4 << 10, 8), (32 << 10, 64), (256 << 10, 512)];
/// The cost of compiling a pattern, once in each evaluation: a fixed part, and a part for each
/// byte. Classes such as `(?i)\PL` are expanded before the size is known, once for each of these
/// limits: 180 µs for each byte of the pattern.
const PATTERN: u64 = 20_000;
const PATTERN_BYTE: u64 = 2_000;
/// The cache of a pattern for faster matching, in bytes.
const PATTERN_CACHE: usize = 512 << 10;

/// A compiled pattern, and the cost of matching one byte of text.
type Pattern = (Rc<Regex>, u64);

/// The patterns that an evaluation has compiled so far; `None`: not a pattern, or too large.
pub(super) type Patterns = RefCell<HashMap<String, Option<Pattern>>>;

/// What the functions of one evaluation share.
#[derive(Clone, Copy)]
pub(super) struct Resources<'e> {
    pub budget: &'e Budget,
    pub patterns: &'e Patterns,
}

/// Calls a function.
pub(super) fn called<'a>(
    resources: Resources<'_>,
    call: &'a Call,
    values: &[Value<'a>],
    node: &'a Node,
) -> Outcome<'a> {
    let name = call.function.as_str();
    let result = match (name, call.is_method, values) {
        ("size", _, [value]) => size(resources, value)?,
        ("contains", true, [text, part]) => searched(resources, text, part, |text, part| text.contains(part))?,
        ("startsWith", true, [text, part]) => searched(resources, text, part, |text, part| text.starts_with(part))?,
        ("endsWith", true, [text, part]) => searched(resources, text, part, |text, part| text.ends_with(part))?,
        ("matches", _, [Value::Text(text), Value::Text(pattern)]) => {
            Some(Value::Bool(matches(resources, text.as_str(), pattern.as_str(), node)?))
        }
        ("dyn", false, [value]) => Some(value.clone()),
        ("type", false, [value]) => Some(Value::Type(value.kind())),
        ("bool" | "bytes" | "double" | "int" | "string" | "uint", false, [value]) => {
            converted(resources, name, value, &call.arguments[0], node)?
        }
        _ => None,
    };
    result.ok_or_else(|| {
        let kinds = values.iter().map(Value::kind).collect();
        Problem::Function { name, arguments: &call.arguments, kinds }.at(node)
    })
}

fn size<'a>(resources: Resources<'_>, value: &Value<'a>) -> Result<Option<Value<'a>>, Trouble<'a>> {
    let size = match value {
        Value::Text(text) => {
            resources.budget.bytes(text.as_str().len())?;
            Some(text.as_str().chars().count())
        }
        Value::Bytes(bytes) => Some(bytes.bytes.len()),
        other => length(other),
    };
    Ok(size.map(|size| Value::Int(i64::try_from(size).unwrap_or(i64::MAX))))
}

fn searched<'a>(
    resources: Resources<'_>,
    text: &Value<'a>,
    part: &Value<'a>,
    found: impl Fn(&str, &str) -> bool,
) -> Result<Option<Value<'a>>, Trouble<'a>> {
    let (Value::Text(text), Value::Text(part)) = (text, part) else { return Ok(None) };
    // The search is linear in both.
    resources.budget.bytes(text.as_str().len() + part.as_str().len())?;
    Ok(Some(Value::Bool(found(text.as_str(), part.as_str()))))
}

fn matches<'a>(resources: Resources<'_>, text: &str, pattern: &str, node: &'a Node) -> Result<bool, Trouble<'a>> {
    let known = resources.patterns.borrow().get(pattern).cloned();
    let compiled = if let Some(known) = known { known } else { compiled(resources, pattern)? };
    let Some((regex, cost)) = compiled else { return Err(Problem::BadPattern.at(node)) };
    resources.budget.spend(u64::try_from(text.len()).unwrap_or(u64::MAX).saturating_mul(cost))?;
    Ok(regex.is_match(text))
}

fn compiled<'a>(resources: Resources<'_>, pattern: &str) -> Result<Option<Pattern>, Trouble<'a>> {
    let length = u64::try_from(pattern.len()).unwrap_or(u64::MAX);
    resources.budget.spend(length.saturating_mul(PATTERN_BYTE).saturating_add(PATTERN))?;
    let compiled = PATTERNS.into_iter().find_map(|(size, cost)| {
        let regex = RegexBuilder::new(pattern).size_limit(size).dfa_size_limit(PATTERN_CACHE).build().ok()?;
        Some((Rc::new(regex), cost))
    });
    resources.patterns.borrow_mut().insert(pattern.to_owned(), compiled.clone());
    Ok(compiled)
}

/// A value converted to another type; `None`: this type cannot be converted.
fn converted<'a>(
    resources: Resources<'_>,
    name: &'a str,
    value: &Value<'a>,
    argument: &'a Node,
    node: &'a Node,
) -> Result<Option<Value<'a>>, Trouble<'a>> {
    if let Value::Text(text) = value {
        resources.budget.bytes(text.as_str().len())?;
    }
    let converted = match name {
        "string" => return string(resources, value, argument, node),
        "bytes" => match value {
            Value::Text(text) => {
                let (bytes, marks) = (text.as_str().as_bytes().into(), text.marks.clone());
                return Ok(Some(Value::Bytes(Bytes { bytes, marks })));
            }
            Value::Bytes(_) => return Ok(Some(value.clone())),
            _ => return Ok(None),
        },
        "bool" => to_bool(value),
        "double" => to_double(value),
        "int" => to_int(value),
        _ => to_uint(value),
    };
    match converted {
        Converted::Value(value) => Ok(Some(value)),
        Converted::OutOfRange => Err(Problem::NotConvertible { name, argument }.at(node)),
        Converted::WrongType => Ok(None),
    }
}

enum Converted<'a> {
    Value(Value<'a>),
    /// The type can be converted, but this value cannot.
    OutOfRange,
    WrongType,
}

impl<'a> Converted<'a> {
    fn some(value: Option<Value<'a>>) -> Self {
        value.map_or(Converted::OutOfRange, Converted::Value)
    }
}

fn to_bool<'a>(value: &Value<'a>) -> Converted<'a> {
    match value {
        Value::Bool(truth) => Converted::Value(Value::Bool(*truth)),
        Value::Text(text) => Converted::some(match text.as_str() {
            "1" | "t" | "true" | "TRUE" | "True" => Some(Value::Bool(true)),
            "0" | "f" | "false" | "FALSE" | "False" => Some(Value::Bool(false)),
            _ => None,
        }),
        _ => Converted::WrongType,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a double is the nearest that there is")]
fn to_double<'a>(value: &Value<'a>) -> Converted<'a> {
    match value {
        Value::Double(double) => Converted::Value(Value::Double(*double)),
        Value::Int(int) => Converted::Value(Value::Double(*int as f64)),
        Value::UInt(uint) => Converted::Value(Value::Double(*uint as f64)),
        Value::Text(text) => Converted::some(text.as_str().parse().ok().map(Value::Double)),
        _ => Converted::WrongType,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "what is within the range loses its fraction, as CEL has it")]
fn to_int<'a>(value: &Value<'a>) -> Converted<'a> {
    // Both limits are exclusive, as in CEL.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    Converted::some(match value {
        Value::Int(int) => Some(Value::Int(*int)),
        Value::UInt(uint) => i64::try_from(*uint).ok().map(Value::Int),
        Value::Double(double) => (*double > -LIMIT && *double < LIMIT).then_some(Value::Int(*double as i64)),
        Value::Text(text) => text.as_str().parse().ok().map(Value::Int),
        _ => return Converted::WrongType,
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as of ints, from 0 on")]
fn to_uint<'a>(value: &Value<'a>) -> Converted<'a> {
    const LIMIT: f64 = 18_446_744_073_709_551_616.0;
    Converted::some(match value {
        Value::UInt(uint) => Some(Value::UInt(*uint)),
        Value::Int(int) => u64::try_from(*int).ok().map(Value::UInt),
        Value::Double(double) => (*double >= 0.0 && *double < LIMIT).then_some(Value::UInt(*double as u64)),
        Value::Text(text) => text.as_str().parse().ok().map(Value::UInt),
        _ => return Converted::WrongType,
    })
}

fn string<'a>(
    resources: Resources<'_>,
    value: &Value<'a>,
    argument: &'a Node,
    node: &'a Node,
) -> Result<Option<Value<'a>>, Trouble<'a>> {
    // The longest number is a double, with about 330 digits.
    resources.budget.bytes(if value.kind() == Kind::Double { 330 } else { 20 })?;
    let text = match value {
        Value::Text(_) => return Ok(Some(value.clone())),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(int) => int.to_string(),
        Value::UInt(uint) => uint.to_string(),
        Value::Double(double) => double.to_string(),
        Value::Bytes(bytes) => {
            resources.budget.bytes(bytes.bytes.len())?;
            let text = std::str::from_utf8(&bytes.bytes);
            let text = text.map_err(|_| Problem::NotConvertible { name: "string", argument }.at(node))?;
            return Ok(Some(Value::Text(Text::built(text, bytes.marks.clone()))));
        }
        _ => return Ok(None),
    };
    Ok(Some(Value::Text(Text::built(&text, None))))
}
