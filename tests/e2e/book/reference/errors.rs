//! The errors that callers meet: problems over HTTP, codes in GraphQL, exit codes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use http_problem::Kind;
use query_api::ErrorCode;
use serde_json::Value;

use super::super::commands::Helps;
use super::super::files_below;
use super::{code, golden, head, root, row};

const INTRODUCTION: &str = "\
# Errors

Every list on this page is generated from the declarations that the program itself answers with.

## Problems over HTTP

Every refusal has the media type `application/problem+json` (RFC 9457). A client branches on the
`status`. The `type` is `about:blank`, which means that the status says it all; `detail` explains
the single case to a person, and its wording may change. `errors` lists the places where a request
is wrong, each with a JSON pointer, or with line and column in a workflow file. `state` is the
order's state, where that is the reason.

```json
";

const GRAPHQL: &str = "
## Codes in GraphQL

An error of `/graphql` has its code in `extensions.code`. An error without a code is about the
request itself: the document does not parse, does not fit the schema, or has a wrong variable. A
request that was not executed has no `data`; its status is 400, or 200 for clients that accept only
`application/json`. `OVERLOADED` of a whole request has status 503 and `Retry-After`.

";

const EXIT_CODES: &str = "
## Exit codes

Every command ends with 0 when it did what was asked, and with 2 when it could not: an option is
wrong, a file cannot be read, or a server cannot be reached. Then standard error has one line that
begins with `tenuto:`, and a line `because:` for each cause. A second Ctrl-C ends a role at once,
with 130. These commands say more with their code:

";

/// The first example of each status in the description of the API.
fn examples() -> BTreeMap<u64, Value> {
    fn collect(value: &Value, found: &mut BTreeMap<u64, Value>) {
        match value {
            Value::Object(fields) => {
                if fields.get("type").is_some_and(|kind| kind == http_problem::TYPE)
                    && let Some(status) = fields.get("status").and_then(Value::as_u64)
                {
                    found.entry(status).or_insert_with(|| value.clone());
                }
                fields.values().for_each(|value| collect(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = fs::read_to_string(root().join("command-handler/openapi.json")).unwrap();
    let mut found = BTreeMap::new();
    collect(&serde_json::from_str(&document).unwrap(), &mut found);
    found
}

fn problems() -> String {
    let examples = examples();
    let mut text = serde_json::to_string_pretty(&examples[&422]).unwrap() + "\n```\n\n";
    text += &head(["status", "when", "what to do", "example of `detail`"]);
    for kind in Kind::ALL {
        let status = kind.status();
        let example = examples.get(&u64::from(status.as_u16())).and_then(|problem| problem["detail"].as_str());
        text += &row([&status.to_string(), kind.when(), kind.remedy(), example.unwrap_or_default()]);
    }
    text
}

fn codes() -> String {
    let rows = ErrorCode::ALL.map(|error| row([&code(error.as_str()), error.when(), error.remedy()]));
    head(["code", "when", "what to do"]) + &rows.concat()
}

/// What a help says about exit codes.
fn exit_codes_in(help: &str) -> Option<String> {
    let begins = help.find("Exit code: ")?;
    let paragraph = help[begins + "Exit code: ".len()..].split("\n\n").next()?;
    Some(paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn exit_codes() -> String {
    let mut text = head(["command", "exit code"]);
    for (words, help) in Helps::default().all() {
        if let Some(codes) = exit_codes_in(&help) {
            text += &row([&format!("`tenuto {}`", words.join(" ")), &codes]);
        }
    }
    text
}

#[test]
fn the_book_lists_every_error() {
    let problems = format!("{INTRODUCTION}{}", problems());
    golden("errors.md", &format!("{problems}{GRAPHQL}{}{EXIT_CODES}{}", codes(), exit_codes()));
}

/// The sources that ship, without their tests.
fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let files = folders.iter().flat_map(|folder| files_below(&root().join(folder), ".rs"));
    let files =
        files.filter(|path| !path.ends_with("tests.rs") && !path.components().any(|c| c.as_os_str() == "tests"));
    let read = files.map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        (path.display().to_string(), text.split("#[cfg(test)]").next().unwrap_or_default().to_owned())
    });
    read.collect()
}

#[test]
fn only_reference_services_answer_with_a_status_of_no_kind() {
    let uses = sources(&["crates", "command-handler", "query-api"]);
    let scripted = uses.iter().filter(|(path, text)| !path.contains("http-problem") && text.contains("::scripted("));
    let scripted: Vec<&str> = scripted.map(|(path, _)| path.as_str()).collect();
    assert!(matches!(scripted[..], [only] if only.ends_with("participants/src/faults.rs")), "{scripted:?}");
}

#[test]
fn every_code_of_a_graphql_error_is_declared() {
    let named = sources(&["query-api/src"]).into_iter().filter(|(_, text)| text.contains("set(\"code\""));
    let named: Vec<String> = named.map(|(path, _)| path).collect();
    assert!(matches!(&named[..], [only] if only.ends_with("code.rs")), "{named:?}");
}

#[test]
fn a_command_with_further_exit_codes_says_so_in_its_help() {
    let mut checked = 0;
    for (path, text) in sources(&["crates"]) {
        if text.contains("ExitCode::from(") || text.contains("ExitCode::FAILURE") {
            // The options of some commands are in the file that their module begins with.
            let module = fs::read_to_string(Path::new(&path).with_file_name("mod.rs")).unwrap_or_default();
            let says_so = [&text, &module].iter().any(|text| text.contains("Exit code: "));
            assert!(says_so, "{path} ends with other codes, and its help does not say so");
            checked += 1;
        }
    }
    assert!(checked > 10, "only {checked} commands were found");
}
