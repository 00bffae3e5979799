//! The values of an evaluation. Values of the scope are read in place; an expression allocates only
//! what it builds.

use super::kind::Kind;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Number, Value as Json};

use super::error::{Problem, Trouble};

/// A value of CEL.
#[derive(Clone)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    Type(Kind),
    Text(Text<'a>),
    Bytes(Bytes),
    /// A list of the scope.
    Array(&'a [Json]),
    /// A map of the scope.
    Object(&'a Map<String, Json>, Origin),
    /// A list that the expression built.
    List(Rc<Vec<Value<'a>>>),
    /// A map that the expression built.
    Map(Rc<BTreeMap<Key<'a>, Value<'a>>>),
}

/// The source of a map of the scope: it decides which of its texts are placeholders for personal
/// data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// No text in it is a placeholder, even if it looks like one.
    Data,
    /// `order` with placeholders.
    Order,
    /// `order.customer` with placeholders.
    Customer,
    /// `order.shipTo` with placeholders.
    ShipTo,
}

impl Origin {
    fn of_field(self, name: &str) -> Self {
        match (self, name) {
            (Origin::Order, "customer") => Origin::Customer,
            (Origin::Order, "shipTo") => Origin::ShipTo,
            _ => Origin::Data,
        }
    }

    fn has_placeholder(self, name: &str) -> bool {
        match self {
            Origin::Data | Origin::Order => false,
            Origin::Customer => matches!(name, "name" | "email"),
            Origin::ShipTo => matches!(name, "name" | "street" | "city" | "postalCode"),
        }
    }
}

/// The bytes at which placeholders from personal data begin.
pub(super) type Marks = Option<Rc<Vec<usize>>>;

/// The marks of two joined texts; `length` is that of the first.
pub(super) fn joined(one: &Marks, length: usize, other: &Marks) -> Marks {
    match (one, other) {
        (None, None) => None,
        (Some(_), None) => one.clone(),
        _ => {
            let shifted = other.iter().flat_map(|marks| marks.iter().map(|mark| mark + length));
            Some(Rc::new(one.iter().flat_map(|marks| marks.iter().copied()).chain(shifted).collect()))
        }
    }
}

/// A text, and where placeholders in it begin.
#[derive(Clone)]
pub(super) struct Text<'a> {
    characters: Characters<'a>,
    pub marks: Marks,
}

#[derive(Clone)]
enum Characters<'a> {
    Borrowed(&'a str),
    Built(Rc<str>),
}

impl<'a> Text<'a> {
    pub fn borrowed(text: &'a str) -> Self {
        Self { characters: Characters::Borrowed(text), marks: None }
    }

    pub fn built(text: &str, marks: Marks) -> Self {
        Self { characters: Characters::Built(text.into()), marks }
    }

    fn placeholder(text: &'a str) -> Self {
        Self { characters: Characters::Borrowed(text), marks: Some(Rc::new(vec![0])) }
    }

    pub fn as_str(&self) -> &str {
        match &self.characters {
            Characters::Borrowed(text) => text,
            Characters::Built(text) => text,
        }
    }
}

/// Bytes, and where placeholders in them begin.
#[derive(Clone)]
pub(super) struct Bytes {
    pub bytes: Rc<[u8]>,
    pub marks: Marks,
}

/// A key of a map that the expression built.
#[derive(Clone)]
pub(super) enum Key<'a> {
    Int(i64),
    UInt(u64),
    Bool(bool),
    Text(Text<'a>),
}

/// A key for comparison: by kind, then by value.
#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
pub(super) enum KeyView<'k> {
    Int(i64),
    UInt(u64),
    Bool(bool),
    Text(&'k str),
}

/// Looks up a key without copying a text.
pub(super) trait Viewed {
    fn view(&self) -> KeyView<'_>;
}

impl Viewed for Key<'_> {
    fn view(&self) -> KeyView<'_> {
        match self {
            Key::Int(int) => KeyView::Int(*int),
            Key::UInt(uint) => KeyView::UInt(*uint),
            Key::Bool(truth) => KeyView::Bool(*truth),
            Key::Text(text) => KeyView::Text(text.as_str()),
        }
    }
}

impl Viewed for KeyView<'_> {
    fn view(&self) -> KeyView<'_> {
        *self
    }
}

impl PartialEq for dyn Viewed + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.view() == other.view()
    }
}

impl Eq for dyn Viewed + '_ {}

impl PartialOrd for dyn Viewed + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Viewed + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.view().cmp(&other.view())
    }
}

impl<'k, 'a: 'k> Borrow<dyn Viewed + 'k> for Key<'a> {
    fn borrow(&self) -> &(dyn Viewed + 'k) {
        self
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.view() == other.view()
    }
}

impl Eq for Key<'_> {}

impl PartialOrd for Key<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.view().cmp(&other.view())
    }
}

impl<'a> Key<'a> {
    pub fn value(&self) -> Value<'a> {
        match self {
            Key::Int(int) => Value::Int(*int),
            Key::UInt(uint) => Value::UInt(*uint),
            Key::Bool(truth) => Value::Bool(*truth),
            Key::Text(text) => Value::Text(text.clone()),
        }
    }
}

impl<'a> Value<'a> {
    /// A value of the scope.
    pub fn of_json<'t>(json: &'a Json, origin: Origin) -> Result<Self, Trouble<'t>> {
        Ok(match json {
            Json::Null => Value::Null,
            Json::Bool(truth) => Value::Bool(*truth),
            Json::Number(number) => Self::of_number(number)?,
            Json::String(text) => Value::Text(Text::borrowed(text)),
            Json::Array(items) => Value::Array(items),
            Json::Object(fields) => Value::Object(fields, origin),
        })
    }

    /// A field of a map of the scope.
    pub fn of_field<'t>(
        fields: &'a Map<String, Json>,
        origin: Origin,
        name: &str,
    ) -> Result<Option<Self>, Trouble<'t>> {
        match fields.get(name) {
            None => Ok(None),
            Some(Json::String(text)) if origin.has_placeholder(name) => Ok(Some(Value::Text(Text::placeholder(text)))),
            Some(json) => Self::of_json(json, origin.of_field(name)).map(Some),
        }
    }

    fn of_number<'t>(number: &Number) -> Result<Self, Trouble<'t>> {
        if let Some(int) = number.as_i64() {
            return Ok(Value::Int(int));
        }
        if let Some(uint) = number.as_u64() {
            return Ok(Value::UInt(uint));
        }
        let double = number.as_f64().filter(|double| double.is_finite());
        double.map(Value::Double).ok_or_else(|| Problem::NumberOutOfRange.at_start())
    }

    pub fn kind(&self) -> Kind {
        match self {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Bool,
            Value::Int(_) => Kind::Int,
            Value::UInt(_) => Kind::UInt,
            Value::Double(_) => Kind::Double,
            Value::Type(_) => Kind::Type,
            Value::Text(_) => Kind::Text,
            Value::Bytes(_) => Kind::Bytes,
            Value::Array(_) | Value::List(_) => Kind::List,
            Value::Object(..) | Value::Map(_) => Kind::Map,
        }
    }

    pub fn list(items: Vec<Value<'a>>) -> Self {
        Value::List(Rc::new(items))
    }
}

/// The value of a part.
pub(super) type Outcome<'a> = Result<Value<'a>, Trouble<'a>>;
