//! That a customer's personal data were erased, for everybody who keeps copies of them: in the stream `erasures`.
//!
//! Tenuto's own copies are sealed, and gone with the key. Participants keep theirs as they like; whoever follows this stream erases
//! them too.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::participants::Message;
use super::{SCHEMA, WireError, read};
use crate::Timestamp;
use crate::ids::OrderId;

/// Where erasures are told.
pub const ERASURES: &str = "erasures";

/// The keys of a customer's personal data were destroyed. Of many orders it is said in several events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonalDataErased {
    /// The shop's id of the customer.
    pub customer_id: String,
    /// The orders whose personal data are gone.
    pub orders: Vec<OrderId>,
    /// When.
    pub at: Timestamp,
}

/// Who had it done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureMetadata {
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The version that the data is written in.
    pub schema: u32,
}

impl PersonalDataErased {
    /// Its name in the log.
    pub const TYPE: &'static str = "PersonalDataErased";
    /// The most orders that one event names, so that it stays well below what a log takes.
    pub const MAX_ORDERS: usize = 1_000;

    /// Writes it.
    pub fn message(&self, id: Uuid, actor: &str, reason: &str) -> Result<Message, serde_json::Error> {
        let metadata = ErasureMetadata { actor: actor.to_owned(), reason: reason.to_owned(), schema: SCHEMA };
        let (data, metadata) = (serde_json::to_vec(self)?, serde_json::to_vec(&metadata)?);
        Ok(Message { id, event_type: Self::TYPE, data, metadata })
    }
}

/// Reads an event of that stream.
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
