//! What is known of values before any order exists: the fields of `order`, whose types are the same
//! for every order.
//!
//! The shop's attributes and the participants' data can be anything: [`Shape::Any`]. Nothing is
//! reported about them.

use super::kind::Kind;

/// The possible values of a part of an expression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Type {
    pub shape: Shape,
    /// Whether it is null for some orders.
    pub or_null: bool,
}

/// The kind of a value, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    Any,
    Null,
    Bool,
    Number,
    Text,
    Bytes,
    Type,
    /// A list of items of this type.
    List(&'static Type),
    /// A map with exactly these fields; `None`: with any fields.
    Map(Option<Fields>),
}

/// The fields of a map, by name.
pub(super) type Fields = &'static [(&'static str, Type)];

pub(super) const fn always(shape: Shape) -> Type {
    Type { shape, or_null: false }
}

const fn or_null(shape: Shape) -> Type {
    Type { shape, or_null: true }
}

pub(super) const ANY: Type = always(Shape::Any);
pub(super) const BOOL: Type = always(Shape::Bool);
pub(super) const NUMBER: Type = always(Shape::Number);
pub(super) const TEXT: Type = always(Shape::Text);

const CUSTOMER: Fields = &[("id", TEXT), ("name", or_null(Shape::Text)), ("email", or_null(Shape::Text))];
const ADDRESS: Fields = &[
    ("name", or_null(Shape::Text)),
    ("street", or_null(Shape::Text)),
    ("city", or_null(Shape::Text)),
    ("region", or_null(Shape::Text)),
    ("postalCode", or_null(Shape::Text)),
    ("country", or_null(Shape::Text)),
];
const LINE_FIELDS: Fields = &[("sku", TEXT), ("name", or_null(Shape::Text)), ("quantity", NUMBER), ("unitPrice", TEXT)];
/// The condition that chose these lines may have tested the name.
const CHOSEN_LINE_FIELDS: Fields = &[("sku", TEXT), ("name", ANY), ("quantity", NUMBER), ("unitPrice", TEXT)];
const LINE: Type = always(Shape::Map(Some(LINE_FIELDS)));
const CHOSEN_LINE: Type = always(Shape::Map(Some(CHOSEN_LINE_FIELDS)));

/// `order`.
pub(super) const ORDER: Fields = &[
    ("id", TEXT),
    ("workflow", TEXT),
    ("customer", always(Shape::Map(Some(CUSTOMER)))),
    ("currency", TEXT),
    ("total", TEXT),
    ("lines", always(Shape::List(&LINE))),
    ("shipTo", or_null(Shape::Map(Some(ADDRESS)))),
    ("attributes", always(Shape::Map(None))),
    ("status", TEXT),
];
/// A step of `steps`: its outcome and data can be anything, or missing.
pub(super) const STEP: Fields = &[("outcome", ANY), ("data", ANY), ("status", TEXT)];

/// The names of fields.
pub(super) fn names(fields: Fields) -> Vec<&'static str> {
    fields.iter().map(|(name, _)| *name).collect()
}

impl Type {
    /// The type after a test for null.
    pub fn there(self) -> Self {
        Self { or_null: false, ..self }
    }

    /// The type of a value that has one of two types.
    pub fn or(self, other: Self) -> Self {
        let or_null = self.or_null || other.or_null;
        match (self.shape, other.shape) {
            (Shape::Any, _) | (_, Shape::Any) => ANY,
            (one, other) if one == other => Self { shape: one, or_null },
            (Shape::Null, shape) | (shape, Shape::Null) => Self { shape, or_null: true },
            _ => ANY,
        }
    }

    /// A list of items of this type.
    pub fn listed(self) -> Self {
        let known = [&BOOL, &NUMBER, &TEXT, &LINE, &CHOSEN_LINE].into_iter().find(|known| **known == self);
        always(Shape::List(known.unwrap_or(&ANY)))
    }

    /// Items that a condition chose. What it tested is unknown.
    pub fn chosen(self) -> Self {
        if self == LINE { CHOSEN_LINE } else { self.there() }
    }

    /// The kind, if it is certain; for messages, in which all numbers are one kind.
    pub fn kind(self) -> Option<Kind> {
        Some(match self.shape {
            _ if self.or_null => return None,
            Shape::Any => return None,
            Shape::Null => Kind::Null,
            Shape::Bool => Kind::Bool,
            Shape::Number => Kind::Int,
            Shape::Text => Kind::Text,
            Shape::Bytes => Kind::Bytes,
            Shape::Type => Kind::Type,
            Shape::List(_) => Kind::List,
            Shape::Map(_) => Kind::Map,
        })
    }
}
