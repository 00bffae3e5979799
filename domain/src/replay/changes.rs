//! The difference of two JSON values, field by field.

use serde_json::{Map, Value};

/// A changed field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its path: `steps.charge.stage.attempt`.
    pub path: String,
    /// The old value; `None`: missing or `null`.
    pub before: Option<Value>,
    /// The new value; `None`: missing or `null`.
    pub after: Option<Value>,
}

/// Every field that differs, sorted by name. A list counts as one field, and so does a removed
/// object.
pub fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    found
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<Change>) {
    if before == after {
        return;
    }
    let nothing = Map::new();
    let fields = match (before, after) {
        (Value::Object(old), Value::Object(new)) => Some((old, new)),
        // An added object is listed field by field, too.
        (Value::Null, Value::Object(new)) if !path.is_empty() && !new.is_empty() => Some((&nothing, new)),
        _ => None,
    };
    let Some((old, new)) = fields else {
        let there = |value: &Value| (!value.is_null()).then(|| value.clone());
        found.push(Change { path: path.to_owned(), before: there(before), after: there(after) });
        return;
    };
    let mut names: Vec<&String> = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))).collect();
    names.sort();
    for name in names {
        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let (before, after) = (old.get(name), new.get(name));
        compare(&inner, before.unwrap_or(&Value::Null), after.unwrap_or(&Value::Null), found);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn added_removed_and_changed_fields_are_named_with_their_path() {
        let before = json!({ "a": 1, "same": [1], "gone": true, "deep": { "b": null, "c": [1, 2] } });
        let after = json!({ "a": 2, "same": [1], "deep": { "b": "x", "c": [1], "new": { "d": 1 } } });
        let found: Vec<String> = changes(&before, &after)
            .into_iter()
            .map(|change| format!("{} {:?} {:?}", change.path, change.before, change.after))
            .collect();
        assert_eq!(
            found,
            [
                "a Some(Number(1)) Some(Number(2))",
                "deep.b None Some(String(\"x\"))",
                "deep.c Some(Array [Number(1), Number(2)]) Some(Array [Number(1)])",
                "deep.new.d None Some(Number(1))",
                "gone Some(Bool(true)) None",
            ]
        );
        assert_eq!(changes(&before, &before), []);
    }

    #[test]
    fn an_added_whole_or_empty_object_is_one_field() {
        let added = |path: &str, after: Value| Change { path: path.to_owned(), before: None, after: Some(after) };
        assert_eq!(changes(&Value::Null, &json!({ "a": 1 })), [added("", json!({ "a": 1 }))]);
        assert_eq!(changes(&json!({}), &json!({ "a": {} })), [added("a", json!({}))]);
        assert_eq!(changes(&Value::Null, &json!({})), [added("", json!({}))]);
    }
}
