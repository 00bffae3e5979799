//! A batch that a second person has to approve. It has its own stream: the request, and what became
//! of it. The orders have the rest, each in its history.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::Timestamp;
use crate::order::{Operation, Refusal, Settlement, may_settle};
pub use crate::streams::BATCH_STREAM_PREFIX;
use crate::wire::WireError;

/// An event of a batch's stream.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each struct says it")]
pub enum BatchEvent {
    BatchRequested(Box<BatchRequested>),
    BatchSettled(BatchSettled),
}

/// An operator asks for an operation on many orders, which a second person has to approve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchRequested {
    /// The batch.
    pub batch: Uuid,
    /// The operation.
    #[serde(flatten)]
    pub operation: Operation,
    /// Which orders: the fields of the request over HTTP.
    pub selection: Value,
    /// How many orders it was then.
    pub matches: u64,
    /// Only orders that were placed before this moment.
    pub before: Timestamp,
    /// Who asks for it: the actor of the operations, once they are approved.
    pub requested_by: String,
    /// The principal that sent it. It cannot approve it.
    pub principal: String,
    /// The reason.
    pub reason: String,
    /// The role of those who may approve or decline it.
    pub approver: String,
    /// After this time it cannot be approved.
    pub expires_at: Timestamp,
    /// When it was decided.
    pub at: Timestamp,
}

/// A batch waits no more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchSettled {
    /// What became of it.
    pub how: Settlement,
    /// The principal; `None`: it expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The reason of that principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was decided.
    pub at: Timestamp,
}

/// A batch after its events.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchRequest {
    /// What is asked for.
    pub requested: BatchRequested,
    /// What became of it; `None`: it waits.
    pub settled: Option<BatchSettled>,
}

impl BatchRequest {
    /// The batch of these events; `None`: they are not those of a batch.
    pub fn of(events: impl IntoIterator<Item = BatchEvent>) -> Option<Self> {
        let mut events = events.into_iter();
        let BatchEvent::BatchRequested(requested) = events.next()? else { return None };
        let settled = events.find_map(|event| match event {
            BatchEvent::BatchSettled(settled) => Some(settled),
            BatchEvent::BatchRequested(_) => None,
        });
        Some(Self { requested: *requested, settled })
    }

    /// Decides that it waits no more.
    pub fn settle(
        &self,
        how: Settlement,
        (by, roles): (&str, &[String]),
        reason: Option<String>,
        at: Timestamp,
    ) -> Result<BatchSettled, BatchRefusal> {
        let BatchRequested { requested_by, principal, approver, expires_at, .. } = &self.requested;
        if let Some(settled) = &self.settled {
            return Err(BatchRefusal::Settled(settled.how));
        }
        if *expires_at <= at {
            return Err(BatchRefusal::Expired(*expires_at));
        }
        may_settle(how, (by, roles), (requested_by, principal, approver))?;
        Ok(BatchSettled { how, by: Some(by.to_owned()), reason, at: at.max(self.requested.at) })
    }

    /// That no one approved it in time, if so.
    pub fn expired(&self, at: Timestamp) -> Option<BatchSettled> {
        let is_late = self.settled.is_none() && self.requested.expires_at <= at;
        is_late.then_some(BatchSettled { how: Settlement::Expired, by: None, reason: None, at })
    }
}

