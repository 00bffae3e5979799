//! The JSON Schema of the file, made from the options.

use std::collections::BTreeMap;

use clap::Command;
use serde_json::{Map, Value, json};

use crate::settings::{Kind, Setting, of_all, sections};

/// The schema (2020-12). Editors complete and check a file by it.
pub fn schema(root: &Command) -> Value {
    let mut properties = properties(&of_all(root));
    for (command, settings) in sections(root) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let section = json!({
            "type": "object",
            "description": about,
            "additionalProperties": false,
            "properties": self::properties(&settings),
        });
        properties.insert(command.get_name().to_owned(), section);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of Tenuto",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

fn properties(settings: &BTreeMap<&str, Setting<'_>>) -> Map<String, Value> {
    settings.values().map(|setting| (setting.name.to_owned(), property(setting))).collect()
}

fn property(setting: &Setting<'_>) -> Value {
    let kind = setting.kind();
    let mut property = match &kind {
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Integer => json!({ "type": "integer", "minimum": 0 }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::List => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Text => json!({ "type": "string" }),
    };
    property["description"] = json!(setting.help());
    if setting.is_reloaded() {
        // An annotation: a schema may have any.
        property["reload"] = json!(true);
    }
    if let Some(default) = setting.default() {
        property["default"] = match kind {
            Kind::Switch => json!(default == "true"),
            Kind::Integer => default.parse::<u64>().map_or_else(|_| json!(default), |number| json!(number)),
            Kind::Choice(_) | Kind::Text => json!(default),
            Kind::List => json!(default.split(',').collect::<Vec<_>>()),
        };
    }
    property
}
