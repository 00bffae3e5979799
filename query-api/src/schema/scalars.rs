//! Our scalars.

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