/// Why a batch is not settled so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchRefusal {
    /// It waits no more.
    #[error("the request is {} already", .0.as_str())]
    Settled(Settlement),
    /// Its time is not over.
    #[error("the request waits for approval")]
    Waits,
    /// It was not approved in time.
    #[error("the request expired at {0}")]
    Expired(Timestamp),
    /// This principal may not do it.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl BatchEvent {
    /// The name in the log.
    pub fn type_name(&self) -> &'static str {
        match self {
            BatchEvent::BatchRequested(_) => "BatchRequested",
            BatchEvent::BatchSettled(_) => "BatchSettled",
        }
    }

    /// The data in the log.
    pub fn data(&self) -> Result<Vec<u8>, serde_json::Error> {
        match self {
            BatchEvent::BatchRequested(e) => serde_json::to_vec(e),
            BatchEvent::BatchSettled(e) => serde_json::to_vec(e),
        }
    }

    /// An event from the log.
    pub fn decode(event_type: &str, data: &[u8]) -> Result<Self, WireError> {
        let malformed = |source| WireError::Malformed { part: "data", event_type: event_type.to_owned(), source };
        match event_type {
            "BatchRequested" => Ok(Self::BatchRequested(serde_json::from_slice(data).map_err(malformed)?)),
            "BatchSettled" => Ok(Self::BatchSettled(serde_json::from_slice(data).map_err(malformed)?)),
            other => Err(WireError::UnknownType(other.to_owned())),
        }
    }
}

/// The stream of a batch.
pub fn stream(batch: Uuid) -> String {
    format!("{BATCH_STREAM_PREFIX}{batch}")
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn requested() -> BatchRequested {
        BatchRequested {
            batch: Uuid::nil(),
            operation: Operation::Retry { step: None },
            selection: json!({ "orders": ["1", "2"] }),
            matches: 2,
            before: at(1),
            requested_by: "ann".to_owned(),
            principal: "ann".to_owned(),
            reason: "payments is up again".to_owned(),
            approver: "operator".to_owned(),
            expires_at: at(100),
            at: at(2),
        }
    }

    fn waiting() -> BatchRequest {
        BatchRequest { requested: requested(), settled: None }
    }

    fn settle(batch: &BatchRequest, how: Settlement, by: &str, second: i64) -> Result<BatchSettled, BatchRefusal> {
        batch.settle(how, (by, &["operator".to_owned()]), None, at(second))
    }

    #[test]
    fn one_decision_about_a_batch_stands() {
        let settled = settle(&waiting(), Settlement::Approved, "bob", 3).unwrap();
        let events = [BatchEvent::BatchRequested(Box::new(requested())), BatchEvent::BatchSettled(settled.clone())];
        let read = events.map(|event| BatchEvent::decode(event.type_name(), &event.data().unwrap()).unwrap());
        let batch = BatchRequest::of(read).unwrap();
        assert_eq!(batch, BatchRequest { settled: Some(settled), ..waiting() });
        let again = settle(&batch, Settlement::Declined, "bob", 4);
        assert_eq!(again, Err(BatchRefusal::Settled(Settlement::Approved)));
        assert_eq!(batch.expired(at(100)), None);
    }

    #[test]
    fn a_batch_is_approved_by_another_person_and_in_time() {
        let same = BatchRefusal::Refused(Refusal::SamePerson { by: "ann".to_owned() });
        assert_eq!(settle(&waiting(), Settlement::Approved, "ann", 3), Err(same));
        assert_eq!(settle(&waiting(), Settlement::Approved, "bob", 100), Err(BatchRefusal::Expired(at(100))));
        assert!(settle(&waiting(), Settlement::Withdrawn, "bob", 3).is_err());
        assert!(settle(&waiting(), Settlement::Withdrawn, "ann", 3).is_ok());
        assert!(waiting().settle(Settlement::Approved, ("eve", &["auditor".to_owned()]), None, at(3)).is_err());
        assert_eq!(waiting().expired(at(99)), None);
        assert_eq!(waiting().expired(at(100)).unwrap().how, Settlement::Expired);
    }

    #[test]
    fn another_event_first_is_no_batch() {
        let settled = settle(&waiting(), Settlement::Declined, "bob", 3).unwrap();
        assert_eq!(BatchRequest::of([BatchEvent::BatchSettled(settled)]), None);
        assert_eq!(BatchRequest::of([]), None);
        assert!(BatchEvent::decode("Other", b"{}").is_err());
    }
}
