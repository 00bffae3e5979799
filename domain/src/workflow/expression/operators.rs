//! Arithmetic, order and equality. As in JSON, there is one kind of number: a fraction makes the
//! result a double.

use std::cmp::Ordering;

use super::budget::Budget;
use super::error::{Problem, Trouble};
use super::items::{items_of, under};
use super::kind::Kind;
use super::tree::{Node, Operator};
use super::value::{Bytes, Outcome, Text, Value, joined};

/// The result of an arithmetic operator.
pub(super) fn calculated<'a>(
    budget: &Budget,
    operator: Operator,
    one: Value<'a>,
    other: Value<'a>,
    sides: &'a [Node; 2],
    node: &'a Node,
) -> Outcome<'a> {
    use Value as V;
    let kinds = [one.kind(), other.kind()];
    let not_calculable = || Problem::NotCalculable { sides, operator, kinds }.at(node);
    let result = match (one, other) {
        (one @ (V::Int(_) | V::UInt(_)), other @ (V::Int(_) | V::UInt(_))) => whole(operator, &one, &other),
        (one, other) if operator == Operator::Add && !kinds.iter().any(|kind| kind.is_number()) => {
            return concatenated(budget, one, other)?.ok_or_else(not_calculable);
        }
        (one, other) => match (as_double(&one), as_double(&other)) {
            (Some(one), Some(other)) => double(operator, one, other).map(V::Double).ok_or(Fails::NotDefined),
            _ => Err(Fails::NotDefined),
        },
    };
    result.map_err(|fails| match fails {
        Fails::ByZero => Problem::DivisionByZero.at(node),
        Fails::TooLarge => Problem::TooLarge { operator: operator.as_str() }.at(node),
        Fails::NotDefined => not_calculable(),
    })
}

enum Fails {
    ByZero,
    TooLarge,
    NotDefined,
}

/// Whole numbers: the result is an int, or a uint if both are. Of an int and a uint, it is an int
/// if it fits.
fn whole<'a>(operator: Operator, one: &Value<'a>, other: &Value<'a>) -> Result<Value<'a>, Fails> {
    let kinds = [one.kind(), other.kind()];
    let (Some(one), Some(other)) = (as_whole(one), as_whole(other)) else { return Err(Fails::NotDefined) };
    let result = match operator {
        Operator::Divide | Operator::Remainder if other == 0 => return Err(Fails::ByZero),
        // As in CEL, although the result would be 0.
        Operator::Remainder if kinds == [Kind::Int; 2] && one == i64::MIN.into() && other == -1 => {
            return Err(Fails::TooLarge);
        }
        Operator::Add => one + other,
        Operator::Subtract => one - other,
        Operator::Multiply => one.checked_mul(other).ok_or(Fails::TooLarge)?,
        Operator::Divide => one / other,
        Operator::Remainder => one % other,
    };
    let (int, uint) = (i64::try_from(result).map(Value::Int), u64::try_from(result).map(Value::UInt));
    let fits = match kinds {
        [Kind::Int, Kind::Int] => int,
        [Kind::UInt, Kind::UInt] => uint,
        _ => int.or(uint),
    };
    fits.map_err(|_| Fails::TooLarge)
}

fn as_whole(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Int(int) => Some(i128::from(*int)),
        Value::UInt(uint) => Some(i128::from(*uint)),
        _ => None,
    }
}

