//! The limits in a stream's metadata that affect readers.

use serde_json::{Map, Value};

/// The type of an event that is a stream's metadata.
pub const METADATA_TYPE: &str = "$metadata";
/// The type of the event that deletes a stream for good.
pub const TOMBSTONE_TYPE: &str = "$streamDeleted";
/// The value of `$tb` for a deleted stream that may be written again.
pub const SOFT_DELETED: u64 = i64::MAX.unsigned_abs();
/// The prefix of the name of a metadata stream. The rest is the name of the stream that it
/// describes.
const METADATA_PREFIX: &str = "$$";

/// The name of a stream's metadata stream.
pub fn metadata_stream_of(stream: &str) -> String {
    format!("{METADATA_PREFIX}{stream}")
}

/// The stream that a metadata stream describes. `None`: the name is not that of a metadata stream.
pub fn described_by(stream: &str) -> Option<&str> {
    stream.strip_prefix(METADATA_PREFIX)
}

/// The limits that select the visible events of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Earlier revisions are hidden. [`SOFT_DELETED`]: the stream is deleted, and may be written
    /// again.
    pub truncate_before: Option<u64>,
    /// Only this many of the last events are visible.
    pub max_count: Option<u64>,
    /// Events older than this many seconds are hidden.
    pub max_age: Option<u64>,
}

/// Reads metadata as the server does. If a known key has a value of the wrong kind, all metadata is
/// ignored. An invalid number is ignored alone.
pub fn limits_in(data: &[u8]) -> Limits {
    known(data).unwrap_or_default()
}

/// The metadata as an object.
pub fn object_in(data: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(data).ok()
}

fn known(data: &[u8]) -> Option<Limits> {
    let said = object_in(data)?;
    let number = |key: &str| match said.get(key) {
        None => Some(None),
        Some(value) => value.as_i64().map(|number| u64::try_from(number).ok()),
    };
    let is_of_kind = |key: &str, is: fn(&Value) -> bool| said.get(key).is_none_or(is);
    if !is_of_kind("$tmp", Value::is_boolean) || !is_of_kind("$acl", is_acl) {
        return None;
    }
    number("$cacheControl")?;
    Some(Limits {
        truncate_before: number("$tb")?,
        max_count: number("$maxCount")?.filter(|count| *count > 0),
        max_age: number("$maxAge")?.filter(|seconds| *seconds > 0),
    })
}

/// Roles by kind of access, one or several. A server enforces them, if it has users.
fn is_acl(value: &Value) -> bool {
    let is_roles = |roles: &Value| match roles {
        Value::String(_) => true,
        Value::Array(roles) => roles.iter().all(Value::is_string),
        _ => false,
    };
    value.as_object().is_some_and(|kinds| {
        kinds.iter().all(|(kind, roles)| !["$r", "$w", "$d", "$mr", "$mw"].contains(&kind.as_str()) || is_roles(roles))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(truncate_before: Option<u64>, max_count: Option<u64>, max_age: Option<u64>) -> Limits {
        Limits { truncate_before, max_count, max_age }
    }

    #[test]
    fn the_limits_are_read_and_other_metadata_is_ignored() {
        let data = br#"{"$tb":3,"$maxCount":10,"$maxAge":60,"$cacheControl":5,"$tmp":true,"$acl":{"$r":"a","$w":["b"]},"mine":{}}"#;
        assert_eq!(limits_in(data), limits(Some(3), Some(10), Some(60)));
        assert_eq!(limits_in(b"{}"), Limits::default());
    }

    #[test]
    fn an_invalid_number_is_ignored() {
        assert_eq!(limits_in(br#"{"$tb":-1,"$maxCount":0,"$maxAge":60}"#), limits(None, None, Some(60)));
        assert_eq!(limits_in(br#"{"$tb":0,"$maxAge":-5}"#), limits(Some(0), None, None));
    }

    #[test]
    fn metadata_with_a_value_of_the_wrong_kind_is_ignored() {
        for wrong in [
            r#""$maxCount":"10""#,
            r#""$maxAge":1.5"#,
            r#""$tb":9223372036854775808"#,
            r#""$tmp":1"#,
            r#""$acl":[]"#,
            r#""$acl":{"$r":1}"#,
            r#""$cacheControl":null"#,
        ] {
            assert_eq!(limits_in(format!(r#"{{"$tb":3,{wrong}}}"#).as_bytes()), Limits::default(), "{wrong}");
        }
        assert_eq!(limits_in(b"[]"), Limits::default());
        assert_eq!(limits_in(b"not json"), Limits::default());
    }
}
