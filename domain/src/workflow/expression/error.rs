//! The errors of an expression, when it is compiled and when it is evaluated.
//!
//! Events record the messages of an evaluation, and replay compares them. So they keep their
//! wording.

use cel::ParseErrors;

use super::TextPosition;
use super::kind::Kind;
use super::tree::{Node, Operator, Part, member};

/// Why a text is not an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {reason}", at.line, at.column)]
pub struct ExpressionError {
    /// The place in the text.
    pub at: TextPosition,
    /// The reason, for people.
    pub reason: String,
}

/// Why an expression has no value in a scope. Messages name types and keys, but never values, which
/// may be personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// Something that it reads does not exist, or has a wrong type.
    #[error("{0}")]
    Failed(String),
    /// The value must be true or false.
    #[error("must be true or false, is {found}")]
    NotABool {
        /// Its type.
        found: &'static str,
    },
    /// Its value cannot be written as JSON.
    #[error("its value cannot be written as JSON: {0}")]
    NotJson(String),
    /// It takes more work than one expression may.
    #[error("takes too much work: it goes through, or builds, too many values; use fewer nested loops and copies")]
    TooMuchWork,
    /// Its value is larger than an event may be.
    #[error("its value is larger than {} KiB, which is more than an event can hold", super::output::MAX_BYTES / 1024)]
    TooLarge,
}

impl ExpressionError {
    pub(super) fn new(at: TextPosition, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into() }
    }
}

/// Why an evaluation stops.
pub(super) enum Trouble<'t> {
    /// A part of the expression has no value. `||`, `&&` and the loops over them can still have
    /// one.
    Fault(Box<Fault<'t>>),
    /// The budget is spent, so the expression has no value.
    TooMuchWork,
}

/// A part of an expression without a value. Its message is written only if no other part overrides
/// it.
pub(super) struct Fault<'t> {
    at: Option<&'t Node>,
    problem: Problem<'t>,
}

