//! Our scalars.

use std::time::Duration;

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

/// A position in the log. It is a string of digits, because a JSON number cannot hold every
/// position. Later events have greater positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position(pub u64);

/// A position in the log: a string of digits. Later events have greater positions.
#[Scalar]
impl ScalarType for Position {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Self(digits.parse()?)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A time in seconds, from the milliseconds in a row; none is zero.
pub fn seconds(milliseconds: Option<&i64>) -> f64 {
    let milliseconds = milliseconds.and_then(|milliseconds| u64::try_from(*milliseconds).ok());
    Duration::from_millis(milliseconds.unwrap_or_default()).as_secs_f64()
}
