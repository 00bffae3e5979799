//! JSON as this system takes it from outside: RFC 8259, and none of what one reader would take differently from another.
//!
//! [`parse`] refuses what `serde_json` lets pass but the next reader loses or misreads: a key given twice, a number that
//! does not come back as it was written, NUL (which Postgres' `jsonb` cannot hold), nesting without end.
//! [`canonical`] writes a value in the one form that equal values share.

mod numeral;

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use numeral::Numerals;

/// How many arrays and objects may be open at once.
pub const MAX_DEPTH: usize = 32;

/// Why a text is not taken for JSON, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} (line {line}, column {column})")]
pub struct JsonError {
    /// What is wrong.
    pub fault: JsonFault,
    /// Which value was being read (RFC 6901).
    pub pointer: String,
    /// From 1.
    pub line: usize,
    /// From 1, in bytes.
    pub column: usize,
}

/// What can be wrong with a text that should be JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Nothing, or nothing but white space.
    #[error("expected JSON, found nothing")]
    Empty,
    /// Bytes that are no text.
    #[error("JSON must be UTF-8, found a byte sequence that is not")]
    NotUtf8,
    /// Against the grammar; the words are the parser's.
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
    /// A number that a double does not hold as it is written, nor a 64-bit integer.
    #[error("the number {0} cannot be held exactly: write it as a string, or with fewer digits")]
    InexactNumber(String),
}

/// Reads a whole text as one JSON value.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    if text.trim().is_empty() {
        return Err(JsonError { fault: JsonFault::Empty, pointer: String::new(), line: 1, column: 1 });
    }
    let reading = RefCell::new(Reading { path: Vec::new(), numerals: Numerals::new(text), fault: None });
    let mut parser = serde_json::Deserializer::from_str(text);
    let result = Strict(&reading).deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
    result.map_err(|error| reading.into_inner().explain(&error))
}

/// Writes a value so that equal values give equal texts: keys sorted, no white space, and numbers without the
/// differences that JSON gives no meaning to (`1.0` is `1`).
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

/// A pointer with one more token at its end, escaped as RFC 6901 asks.
pub(crate) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

fn not_utf8(bytes: &[u8], valid_up_to: usize) -> JsonError {
    let lines: Vec<&[u8]> = bytes[..valid_up_to].split(|&byte| byte == b'\n').collect();
    let column = 1 + lines.last().map_or(0, |line| line.len());
    JsonError { fault: JsonFault::NotUtf8, pointer: String::new(), line: lines.len(), column }
}

/// What is known in the middle of a text.
struct Reading<'a> {
    path: Vec<Token>,
    numerals: Numerals<'a>,
    fault: Option<JsonFault>,
}

/// One step down from an object or an array.
enum Token {
    Key(String),
    Index(usize),
}

impl Reading<'_> {
    /// Turns the parser's error, or the fault that made it stop, into ours.
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
struct Strict<'r, 'a>(&'r RefCell<Reading<'a>>);

impl Strict<'_, '_> {
    /// Notes the fault for [`Reading::explain`] and stops the parser, whose error then carries line and column.
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

    /// An array or object is opened: the path is as long as the number of those around it.
    fn open<E: de::Error>(self) -> Result<(), E> {
        if self.0.borrow().path.len() >= MAX_DEPTH { self.stop(JsonFault::TooDeep) } else { Ok(()) }
    }

    /// A number has been read: `number` is what the parser made of it.
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
