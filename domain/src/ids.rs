//! Names in URLs, stream names and idempotency keys, which need a safe alphabet.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::stream_prefix;

/// The id of an order: 1 to 64 of `A–Z a–z 0–9 . _ ~ -` (the unreserved characters of RFC 3986),
/// not starting with `.`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrderId(String);

/// Why a text is not an [`OrderId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrderId {
    /// Empty.
    #[error("must not be empty")]
    Empty,
    /// More than [`OrderId::MAX_LENGTH`] characters.
    #[error("must be at most {} characters", OrderId::MAX_LENGTH)]
    TooLong,
    /// A character outside the alphabet.
    #[error("must consist of letters, digits, '.', '_', '~' and '-', found {0:?}")]
    Character(char),
    /// A leading dot, which has another meaning in paths.
    #[error("must not start with '.'")]
    LeadingDot,
}

impl OrderId {
    /// The limit for an id, in characters.
    pub const MAX_LENGTH: usize = 64;

    /// Checks a text as an id.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidOrderId> {
        let text = text.into();
        if text.is_empty() {
            return Err(InvalidOrderId::Empty);
        }
        if text.starts_with('.') {
            return Err(InvalidOrderId::LeadingDot);
        }
        if let Some(strange) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || ".-_~".contains(*c))) {
            return Err(InvalidOrderId::Character(strange));
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(InvalidOrderId::TooLong);
        }
        Ok(Self(text))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The stream of the order's events.
    pub fn stream(&self) -> String {
        format!("{}{}", stream_prefix::get(), self.0)
    }

    /// The metadata stream of the order's stream.
    pub fn metadata_stream(&self) -> String {
        format!("$${}", self.stream())
    }

    /// The order of a metadata stream, if it is an order's.
    pub fn from_metadata_stream(stream: &str) -> Option<Self> {
        stream.strip_prefix("$$").and_then(Self::from_stream)
    }

    /// The order of a stream, if it is an order's.
    pub fn from_stream(stream: &str) -> Option<Self> {
        stream.strip_prefix(stream_prefix::get()).and_then(|id| Self::new(id).ok())
    }
}

/// The id of a request for an operation that a second person has to approve.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RequestId {
    /// A request in an order's history: `10248:1`.
    Order {
        /// The order.
        order_id: OrderId,
        /// Its number there.
        number: u32,
    },
    /// A batch.
    Batch(Uuid),
}

impl RequestId {
    /// The request of this number in an order's history.
    pub fn of_order(order_id: &OrderId, number: u32) -> Self {
        Self::Order { order_id: order_id.clone(), number }
    }

    /// Reads an id as it is written.
    pub fn parse(text: &str) -> Option<Self> {
        match text.rsplit_once(':') {
            Some((order_id, number)) => {
                Some(Self::Order { order_id: OrderId::new(order_id).ok()?, number: number.parse().ok()? })
            }
            None => Uuid::parse_str(text).ok().map(Self::Batch),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order { order_id, number } => write!(f, "{order_id}:{number}"),
            Self::Batch(id) => write!(f, "{id}"),
        }
    }
}

impl TryFrom<String> for OrderId {
    type Error = InvalidOrderId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<OrderId> for String {
    fn from(id: OrderId) -> Self {
        id.0
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A step's name within its workflow.
pub type StepId = String;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_to_the_alphabet() {
        assert!(OrderId::new("10248").is_ok());
        assert!(OrderId::new("a.b_c~d-E").is_ok());
        assert_eq!(OrderId::new(""), Err(InvalidOrderId::Empty));
        assert_eq!(OrderId::new("..").unwrap_err(), InvalidOrderId::LeadingDot);
        assert_eq!(OrderId::new("a/b").unwrap_err(), InvalidOrderId::Character('/'));
        assert_eq!(OrderId::new("a\u{0}b").unwrap_err(), InvalidOrderId::Character('\u{0}'));
        assert_eq!(OrderId::new("ö").unwrap_err(), InvalidOrderId::Character('ö'));
        assert_eq!(OrderId::new("a".repeat(65)).unwrap_err(), InvalidOrderId::TooLong);
    }

    #[test]
    fn a_stream_leads_back_to_its_order() {
        let id = OrderId::new("10248").unwrap();
        assert_eq!(OrderId::from_stream(&id.stream()), Some(id.clone()));
        assert_eq!(OrderId::from_stream("workflow-x"), None);
        assert_eq!(id.metadata_stream(), "$$order-10248");
        assert_eq!(OrderId::from_metadata_stream(&id.metadata_stream()), Some(id.clone()));
        assert_eq!(OrderId::from_metadata_stream(&id.stream()), None);
    }
}
