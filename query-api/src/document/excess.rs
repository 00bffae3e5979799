//! The bounds of a document, and the error for a document beyond one of them.

use async_graphql::{Pos, ServerError};

use crate::code::ErrorCode;

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
        ServerError { locations: place.into_iter().collect(), ..ErrorCode::DocumentLimit.of_request(self) }
    }
}
