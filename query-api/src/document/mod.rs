//! Bounds the document of a request before the library reads it: its parser and some of its rules
//! are recursive or exponential, so that a short text could end the process or run for ever.
//!
//! [`text`] reads the document as a sequence of tokens, without recursion, before it is parsed.
//! [`expansion`] then computes the size of the parsed document with each fragment written out,
//! without writing any out. [`variables`] bounds the JSON of the variables.

mod excess;
mod expansion;
#[cfg(test)]
mod tests;
mod text;
mod variables;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, ServerError, parser};

pub use excess::Excess;
use excess::MAX_NAME_BYTES;
pub use expansion::Weight;
pub use variables::check_json;

/// A request whose document is parsed and bounded.
pub struct Document {
    /// The request. Its parsed document is with it.
    pub request: Request,
    /// The kind of the requested operation; `None`: it does not exist, which execution reports.
    pub kind: Option<OperationType>,
    /// Its size.
    pub weight: Weight,
}

impl Document {
    /// Reads the document of a request within the bounds.
    pub fn read(mut request: Request) -> Result<Self, Box<ServerError>> {
        if let Some(name) = request.operation_name.as_ref().filter(|name| name.len() > MAX_NAME_BYTES) {
            return Err(Box::new(Excess::OperationName(name.len()).at(None)));
        }
        text::check(&request.query).map_err(|(excess, place)| excess.at(Some(place)))?;
        let document = parser::parse_query(&request.query).map_err(ServerError::from)?;
        let weight = expansion::weigh(&document, &request.variables).map_err(|excess| excess.at(None))?;
        let wanted = request.operation_name.as_deref();
        let operation = super::http::operation::operation_of(&document, wanted);
        let kind = operation.map(|operation| operation.ty);
        request.set_parsed_query(document);
        Ok(Self { request, kind, weight })
    }
}

/// The number of tokens of a text, as far as it is within the bounds.
pub fn tokens(text: &str) -> usize {
    text::check(text).unwrap_or(0)
}