/// Why a part has no value. It never contains a value of the scope, which may be personal data.
pub(super) enum Problem<'t> {
    NoField { of: &'t Node, kind: Kind, field: &'t str },
    NoKey { of: &'t Node, key: &'t Node },
    NotAnIndex { of: &'t Node, kind: Kind, index: Kind },
    BeyondTheEnd { of: &'t Node },
    NotABool { part: &'t Node, kind: Kind },
    NotComparable { sides: &'t [Node; 2], sign: &'static str, kinds: [Kind; 2] },
    NotCalculable { sides: &'t [Node; 2], operator: Operator, kinds: [Kind; 2] },
    NotNegatable { part: &'t Node, kind: Kind },
    NotIn { sides: &'t [Node; 2], kinds: [Kind; 2] },
    NotARange { part: &'t Node, kind: Kind },
    NotAKey { part: &'t Node, kind: Kind },
    KeyTwice,
    DivisionByZero,
    TooLarge { operator: &'static str },
    NumberOutOfRange,
    Unknown { name: &'t str },
    Function { name: &'t str, arguments: &'t [Node], kinds: Vec<Kind> },
    NotConvertible { name: &'t str, argument: &'t Node },
    BadPattern,
    Meaningless,
}

impl<'t> Problem<'t> {
    /// The problem as the fault of a part.
    pub fn at(self, node: &'t Node) -> Trouble<'t> {
        Trouble::Fault(Box::new(Fault { at: Some(node), problem: self }))
    }

    /// The problem as the fault of the whole expression.
    pub fn at_start(self) -> Trouble<'t> {
        Trouble::Fault(Box::new(Fault { at: None, problem: self }))
    }
}

impl EvaluationError {
    /// The message: what is wrong, where, and what helps.
    pub(super) fn of(trouble: &Trouble<'_>, source: &str) -> Self {
        let Trouble::Fault(fault) = trouble else { return Self::TooMuchWork };
        let words = fault.problem.in_words();
        Self::Failed(match fault.at {
            Some(node) => {
                let TextPosition { line, column } = TextPosition::of_byte(source, node.start);
                let place =
                    if line == 1 { format!("column {column}") } else { format!("line {line}, column {column}") };
                format!("{words} (at {place})")
            }
            None => words,
        })
    }
}

impl Problem<'_> {
    pub fn in_words(&self) -> String {
        match self {
            Problem::NoField { of, kind, field } => no_field(of, *kind, field),
            Problem::NoKey { of, key } => no_key(of, key),
            Problem::NotAnIndex { of, kind, index } => not_an_index(of, *kind, *index),
            Problem::BeyondTheEnd { of } => {
                format!("{} has no item at that index; test its size() first", named(of, "the list"))
            }
            Problem::NotABool { part, kind } => {
                format!("{} must be true or false, and is {}", named(part, "this"), kind.in_words())
            }
            Problem::NotComparable { sides, sign, kinds } => not_comparable(sides, sign, *kinds),
            Problem::NotCalculable { sides, operator, kinds } => not_calculable(sides, *operator, *kinds),
            Problem::NotNegatable { part, kind } => {
                format!("{} is {}: '-' needs a number", named(part, "this"), kind.in_words())
            }
            Problem::NotIn { sides, kinds: [item, within] } => match within {
                Kind::Text => format!(
                    "{} is a text, which has no items; write {}.contains(…)",
                    named(&sides[1], "the right side of 'in'"),
                    named(&sides[1], "text")
                ),
                Kind::Map => format!(
                    "{} is {}, which is never a key of a map",
                    named(&sides[0], "the left side of 'in'"),
                    item.in_words()
                ),
                other => format!(
                    "{} is {}: 'in' needs a list or a map",
                    named(&sides[1], "the right side of 'in'"),
                    other.in_words()
                ),
            },
            Problem::NotARange { part, kind } => format!(
                "{} is {}: map, filter, all and exists need a list or a map",
                named(part, "this"),
                kind.in_words()
            ),
            Problem::NotAKey { part, kind } => format!(
                "{} is {}: a key of a map is a text, a whole number, or true or false",
                named(part, "this"),
                kind.in_words()
            ),
            Problem::KeyTwice => "a key appears twice in a map".to_owned(),
            Problem::DivisionByZero => "division by zero".to_owned(),
            Problem::TooLarge { operator } => format!("the result of '{operator}' is out of range"),
            Problem::NumberOutOfRange => "a number is out of range".to_owned(),
            Problem::Unknown { name } => format!("'{name}' is unknown; there are 'order' and 'steps'"),
            Problem::Function { name, arguments, kinds } => function(name, arguments, kinds),
            Problem::NotConvertible { name, argument } => {
                format!("{name}() cannot convert {}", named(argument, "what it is given"))
            }
            Problem::BadPattern => {
                "matches() is given a pattern that is no regular expression, or too large a one".to_owned()
            }
            Problem::Meaningless => "it cannot be evaluated".to_owned(),
        }
    }
}

/// A part as the author wrote it, if it is short.
fn short(node: &Node) -> Option<String> {
    node.written().filter(|text| text.len() <= 100)
}

/// A part as the author wrote it, or another name for it.
pub(super) fn named(node: &Node, otherwise: &str) -> String {
    short(node).unwrap_or_else(|| otherwise.to_owned())
}

fn no_field(of: &Node, kind: Kind, field: &str) -> String {
    let name = named(of, "the value before it");
    let selected = format!("{name}{}", member(field));
    match (kind, of.written()) {
        (Kind::Null, Some(_)) => {
            format!("{name} is null here, so it has no '{field}'; test it first: {name} != null ? {selected} : null")
        }
        (Kind::Map, Some(_)) => format!("{name} has no '{field}'; test it first: has({selected})"),
        (Kind::Map, None) => format!("there is no '{field}'"),
        (Kind::List, _) => format!("{name} is a list, so it has no '{field}'; read one of its items: {name}[0]"),
        _ => format!("{name} is {}, so it has no '{field}'", kind.in_words()),
    }
}

fn no_key(of: &Node, key: &Node) -> String {
    let name = named(of, "the map");
    match (&key.part, key.written()) {
        // A constant comes from the author. The value of a name may be personal data.
        (Part::Text(_) | Part::Int(_) | Part::UInt(_) | Part::Bool(_) | Part::Double(_), Some(written)) => {
            format!("{name} has no {written}; test it first: {written} in {name}")
        }
        (_, Some(written)) => format!("{name} has no such key; test it first: {written} in {name}"),
        _ => format!("{name} has no such key"),
    }
}

fn not_an_index(of: &Node, kind: Kind, index: Kind) -> String {
    let name = named(of, "the value before the bracket");
    match kind {
        Kind::Null => format!("{name} is null here, so it has no items; test it first: {name} != null"),
        Kind::List => format!("{name} is a list, whose items are counted from 0: the index must be a whole number"),
        Kind::Map => format!("{} is no key of a map", index.in_words()),
        _ => format!("{name} is {}, which has no items", kind.in_words()),
    }
}

fn not_comparable(sides: &[Node; 2], sign: &str, kinds: [Kind; 2]) -> String {
    let [one, other] = [named(&sides[0], "the left side"), named(&sides[1], "the right side")];
    let help = text_beside_number(sides, sign, kinds).unwrap_or_else(|| match kinds {
        [Kind::Null, _] => format!("; test it first: {one} != null"),
        [_, Kind::Null] => format!("; test it first: {other} != null"),
        _ => String::new(),
    });
    let [is, was] = kinds.map(Kind::in_words);
    format!("{one} is {is} and {other} is {was}, which '{sign}' cannot compare{help}")
}

fn not_calculable(sides: &[Node; 2], operator: Operator, kinds: [Kind; 2]) -> String {
    let sign = operator.as_str();
    let [one, other] = [named(&sides[0], "the left side"), named(&sides[1], "the right side")];
    let help = match (operator, kinds) {
        (_, [Kind::Null, _]) => format!("; test it first: {one} != null"),
        (_, [_, Kind::Null]) => format!("; test it first: {other} != null"),
        (Operator::Remainder, [left, right]) if left.is_number() && right.is_number() => {
            "; '%' needs whole numbers: int(…)".to_owned()
        }
        (Operator::Add, [Kind::Text, _]) if is_constant(&sides[0]) => format!("; join texts: {one} + string({other})"),
        (Operator::Add, [_, Kind::Text]) if is_constant(&sides[1]) => format!("; join texts: string({one}) + {other}"),
        (Operator::Add, [Kind::Text, _]) => format!("; join texts: {one} + string({other}), or add: double({one})"),
        (Operator::Add, [_, Kind::Text]) => format!("; join texts: string({one}) + {other}, or add: double({other})"),
        (_, [Kind::Text, _]) => as_number(sides, sign, true),
        (_, [_, Kind::Text]) => as_number(sides, sign, false),
        _ => String::new(),
    };
    let [is, was] = kinds.map(Kind::in_words);
    format!("{one} is {is} and {other} is {was}, which '{sign}' cannot work with{help}")
}

/// What helps when one side is a text and the other one a number.
pub(super) fn text_beside_number(sides: &[Node; 2], sign: &str, kinds: [Kind; 2]) -> Option<String> {
    match kinds {
        [Kind::Text, number] if number.is_number() => Some(as_number(sides, sign, true)),
        [number, Kind::Text] if number.is_number() => Some(as_number(sides, sign, false)),
        _ => None,
    }
}

/// How to convert the text on the left or right side into a number.
fn as_number(sides: &[Node; 2], sign: &str, left: bool) -> String {
    match sides.each_ref().map(short) {
        [Some(one), Some(other)] if left => format!("; write double({one}) {sign} {other}"),
        [Some(one), Some(other)] => format!("; write {one} {sign} double({other})"),
        _ => "; double(…) makes a number of a text".to_owned(),
    }
}

fn is_constant(node: &Node) -> bool {
    matches!(node.part, Part::Text(_))
}

fn function(name: &str, arguments: &[Node], kinds: &[Kind]) -> String {
    if kinds.first() == Some(&Kind::Null) {
        let argument = named(&arguments[0], "what it is given");
        return format!("{argument} is null here, which {name}() cannot work with; test it first: {argument} != null");
    }
    let given = arguments.iter().zip(kinds).map(|(argument, kind)| match short(argument) {
        Some(written) => format!("{written} ({})", kind.in_words()),
        None => kind.in_words().to_owned(),
    });
    let given = given.collect::<Vec<_>>();
    let given = if given.is_empty() { "nothing".to_owned() } else { given.join(", ") };
    format!("{name}() cannot work with {given}; {}", usage(name))
}

/// How to call a function.
fn usage(name: &str) -> &'static str {
    match name {
        "contains" | "endsWith" | "startsWith" => "it is called on a text, with a text",
        "matches" => "it is called on a text, with a regular expression",
        "size" => "it needs a text, a list or a map",
        "bool" => "it needs a text, or true or false",
        "bytes" => "it needs a text",
        "double" | "int" | "uint" => "it needs one number, or a text that is one",
        "string" => "it needs one text, number, or true or false",
        _ => "it needs one value",
    }
}

/// The first error of the parser.
pub(super) fn of_parser(source: &str, errors: ParseErrors) -> ExpressionError {
    let Some(first) = errors.errors.into_iter().next() else {
        return ExpressionError::new(TextPosition::START, "is not an expression");
    };
    let (line, column) = (usize::try_from(first.pos.0).unwrap_or(1), usize::try_from(first.pos.1).unwrap_or(1));
    let last = source.split('\n').count();
    let at = TextPosition { line: line.clamp(1, last), column: column.max(1) };
    if first.msg.contains("Recursion limit") {
        return ExpressionError::new(at, "is nested too deeply");
    }
    ExpressionError::new(at, in_words(&first.msg))
}

/// The parser's message, without its long lists of expected tokens.
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
