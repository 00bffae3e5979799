//! A span, without an encoding.

use super::ids::{SpanId, TraceId};
use super::kind::Kind;
use crate::Timestamp;

/// The most events of a span. Later ones are only counted.
const MAX_EVENTS: usize = 128;

/// A part of an order's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The trace.
    pub trace: TraceId,
    /// Its id.
    pub id: SpanId,
    /// The span that it is a part of. That of an order's span is the shop's.
    pub parent: Option<SpanId>,
    /// What it covers.
    pub kind: Kind,
    /// For people. Spans of many orders have the same name.
    pub name: String,
    /// When it began.
    pub start: Timestamp,
    /// When it ended; `None`: it lasts.
    pub end: Option<Timestamp>,
    /// The class of the error with which it ended, if it ended with one.
    pub error: Option<&'static str>,
    /// Facts about it.
    pub attributes: Vec<Attribute>,
    /// What happened in it.
    pub events: Vec<SpanEvent>,
    /// The events past the bound.
    pub dropped_events: u32,
    /// Earlier spans that it follows from.
    pub links: Vec<Link>,
}

/// A fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: Value,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

/// Something that happened in a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanEvent {
    /// Its name.
    pub name: &'static str,
    /// When it happened.
    pub at: Timestamp,
    /// Facts about it.
    pub attributes: Vec<Attribute>,
}

/// Another span of the same trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its id.
    pub span: SpanId,
}

impl Span {
    /// Adds a fact.
    pub(super) fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        self.attributes.push(Attribute::new(name, value));
    }

    /// Adds an event.
    pub(super) fn happened(&mut self, name: &'static str, at: Timestamp, attributes: Vec<Attribute>) {
        if self.events.len() < MAX_EVENTS {
            self.events.push(SpanEvent { name, at, attributes });
        } else {
            self.dropped_events = self.dropped_events.saturating_add(1);
        }
    }

    /// The text of an attribute.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attributes.iter().filter(|attribute| attribute.name == name).find_map(|attribute| match &attribute.value {
            Value::Text(text) => Some(text.as_str()),
            Value::Number(_) | Value::Flag(_) => None,
        })
    }
}

impl Attribute {
    pub(super) fn new(name: &'static str, value: impl Into<Value>) -> Self {
        Self { name, value: value.into() }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}
