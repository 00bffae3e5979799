//! JSON from outside: RFC 8259, without anything that two readers could read differently.
//!
//! [`parse`] refuses what `serde_json` accepts but the next reader loses or misreads: a repeated
//! key, a number that cannot be written back exactly, NUL (which Postgres' `jsonb` cannot store),
//! unlimited nesting. [`canonical`] writes equal values in the same form.

mod numeral;

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use numeral::Numerals;

/// The limit for nested arrays and objects.
pub const MAX_DEPTH: usize = 32;

/// Why a text was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} (line {line}, column {column})")]
pub struct JsonError {
    /// The fault.
    pub fault: JsonFault,
    /// The value being read (RFC 6901).
    pub pointer: String,
    /// From 1.
    pub line: usize,
    /// From 1, in bytes.
    pub column: usize,
}

/// A fault of a text that should be JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Empty, or only white space.
    #[error("expected JSON, found nothing")]
    Empty,
    /// Bytes that are not UTF-8.
    #[error("JSON must be UTF-8, found a byte sequence that is not")]
    NotUtf8,
    /// Against the grammar, with the parser's message.
    #[error("not valid JSON: {0}")]
    Malformed(String),
    /// The same key twice in one object: readers disagree about which one counts.
    #[error("the key {0:?} is given more than once")]
    DuplicateKey(String),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// U+0000 in a string or a key.
    #[error("a string must not contain the NUL character (\\u0000)")]
    Nul,
    /// A number that neither a double nor a 64-bit integer holds exactly.
    #[error("the number {0} cannot be held exactly: write it as a string, or with fewer digits")]
    InexactNumber(String),
}

/// Reads a whole text as one JSON value.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    if text.trim().is_empty() {
        return Err(JsonError { fault: JsonFault::Empty, pointer: String::new(), line: 1, column: 1 });
    }
    let state = RefCell::new(ParseState { path: Vec::new(), numerals: Numerals::new(text), fault: None });
    let mut parser = serde_json::Deserializer::from_str(text);
    let result = Strict(&state).deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
    result.map_err(|error| state.into_inner().explain(&error))
}

/// Writes a value so that equal values give equal texts: sorted keys, no white space, and one form
/// for equal numbers (`1.0` is `1`).
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                text.push(if index == 0 { '[' } else { ',' });
                write_canonical(item, text);
            }
            text.push_str(if items.is_empty() { "[]" } else { "]" });
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            for (index, (key, item)) in entries.into_iter().enumerate() {
                text.push(if index == 0 { '{' } else { ',' });
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_canonical(item, text);
            }
            text.push_str(if map.is_empty() { "{}" } else { "}" });
        }
        Value::Number(number) => text.push_str(&numeral::canonical(number)),
        Value::Null | Value::Bool(_) | Value::String(_) => text.push_str(&value.to_string()),
    }
}

/// Whether two numbers are equal by their decimal value: 3 is 3.0, and no double stands for its
/// neighbour.
pub(crate) fn are_equal(one: &serde_json::Number, other: &serde_json::Number) -> bool {
    numeral::are_equal(one, other)
}

/// Adds a token to a pointer, escaped as in RFC 6901.
pub(crate) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

fn not_utf8(bytes: &[u8], valid_up_to: usize) -> JsonError {
    let lines: Vec<&[u8]> = bytes[..valid_up_to].split(|&byte| byte == b'\n').collect();
    let column = 1 + lines.last().map_or(0, |line| line.len());
    JsonError { fault: JsonFault::NotUtf8, pointer: String::new(), line: lines.len(), column }
}

/// The state of a parse.
struct ParseState<'a> {
    path: Vec<Token>,
    numerals: Numerals<'a>,
    fault: Option<JsonFault>,
}

/// One step into an object or an array.
enum Token {
    Key(String),
    Index(usize),
}

impl ParseState<'_> {
    /// The error of the parse: the parser's, or the fault that stopped it.
    fn explain(self, error: &serde_json::Error) -> JsonError {
        let (line, column) = (error.line(), error.column());
        let fault = self.fault.unwrap_or_else(|| {
            let words = error.to_string();
            let place = format!(" at line {line} column {column}");
            JsonFault::Malformed(words.strip_suffix(&place).unwrap_or(&words).to_owned())
        });
        let mut pointer = String::new();
        for token in &self.path {
            match token {
                Token::Key(key) => push_token(&mut pointer, key),
                Token::Index(index) => push_token(&mut pointer, &index.to_string()),
            }
        }
        JsonError { fault, pointer, line, column }
    }
}

/// Builds a [`Value`], and stops at the first fault.
#[derive(Clone, Copy)]
struct Strict<'r, 'a>(&'r RefCell<ParseState<'a>>);

impl Strict<'_, '_> {
    /// Stores the fault for [`ParseState::explain`] and stops the parser, whose error then has line
    /// and column.
    fn stop<T, E: de::Error>(self, fault: JsonFault) -> Result<T, E> {
        let stopped = Err(E::custom(&fault));
        self.0.borrow_mut().fault = Some(fault);
        stopped
    }

    fn enter(self, token: Token) {
        self.0.borrow_mut().path.push(token);
    }

    fn leave(self) {
        self.0.borrow_mut().path.pop();
    }

    /// Opens an array or object. The length of the path is the number of those around it.
    fn open<E: de::Error>(self) -> Result<(), E> {
        if self.0.borrow().path.len() >= MAX_DEPTH { self.stop(JsonFault::TooDeep) } else { Ok(()) }
    }

    /// Checks a number: `number` is the parser's value of it.
    fn number<E: de::Error>(self, number: Option<Number>) -> Result<Value, E> {
        let numeral = self.0.borrow_mut().numerals.next().unwrap_or_default();
        match number {
            Some(number) if numeral::is_exact(numeral, &number) => Ok(Value::Number(number)),
            _ => self.stop(JsonFault::InexactNumber(numeral::shorten(numeral))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_, '_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        self.number(Some(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        self.number(Some(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        self.number(Number::from_f64(value))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        if text.contains('\0') { self.stop(JsonFault::Nul) } else { Ok(Value::String(text.to_owned())) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.open()?;
        let mut list = Vec::new();
        loop {
            self.enter(Token::Index(list.len()));
            let Some(item) = items.next_element_seed(self)? else { break };
            self.leave();
            list.push(item);
        }
        self.leave();
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.open()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.enter(Token::Key(key.clone()));
            if key.contains('\0') {
                return self.stop(JsonFault::Nul);
            }
            if map.contains_key(&key) {
                return self.stop(JsonFault::DuplicateKey(key));
            }
            map.insert(key, entries.next_value_seed(self)?);
            self.leave();
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
pub(crate) mod tests;
