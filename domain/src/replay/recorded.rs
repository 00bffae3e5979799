//! An event of a history, as the log has it.

use uuid::Uuid;

use crate::order::Event;
use crate::wire::Metadata;

/// An event from the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its id.
    pub id: Uuid,
    /// Its revision in the order's stream.
    pub revision: u64,
    /// The event.
    pub event: Event,
    /// Its metadata.
    pub metadata: Metadata,
}
