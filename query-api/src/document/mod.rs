//! Bounds the document of a request before the library reads it: its parser and some of its rules
//! are recursive or exponential, so that a short text could end the process or run for ever.
//!
//! [`text`] reads the document as a sequence of tokens, without recursion, before it is parsed.
//! [`expansion`] then computes the size of the parsed document with each fragment written out,
//! without writing any out. [`variables`] bounds the JSON of the variables.

mod expansion;
#[cfg(test)]
mod tests;
mod text;
mod variables;

use async_graphql::parser::types::OperationType;
use async_graphql::{Pos, Request, ServerError, parser};

pub use expansion::Weight;
pub use variables::check_json;

/// The most tokens of a document.
pub const MAX_TOKENS: usize = 15_000;
/// How deep brackets of every kind may nest in a document.
pub const MAX_NESTING: usize = 50;
/// How deep selections may nest, fragments written out.
pub const MAX_SELECTION_DEPTH: usize = 32;
/// The longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 256;
/// The most operations of a document.
pub const MAX_OPERATIONS: usize = 50;
/// The most fragments of a document.
pub const MAX_FRAGMENTS: usize = 200;
/// The most variables of an operation.
pub const MAX_VARIABLES: usize = 200;
/// The most directives in one place.
pub const MAX_DIRECTIVES: usize = 10;
/// The most arguments in one place.
pub const MAX_ARGUMENTS: usize = 64;
/// The most selections, arguments, directives and values of all operations and fragments together,
/// with fragments and variables written out.
pub const MAX_WEIGHT: usize = 30_000;
/// How deep variables and extensions may nest.
pub const MAX_JSON_DEPTH: usize = 32;
/// How many values variables and extensions may hold.
pub const MAX_JSON_VALUES: usize = 10_000;

/// The code of the errors for a document beyond a bound.
pub const CODE: &str = "DOCUMENT_LIMIT";

/// The bound that a document exceeds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    #[error("the document has more than {MAX_TOKENS} tokens; ask for less, or in several requests")]
    Tokens,
    #[error("brackets are nested deeper than {MAX_NESTING}, which is the most that is allowed")]
    Nesting,
    #[error("a name has {0} bytes; at most {MAX_NAME_BYTES} are allowed")]
    Name(usize),
    #[error("a block string has no end; write \"\"\" where it ends")]
    BlockString,
    #[error("the document has {0} operations; at most {MAX_OPERATIONS} are allowed")]
    Operations(usize),
    #[error("the document has {0} fragments; at most {MAX_FRAGMENTS} are allowed")]
    Fragments(usize),
    #[error("an operation has {0} variables; at most {MAX_VARIABLES} are allowed")]
    Variables(usize),
    #[error("there are {0} directives in one place; at most {MAX_DIRECTIVES} are allowed")]
    Directives(usize),
    #[error("there are {0} arguments in one place; at most {MAX_ARGUMENTS} are allowed")]
    Arguments(usize),
    #[error("the fragment `{0}` spreads itself, directly or through others; take one of these spreads out")]
    Cycle(String),
    #[error(
        "selections are nested {0} deep with fragments written out; at most {MAX_SELECTION_DEPTH} levels are allowed"
    )]
    Depth(usize),
    #[error(
        "the document comes to {0} selections, arguments, directives and values with fragments and variables written out; \
         at most {MAX_WEIGHT} are allowed"
    )]
    Weight(usize),
    #[error("`{0}` is nested deeper than {MAX_JSON_DEPTH}, which is the most that is allowed")]
    JsonDepth(&'static str),
    #[error("`{0}` holds more than {MAX_JSON_VALUES} values, which is the most that is allowed")]
    JsonValues(&'static str),
    #[error("`operationName` has {0} bytes; at most {MAX_NAME_BYTES} are allowed")]
    OperationName(usize),
}

impl Excess {
    /// The error for the caller, with the place in the document.
    pub fn at(&self, place: Option<Pos>) -> ServerError {
        let mut error = ServerError::new(self.to_string(), place);
        error.extensions.get_or_insert_default().set("code", CODE);
        error
    }
}

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
