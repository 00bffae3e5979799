//! Reads a GraphQL request from a JSON body or the query of a URL. Each entry must have the right
//! type.

use async_graphql::{Request, Variables};
use serde_json::{Map, Value};

use crate::document::{Excess, check_json};

/// Why this is no GraphQL request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWellFormed {
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    #[error("a request must be a JSON object")]
    NotAnObject,
    #[error("`query` is missing")]
    NoQuery,
    #[error("`{name}` must be {expected}")]
    WrongType { name: &'static str, expected: &'static str },
    #[error(transparent)]
    TooMuch(#[from] Excess),
}

/// Reads a body.
pub fn from_json(body: &[u8]) -> Result<Request, NotWellFormed> {
    let body = serde_json::from_slice(body).map_err(|error| NotWellFormed::NotJson(error.to_string()))?;
    from_value(body)
}

/// Reads a request that is JSON already.
pub fn from_value(request: Value) -> Result<Request, NotWellFormed> {
    let Value::Object(mut fields) = request else { return Err(NotWellFormed::NotAnObject) };
    let query = text(&mut fields, "query")?.ok_or(NotWellFormed::NoQuery)?;
    let operation_name = text(&mut fields, "operationName")?;
    let variables = object(&mut fields, "variables")?;
    object(&mut fields, "extensions")?;
    Ok(assembled(query, operation_name, variables))
}

/// Reads what follows the `?` of a URL.
pub fn from_query(query: &str) -> Result<Request, NotWellFormed> {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let mut fields: Map<String, Value> =
        pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect();
    for name in ["variables", "extensions"] {
        if let Some(Value::String(text)) = fields.get(name) {
            let wrong = NotWellFormed::WrongType { name, expected: "a JSON object" };
            let value = if text.is_empty() { Value::Null } else { serde_json::from_str(text).map_err(|_| wrong)? };
            fields.insert(name.to_owned(), value);
        }
    }
    let query = text(&mut fields, "query")?.ok_or(NotWellFormed::NoQuery)?;
    let operation_name = text(&mut fields, "operationName")?.filter(|name| !name.is_empty());
    let variables = object(&mut fields, "variables")?;
    object(&mut fields, "extensions")?;
    Ok(assembled(query, operation_name, variables))
}

fn assembled(query: String, operation_name: Option<String>, variables: Map<String, Value>) -> Request {
    let request = Request::new(query).variables(Variables::from_json(Value::Object(variables)));
    match operation_name {
        Some(name) => request.operation_name(name),
        None => request,
    }
}

fn text(fields: &mut Map<String, Value>, name: &'static str) -> Result<Option<String>, NotWellFormed> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(NotWellFormed::WrongType { name, expected: "a string" }),
    }
}

fn object(fields: &mut Map<String, Value>, name: &'static str) -> Result<Map<String, Value>, NotWellFormed> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(object)) => {
            check_json(name, &object)?;
            Ok(object)
        }
        Some(_) => Err(NotWellFormed::WrongType { name, expected: "an object" }),
    }
}
