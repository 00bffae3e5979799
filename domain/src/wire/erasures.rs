//! The stream `erasures`: a customer's personal data were erased, so every holder of copies must
//! erase them.
//!
//! Tenuto's own copies are sealed, and unreadable without the key. Participants store theirs as
//! they like; they follow this stream, and erase theirs, too.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use crate::streams::ERASURES;

use super::participants::Message;
use super::{SCHEMA, WireError, read};
use crate::Timestamp;
use crate::ids::OrderId;

/// The keys of a customer's personal data were destroyed. Many orders need several events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonalDataErased {
    /// The shop's id of the customer.
    pub customer_id: String,
    /// The orders whose personal data are erased.
    pub orders: Vec<OrderId>,
    /// When the keys were destroyed.
    pub at: Timestamp,
}

/// The actor and the reason of an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureMetadata {
    /// The actor.
    pub actor: String,
    /// The reason.
    pub reason: String,
    /// The schema version of the data.
    pub schema: u32,
}

impl PersonalDataErased {
    /// The name in the log.
    pub const TYPE: &'static str = "PersonalDataErased";
    /// The limit for orders of one event, which keeps it well below the limits of the log.
    pub const MAX_ORDERS: usize = 1_000;

    /// Encodes the event.
    pub fn message(&self, id: Uuid, actor: &str, reason: &str) -> Result<Message, serde_json::Error> {
        let metadata = ErasureMetadata { actor: actor.to_owned(), reason: reason.to_owned(), schema: SCHEMA };
        let (data, metadata) = (serde_json::to_vec(self)?, serde_json::to_vec(&metadata)?);
        Ok(Message { id, event_type: Self::TYPE, data, metadata })
    }
}

/// Decodes an event of this stream.
pub fn decode_erasure(event_type: &str, data: &[u8], metadata: &[u8]) -> Result<PersonalDataErased, WireError> {
    if event_type != PersonalDataErased::TYPE {
        return Err(WireError::UnknownType(event_type.to_owned()));
    }
    match read::<ErasureMetadata>(event_type, "metadata", metadata)?.schema {
        SCHEMA => read(event_type, "data", data),
        found => Err(WireError::UnknownVersion { event_type: event_type.to_owned(), found }),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::{Value, json};

    use super::*;
    use crate::wire::golden_tests::assert_golden;

    #[test]
    fn what_is_written_is_the_golden_file_and_is_read() {
        let order = |id: &str| OrderId::new(id).unwrap();
        let erased = PersonalDataErased {
            customer_id: "VINET".into(),
            orders: vec![order("10248"), order("10274")],
            at: DateTime::UNIX_EPOCH,
        };
        let Message { event_type, data, metadata, .. } = erased.message(Uuid::nil(), "ann", "asked for").unwrap();
        let written = json!({
            "data": serde_json::from_slice::<Value>(&data).unwrap(),
            "metadata": serde_json::from_slice::<Value>(&metadata).unwrap(),
        });
        assert_golden("exchange/PersonalDataErased.v1.json", &written);
        assert_eq!(decode_erasure(event_type, &data, &metadata).unwrap(), erased);
        assert_eq!(decode_erasure("Odd", &data, &metadata).unwrap_err().to_string(), "unknown event type \"Odd\"");
    }
}
