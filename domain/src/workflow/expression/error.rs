//! What can be wrong with an expression, when it is compiled and when it is evaluated.

use cel::{ExecutionError, ParseErrors};

use super::TextPosition;

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {reason}", at.line, at.column)]
pub struct ExpressionError {
    /// Where in the text.
    pub at: TextPosition,
    /// Why, for people.
    pub reason: String,
}

/// Why an expression has no value in a scope. Messages name types and keys, never values, which may be personal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// Something it reads is not there, or not of a type it can work with.
    #[error("{0}")]
    Failed(String),
    /// It was to be true or false.
    #[error("must be true or false, is {found}")]
    NotABool {
        /// The type that it has.
        found: &'static str,
    },
    /// Its value cannot be written as JSON.
    #[error("its value cannot be written as JSON: {0}")]
    NotJson(String),
    /// It takes more work than one expression may.
    #[error("takes too much work: it goes through too many values")]
    TooMuchWork,
}

impl ExpressionError {
    pub(super) fn new(at: TextPosition, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into() }
    }
}

impl EvaluationError {
    /// Says in words what CEL reports, without the values that CEL would print.
    pub(super) fn from_cel(error: &ExecutionError) -> Self {
        use ExecutionError as E;
        Self::Failed(match error {
            E::FunctionError { function, .. } if function == super::ranges::FUNCTION => return Self::TooMuchWork,
            E::FunctionError { function, .. } => format!("{function}() cannot work with what it is given"),
            E::NoSuchKey(key) => format!("there is no '{key}'"),
            E::UndeclaredReference(name) => format!("'{name}' is unknown"),
            E::NoSuchOverload(overload) => overload.to_string(),
            E::UnsupportedBinaryOperator(operator, left, right) => {
                format!("'{operator}' does not work between {} and {}", left.type_of(), right.type_of())
            }
            E::ValuesNotComparable(left, right) => {
                format!("{} cannot be compared with {}", left.type_of(), right.type_of())
            }
            E::UnexpectedType { .. } => "a value is of another type than it must be".to_owned(),
            E::UnsupportedIndex(index, of) => format!("{} is no index into {}", index.type_of(), of.type_of()),
            E::UnsupportedKeyType(key) => format!("{} cannot be a key", key.type_of()),
            E::IndexOutOfBounds(_) => "an index is beyond the end of its list".to_owned(),
            E::DivisionByZero(_) | E::RemainderByZero(_) => "division by zero".to_owned(),
            E::Overflow(operator, ..) => format!("the result of '{operator}' is too large"),
            E::DuplicateKey(_) => "a key appears twice in a map".to_owned(),
            E::InvalidArgumentCount { expected, actual } => format!("{expected} arguments are needed, {actual} given"),
            _ => "it cannot be evaluated".to_owned(),
        })
    }
}

/// The first thing that the parser found wrong.
pub(super) fn of_parser(source: &str, errors: ParseErrors) -> ExpressionError {
    let Some(first) = errors.errors.into_iter().next() else {
        return ExpressionError::new(TextPosition::START, "is no expression");
    };
    let (line, column) = (usize::try_from(first.pos.0).unwrap_or(1), usize::try_from(first.pos.1).unwrap_or(1));
    let last = source.split('\n').count();
    let at = TextPosition { line: line.clamp(1, last), column: column.max(1) };
    if first.msg.contains("Recursion limit") {
        return ExpressionError::new(at, "is nested too deeply");
    }
    ExpressionError::new(at, in_words(&first.msg))
}

/// What the parser says, without the long lists of what it would have liked instead.
fn in_words(message: &str) -> String {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let (found, _) = message.split_once(" expecting ").unwrap_or((message, ""));
    let unexpected = ["mismatched input ", "extraneous input ", "no viable alternative at input "];
    match unexpected.iter().find_map(|start| found.strip_prefix(start)) {
        Some("'<EOF>'" | "<EOF>") => "ends too early".to_owned(),
        Some(token) => format!("{token} is not expected here"),
        None => message.replace("'<EOF>'", "the end").replace("<EOF>", "the end"),
    }
}
