//! Batches that a second person has to approve: each has its own stream in the log.

use bytes::Bytes;
use domain::batch_request::{BATCH_STREAM_PREFIX, BatchEvent, BatchRefusal, BatchRequest, BatchRequested, stream};
use event_store::{AppendError, Expected, NewEvent, ReadError};
use serde_json::json;
use uuid::Uuid;

use crate::log::Log;

/// A batch has a request, and what became of it.
const MAX_EVENTS: usize = 2;

/// Why nothing is known, or recorded, of a batch.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchError {
    #[error("there is no request {0}")]
    Unknown(Uuid),
    #[error(transparent)]
    Refused(#[from] BatchRefusal),
    #[error("stream {BATCH_STREAM_PREFIX}{0} has events that Tenuto did not write")]
    Foreign(Uuid),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error("it cannot be written: {0}")]
    Encode(#[from] serde_json::Error),
}

/// The batches of a log.
#[derive(Debug)]
pub(crate) struct BatchRequests<L> {
    log: L,
}

impl<L: Log> BatchRequests<L> {
    pub fn new(log: L) -> Self {
        Self { log }
    }

    /// Records a request.
    pub async fn ask(&self, requested: BatchRequested, id: Uuid) -> Result<(), BatchError> {
        let (batch, by, reason) = (requested.batch, requested.requested_by.clone(), requested.reason.clone());
        let event = BatchEvent::BatchRequested(Box::new(requested));
        self.append(batch, Expected::NoStream, id, &event, (Some(by), Some(reason))).await
    }

    /// Reads a batch.
    pub async fn load(&self, batch: Uuid) -> Result<BatchRequest, BatchError> {
        let recorded = self.log.read(&stream(batch), 0, MAX_EVENTS).await?;
        if recorded.is_empty() {
            return Err(BatchError::Unknown(batch));
        }
        let events = recorded.iter().map(|event| BatchEvent::decode(&event.event_type, &event.data));
        let events = events.collect::<Result<Vec<_>, _>>().map_err(|_| BatchError::Foreign(batch))?;
        BatchRequest::of(events).ok_or(BatchError::Foreign(batch))
    }

    /// Records what became of a batch. `decide` gets the batch as it is in the log, again if
    /// another instance was first.
    pub async fn settle(
        &self,
        batch: Uuid,
        id: Uuid,
        decide: impl Fn(&BatchRequest) -> Result<domain::batch_request::BatchSettled, BatchRefusal> + Send + Sync,
    ) -> Result<BatchRequest, BatchError> {
        let request = self.load(batch).await?;
        let settled = decide(&request)?;
        let attribution = (settled.by.clone(), settled.reason.clone());
        let event = BatchEvent::BatchSettled(settled.clone());
        match self.append(batch, Expected::Revision(0), id, &event, attribution).await {
            Ok(()) => Ok(BatchRequest { settled: Some(settled), ..request }),
            Err(BatchError::Append(AppendError::WrongExpectedRevision { .. })) => {
                let request = self.load(batch).await?;
                decide(&request)?;
                Err(BatchError::Foreign(batch))
            }
            Err(error) => Err(error),
        }
    }

    async fn append(
        &self,
        batch: Uuid,
        expected: Expected,
        id: Uuid,
        event: &BatchEvent,
        (actor, reason): (Option<String>, Option<String>),
    ) -> Result<(), BatchError> {
        let metadata = json!({ "$correlationId": batch, "actor": actor, "reason": reason, "schema": 1 });
        let event = NewEvent {
            id,
            event_type: event.type_name().to_owned(),
            data: Bytes::from(event.data()?),
            metadata: Bytes::from(metadata.to_string()),
        };
        self.log.append(&stream(batch), expected, vec![event]).await?;
        Ok(())
    }
}