fn double(operator: Operator, one: f64, other: f64) -> Option<f64> {
    match operator {
        Operator::Add => Some(one + other),
        Operator::Subtract => Some(one - other),
        Operator::Multiply => Some(one * other),
        Operator::Divide => Some(one / other),
        Operator::Remainder => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a double is the nearest that there is")]
fn as_double(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Int(int) => Some(*int as f64),
        Value::UInt(uint) => Some(*uint as f64),
        Value::Double(double) => Some(*double),
        _ => None,
    }
}

/// Two texts, bytes or lists, joined; `None`: they are something else.
fn concatenated<'a>(budget: &Budget, one: Value<'a>, other: Value<'a>) -> Result<Option<Value<'a>>, Trouble<'a>> {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) => {
            let (head, tail) = (one.as_str(), other.as_str());
            // The text is built, and then copied.
            budget.bytes((head.len() + tail.len()) * 2)?;
            let marks = joined(&one.marks, head.len(), &other.marks);
            Ok(Some(Value::Text(Text::built(&[head, tail].concat(), marks))))
        }
        (Value::Bytes(one), Value::Bytes(other)) => {
            budget.bytes((one.bytes.len() + other.bytes.len()) * 2)?;
            let marks = joined(&one.marks, one.bytes.len(), &other.marks);
            Ok(Some(Value::Bytes(Bytes { bytes: [&*one.bytes, &*other.bytes].concat().into(), marks })))
        }
        (one @ (Value::Array(_) | Value::List(_)), other) => {
            let Some(head) = items_of(budget, &one)? else { return Ok(None) };
            let Some(tail) = items_of(budget, &other)? else { return Ok(None) };
            budget.items(head.len() + tail.len())?;
            let mut list = head;
            list.extend(tail);
            Ok(Some(Value::list(list)))
        }
        _ => Ok(None),
    }
}

/// The order of two values; `None`: they cannot be compared.
pub(super) fn compared<'a>(
    budget: &Budget,
    one: &Value<'a>,
    other: &Value<'a>,
) -> Result<Option<Ordering>, Trouble<'a>> {
    use Value as V;
    Ok(match (one, other) {
        (V::Int(_) | V::UInt(_), V::Int(_) | V::UInt(_)) => {
            as_whole(one).zip(as_whole(other)).map(|(one, other)| one.cmp(&other))
        }
        (V::Bool(one), V::Bool(other)) => Some(one.cmp(other)),
        (V::Text(one), V::Text(other)) => {
            budget.bytes(one.as_str().len().min(other.as_str().len()))?;
            Some(one.as_str().cmp(other.as_str()))
        }
        (V::Bytes(one), V::Bytes(other)) => {
            budget.bytes(one.bytes.len().min(other.bytes.len()))?;
            Some(one.bytes.cmp(&other.bytes))
        }
        _ => as_double(one).zip(as_double(other)).and_then(|(one, other)| one.partial_cmp(&other)),
    })
}

/// Whether two values are equal, to the last item. Values of different kinds are not, except for
/// numbers.
pub(super) fn equal<'a>(budget: &Budget, one: &Value<'a>, other: &Value<'a>) -> Result<bool, Trouble<'a>> {
    budget.spend(1)?;
    match (one, other) {
        (Value::Null, Value::Null) => Ok(true),
        (Value::Type(one), Value::Type(other)) => Ok(one == other),
        (Value::Array(_) | Value::List(_), Value::Array(_) | Value::List(_)) => equal_lists(budget, one, other),
        (Value::Object(..) | Value::Map(_), Value::Object(..) | Value::Map(_)) => equal_maps(budget, one, other),
        (Value::Text(one), Value::Text(other)) if one.as_str().len() != other.as_str().len() => Ok(false),
        _ => Ok(compared(budget, one, other)? == Some(Ordering::Equal)),
    }
}

fn equal_lists<'a>(budget: &Budget, one: &Value<'a>, other: &Value<'a>) -> Result<bool, Trouble<'a>> {
    if length(one) != length(other) {
        return Ok(false);
    }
    let (Some(ours), Some(theirs)) = (items_of(budget, one)?, items_of(budget, other)?) else { return Ok(false) };
    for (our, their) in ours.iter().zip(&theirs) {
        if !equal(budget, our, their)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_maps<'a>(budget: &Budget, one: &Value<'a>, other: &Value<'a>) -> Result<bool, Trouble<'a>> {
    if length(one) != length(other) {
        return Ok(false);
    }
    let Some(keys) = items_of(budget, one)? else { return Ok(false) };
    for key in keys {
        let (Some(our), Some(their)) = (under(one, &key)?, under(other, &key)?) else { return Ok(false) };
        if !equal(budget, &our, &their)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How many items or entries a value has.
pub(super) fn length(value: &Value<'_>) -> Option<usize> {
    match value {
        Value::Array(items) => Some(items.len()),
        Value::List(items) => Some(items.len()),
        Value::Object(fields, _) => Some(fields.len()),
        Value::Map(entries) => Some(entries.len()),
        _ => None,
    }
}
