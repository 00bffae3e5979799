//! The kinds of values, with their names in CEL and for people.

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Int,
    UInt,
    Double,
    Text,
    Bytes,
    List,
    Map,
    Type,
}

impl Kind {
    const ALL: [Kind; 10] = [
        Kind::Null,
        Kind::Bool,
        Kind::Int,
        Kind::UInt,
        Kind::Double,
        Kind::Text,
        Kind::Bytes,
        Kind::List,
        Kind::Map,
        Kind::Type,
    ];

    /// The kind with this CEL name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The CEL name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Null => "null_type",
            Kind::Bool => "bool",
            Kind::Int => "int",
            Kind::UInt => "uint",
            Kind::Double => "double",
            Kind::Text => "string",
            Kind::Bytes => "bytes",
            Kind::List => "list",
            Kind::Map => "map",
            Kind::Type => "type",
        }
    }

    pub fn is_number(self) -> bool {
        matches!(self, Kind::Int | Kind::UInt | Kind::Double)
    }

    /// The name for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool => "a truth value",
            Kind::Int | Kind::UInt | Kind::Double => "a number",
            Kind::Text => "a text",
            Kind::Bytes => "bytes",
            Kind::List => "a list",
            Kind::Map => "a map",
            Kind::Type => "a type",
        }
    }
}
