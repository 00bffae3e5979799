//! The `Idempotency-Key` header (IETF httpapi draft).

use axum::http::HeaderMap;
use http_problem::Problem;
use serde_json::{Value, json};

/// The header.
const NAME: &str = "Idempotency-Key";
/// The longest key, in characters.
const MAX_LENGTH: usize = 255;

/// The request's key: a quoted string (RFC 8941), or bare.
pub(super) fn read(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(NAME).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(bad("is given more than once"));
    }
    let text = value.to_str().map_err(|_| bad("must consist of visible ASCII characters"))?.trim();
    let key = match text.contains('"') {
        true if text.starts_with('"') => unquoted(text)?,
        true => return Err(bad("ends with a quote and does not start with one")),
        false => text.to_owned(),
    };
    match key.len() {
        0 => Err(bad("must not be empty")),
        1..=MAX_LENGTH => Ok(Some(key)),
        _ => Err(bad(&format!("must be at most {MAX_LENGTH} characters"))),
    }
}

/// RFC 8941, section 3.3.3: `"` and `\` are escaped by `\`, nothing else is.
fn unquoted(text: &str) -> Result<String, Problem> {
    let unbalanced = || bad("starts with a quote and does not end with one");
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(unbalanced)?;
    let mut key = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            ('"', _) => return Err(bad("has a quote inside that is not escaped")),
            (_, true) => match characters.next() {
                Some(escaped @ ('"' | '\\')) => key.push(escaped),
                _ => return Err(bad("has a backslash that escapes nothing")),
            },
            (plain, false) => key.push(plain),
        }
    }
    Ok(key)
}

pub(super) fn parameter() -> Value {
    json!({
        "name": NAME,
        "in": "header",
        "description": "Identifies a request that is sent again (IETF draft `idempotency-key-header`). Keys do not expire.",
        "schema": {
            "anyOf": [
                {
                    "description": "A bare key, of visible ASCII characters without quotes.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": MAX_LENGTH,
                    "pattern": r"^[!#-~]([\t !#-~]*[!#-~])?$",
                },
                {
                    "description": format!(
                        "A string of RFC 8941: in quotes, with `\\\"` and `\\\\` for `\"` and `\\`. Without quotes and \
                         escapes, it has at most {MAX_LENGTH} characters."
                    ),
                    "type": "string",
                    "pattern": format!(r#"^"([\t !#-\[\]-~]|\\["\\]){{1,{MAX_LENGTH}}}"$"#),
                },
            ],
        },
        "example": "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"",
    })
}

pub(super) fn example_of_a_fault() -> Problem {
    bad("starts with a quote and does not end with one")
}

fn bad(what: &str) -> Problem {
    Problem::bad_request(format!("the Idempotency-Key header {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Result<Option<String>, Problem> {
        read(&HeaderMap::from_iter([("idempotency-key".parse().unwrap(), text.parse().unwrap())]))
    }

    #[test]
    fn a_key_is_taken_quoted_or_bare() {
        assert_eq!(given("\"8e03978e\"").unwrap().as_deref(), Some("8e03978e"));
        assert_eq!(given("8e03978e").unwrap().as_deref(), Some("8e03978e"));
        assert_eq!(given(r#""a\"b\\c""#).unwrap().as_deref(), Some(r#"a"b\c"#));
        assert_eq!(read(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn a_malformed_key_is_refused() {
        for text in ["", "\"\"", "\"", "a\"", "\"a", "\"a\"b\"", r#""a\b""#, &"k".repeat(256)] {
            assert!(given(text).is_err(), "{text:?}");
        }
    }
}
