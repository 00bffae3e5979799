//! What a token claims.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The claims of a token. A claim that stands twice is an error: two readers could read two things.
#[derive(Debug)]
pub(super) struct Claims(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Claims;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
                let mut claims = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Unique>()? {
                    if claims.insert(name, value.0).is_some() {
                        return Err(A::Error::custom("a claim stands twice"));
                    }
                }
                Ok(Claims(claims))
            }
        }
        deserializer.deserialize_map(Once)
    }
}

/// A value whose objects have each key once.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Unique;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Unique, E> {
                Ok(Unique(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Unique, E> {
                Ok(Unique(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Unique, E> {
                Ok(Unique(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Unique, E> {
                Ok(Unique(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Unique, E> {
                Ok(Unique(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Unique, E> {
                Ok(Unique(Value::Null))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Unique, A::Error> {
                let mut items = Vec::new();
                while let Some(Unique(item)) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Unique(items.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Unique, A::Error> {
                let Claims(fields) = Claims::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(Unique(Value::Object(fields.into_iter().collect())))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl Claims {
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// A moment, in seconds since 1970 (`NumericDate`, RFC 7519, section 2); `Err`: it is something
    /// else.
    pub fn seconds(&self, name: &str) -> Result<Option<f64>, ()> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or(()),
        }
    }

    /// Whether a claim is this text, or a list of texts with it.
    pub fn has(&self, name: &str, wanted: impl Fn(&str) -> bool) -> bool {
        match self.0.get(name) {
            Some(Value::String(text)) => wanted(text),
            Some(Value::Array(items)) => {
                items.iter().all(Value::is_string) && items.iter().filter_map(Value::as_str).any(wanted)
            }
            _ => false,
        }
    }

    /// The texts of a claim that a path of keys leads to, such as `realm_access.roles`: one text
    /// (with spaces between, as in `scope`), or a list.
    pub fn texts(&self, path: &[String]) -> Vec<&str> {
        let Some((first, rest)) = path.split_first() else { return Vec::new() };
        let found = rest.iter().try_fold(self.0.get(first), |found, key| Some(found?.as_object()?.get(key)));
        match found.flatten() {
            Some(Value::String(text)) => text.split(' ').filter(|text| !text.is_empty()).collect(),
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

/// Whether the header names an extension that has to be understood (RFC 7515, section 4.1.11).
#[derive(Deserialize)]
pub(super) struct Critical {
    crit: Option<IgnoredAny>,
}

impl Critical {
    pub fn is_named(header: &[u8]) -> bool {
        serde_json::from_slice::<Self>(header).is_ok_and(|header| header.crit.is_some())
    }
}
