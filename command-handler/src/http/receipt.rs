//! The answer to every accepted command.

use domain::ids::OrderId;
use serde::Serialize;

use crate::orchestrator::Accepted;

/// The answer to every accepted command.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Receipt {
    order_id: OrderId,
    revision: u64,
    /// A decimal number, as text: it may exceed what a JSON reader keeps exactly.
    position: String,
}

impl From<&Accepted> for Receipt {
    fn from(accepted: &Accepted) -> Self {
        Self {
            order_id: accepted.order_id.clone(),
            revision: accepted.revision,
            position: accepted.position.to_string(),
        }
    }
}
