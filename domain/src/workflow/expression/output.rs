//! The value of an evaluation as JSON, with the places of placeholders for personal data.

use serde_json::{Map, Number, Value as Json};

use super::EvaluationError;
use super::budget::Budget;
use super::error::Trouble;
use super::value::{Key, Origin, Text, Value};
use crate::json::push_token;

/// The limit for a value, in bytes of JSON: about the size of an event.
pub(super) const MAX_BYTES: usize = 1024 * 1024;
/// The limit for nesting, because readers recurse.
const MAX_DEPTH: usize = 128;

/// A value as JSON.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evaluated {
    /// The value.
    pub value: Json,
    /// Its placeholders for personal data: a JSON pointer to each text that has some, and the
    /// characters at which they begin.
    pub placeholders: Vec<(String, Vec<u32>)>,
}

/// Writes a value.
pub(super) fn written<'a>(value: &Value<'a>, budget: &Budget) -> Result<Evaluated, Failure<'a>> {
    let mut output = Output { budget, bytes: 0, pointer: String::new(), placeholders: Vec::new() };
    let value = output.json(value, MAX_DEPTH)?;
    Ok(Evaluated { value, placeholders: output.placeholders })
}

/// Why a value cannot be written.
pub(super) enum Failure<'a> {
    Trouble(Trouble<'a>),
    Output(EvaluationError),
}

impl<'a> From<Trouble<'a>> for Failure<'a> {
    fn from(trouble: Trouble<'a>) -> Self {
        Failure::Trouble(trouble)
    }
}

struct Output<'b> {
    budget: &'b Budget,
    bytes: usize,
    pointer: String,
    placeholders: Vec<(String, Vec<u32>)>,
}

impl Output<'_> {
    fn json<'a>(&mut self, value: &Value<'a>, depth: usize) -> Result<Json, Failure<'a>> {
        let Some(inner) = depth.checked_sub(1) else {
            let reason = "a value is nested too deeply".to_owned();
            return Err(Failure::Output(EvaluationError::Failed(reason)));
        };
        match value {
            Value::Array(items) => {
                let items = items.iter().map(|item| Value::of_json(item, Origin::Data).map_err(Failure::from));
                self.list(items, inner)
            }
            Value::List(items) => self.list(items.iter().cloned().map(Ok), inner),
            Value::Object(fields, origin) => {
                let mut object = Map::new();
                for name in fields.keys() {
                    if let Some(value) = Value::of_field(fields, *origin, name)? {
                        self.field(&mut object, name, &value, inner)?;
                    }
                }
                Ok(Json::Object(object))
            }
            Value::Map(entries) => {
                let mut object = Map::new();
                for (key, value) in entries.iter() {
                    let Key::Text(name) = key else { return Err(not_json("a key that is no text")) };
                    self.field(&mut object, name.as_str(), value, inner)?;
                }
                Ok(Json::Object(object))
            }
            scalar => self.scalar(scalar),
        }
    }

    fn list<'a>(
        &mut self,
        items: impl Iterator<Item = Result<Value<'a>, Failure<'a>>>,
        depth: usize,
    ) -> Result<Json, Failure<'a>> {
        let mut list = Vec::new();
        let length = self.pointer.len();
        for (index, item) in items.enumerate() {
            push_token(&mut self.pointer, &index.to_string());
            list.push(self.json(&item?, depth)?);
            self.pointer.truncate(length);
        }
        self.took(2)?;
        Ok(Json::Array(list))
    }

    fn field<'a>(
        &mut self,
        object: &mut Map<String, Json>,
        name: &str,
        value: &Value<'a>,
        depth: usize,
    ) -> Result<(), Failure<'a>> {
        without_nul(name)?;
        self.took(name.len() + 4)?;
        let length = self.pointer.len();
        push_token(&mut self.pointer, name);
        let json = self.json(value, depth)?;
        self.pointer.truncate(length);
        object.insert(name.to_owned(), json);
        Ok(())
    }

    fn scalar<'a>(&mut self, value: &Value<'a>) -> Result<Json, Failure<'a>> {
        let (bytes, json) = match value {
            Value::Null => (5, Json::Null),
            Value::Bool(truth) => (5, Json::Bool(*truth)),
            Value::Int(int) => (8, Json::from(*int)),
            Value::UInt(uint) => (20, Json::from(*uint)),
            Value::Double(double) => {
                let number = Number::from_f64(*double).map(Json::Number);
                (17, number.ok_or_else(|| not_json("a number that is not finite"))?)
            }
            Value::Text(text) => return self.text(text),
            // As CEL's own library writes it.
            Value::Type(kind) => (12, Json::from(kind.name())),
            Value::Bytes(_) => return Err(not_json("it is of type bytes")),
            other => return Err(not_json(&format!("it is {}", other.kind().in_words()))),
        };
        self.took(bytes)?;
        Ok(json)
    }

    fn text<'a>(&mut self, text: &Text<'a>) -> Result<Json, Failure<'a>> {
        self.took(text.as_str().len() + 3)?;
        without_nul(text.as_str())?;
        if let Some(marks) = &text.marks {
            let characters = marks.iter().filter_map(|mark| {
                let before = text.as_str().get(..*mark)?;
                u32::try_from(before.chars().count()).ok()
            });
            // Each mark is counted from the start of the text: at most the square of its length,
            // and the budget pays.
            self.budget.bytes(text.as_str().len().saturating_mul(marks.len()))?;
            self.budget.bytes(self.pointer.len())?;
            self.placeholders.push((self.pointer.clone(), characters.collect()));
        }
        Ok(Json::String(text.as_str().to_owned()))
    }

    fn took<'a>(&mut self, bytes: usize) -> Result<(), Failure<'a>> {
        self.budget.spend(1)?;
        self.budget.bytes(bytes)?;
        self.bytes += bytes;
        if self.bytes > MAX_BYTES { Err(Failure::Output(EvaluationError::TooLarge)) } else { Ok(()) }
    }
}

/// Incoming texts cannot contain NUL, and the views cannot store it.
fn without_nul<'a>(text: &str) -> Result<(), Failure<'a>> {
    if text.contains('\0') { Err(not_json("a text must not contain the NUL character")) } else { Ok(()) }
}

fn not_json<'a>(reason: &str) -> Failure<'a> {
    Failure::Output(EvaluationError::NotJson(reason.to_owned()))
}

/// The type of a JSON value, for people.
pub(super) fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "a map",
    }
}
