//! The format of workflow files: its keys as their schema has them, each with an example from a
//! file that the program reads.

use std::fmt::Write as _;

use domain::workflow::Workflow;
use lab::workflow::SCHEMA;
use serde_json::Value;

use super::{code, golden, head, row};

/// A file with every key.
const EXAMPLE: &str = include_str!("../../../workflows/every-key.yaml");

const INTRODUCTION: &str = "\
# The workflow format

Every key of a workflow file. [A workflow file](../workflow/file.md) and the pages after it explain
how keys work together. This page is generated from [the schema](../../workflows/schema.json), which
`tenuto workflow schema` prints for editors.

## Kinds of values

";

/// The kinds of values, by their name in the schema, with what a table calls several of them.
const KINDS: [(&str, &str); 5] = [
    ("name", "names"),
    ("word", "words"),
    ("action", "actions"),
    ("duration", "durations"),
    ("expression", "expressions"),
];

/// The tables: title, pointer to the keys' parent, and what is to know first.
const TABLES: [(&str, &str, &str); 4] = [
    ("The file", "", "An order that completes has the `result`."),
    ("A participant", "/$defs/participant", "It has one of these keys."),
    ("A step", "/$defs/step", "It has exactly one of `call`, `request`, `wait` and `await`."),
    ("Retries", "/$defs/retry", "The keys of `retry`."),
];

/// The name of what a reference leads to.
fn referenced(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

/// What a value may be.
fn kind(schema: &Value) -> String {
    if let Some(name) = referenced(schema) {
        return name.to_owned();
    }
    if let Some(value) = schema.get("const") {
        return code(value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| code(value.as_str().unwrap())).collect::<Vec<_>>().join(" or ");
    }
    if let Some(kinds) = schema["anyOf"].as_array() {
        return kinds.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if schema.get("items").is_some() {
        return format!("list of {}", many(&schema["items"]));
    }
    if schema.get("propertyNames").is_some() {
        let value = &schema["additionalProperties"];
        let value = referenced(value).or_else(|| referenced(&value["allOf"][0]));
        return format!("{}, each with: {}", many(&schema["propertyNames"]), value.unwrap());
    }
    let bounds = (schema.get("minimum"), schema.get("maximum"));
    let kind = schema["type"].as_str().unwrap();
    match bounds {
        (Some(least), Some(most)) => format!("{kind}, {least} to {most}"),
        _ if kind == "string" => "text".to_owned(),
        _ => kind.to_owned(),
    }
}

fn many(schema: &Value) -> String {
    let name = referenced(schema);
    let plural = KINDS.iter().find(|(kind, _)| Some(*kind) == name).map(|(_, plural)| (*plural).to_owned());
    plural.unwrap_or_else(|| kind(schema))
}

/// What follows a key of the example, up to the end of its line or of the braces that it is in.
fn example_of(key: &str) -> String {
    let begins = |(at, _): &(usize, &str)| {
        let before = EXAMPLE[..*at].chars().next_back();
        before.is_none_or(|c| c.is_whitespace() || c == '{')
    };
    let sought = format!("{key}:");
    let (at, _) = EXAMPLE.match_indices(&sought).find(begins).unwrap_or_else(|| panic!("the example lacks {key}"));
    let line = EXAMPLE[at + sought.len()..].lines().next().unwrap().trim_start();
    let mut depth = 0;
    let ends = line.char_indices().find(|(_, c)| {
        depth += i32::from("{[(".contains(*c)) - i32::from("}])".contains(*c));
        depth < 0 || (depth == 0 && *c == ',')
    });
    let value = line[..ends.map_or(line.len(), |(at, _)| at)].trim();
    if value.is_empty() { String::new() } else { format!("`{key}: {value}`") }
}

fn table(parent: &Value) -> String {
    let required: Vec<&str> = parent["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut text = head(["key", "value", "default", "meaning", "example"]);
    for (key, schema) in parent["properties"].as_object().unwrap() {
        let default =
            schema.get("default").map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let default = match default {
            Some(default) => code(&default),
            None if required.contains(&key.as_str()) => "required".to_owned(),
            None => String::new(),
        };
        let meaning = schema["description"].as_str().unwrap_or_else(|| panic!("{key} has no description"));
        text += &row([&code(key), &kind(schema), &default, meaning, &example_of(key)]);
    }
    text
}

#[test]
fn the_book_lists_every_key_of_a_workflow_file() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let mut text = INTRODUCTION.to_owned() + &head(["value", "form"]);
    for (name, _) in KINDS {
        text += &row([name, schema["$defs"][name]["description"].as_str().unwrap()]);
    }
    for (title, parent, first) in TABLES {
        let table = table(schema.pointer(parent).unwrap());
        write!(text, "\n## {title}\n\n{first}\n\n{table}").unwrap();
    }
    write!(text, "\n## A file with every key\n\n```yaml\n{EXAMPLE}```\n").unwrap();
    golden("workflow.md", &text);
}

#[test]
fn the_example_with_every_key_is_without_fault() {
    let workflow = Workflow::parse(EXAMPLE).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!((workflow.name.as_str(), workflow.steps.len(), workflow.compensated.len()), ("every-key", 4, 1));
    assert!(workflow.hints().is_none(), "the example means what it says");
}
