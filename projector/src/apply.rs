//! Brings events into views: together, or one by one where Postgres refuses one of them, which is then set aside. What is set aside so
//! does not depend on how the events fell into batches.

use event_store::RecordedEvent;

use crate::error::WriteError;
use crate::fold::Batch;

/// Views that events are brought into.
pub(crate) trait Views {
    /// What becomes of them.
    async fn fold(&mut self, events: &[RecordedEvent]) -> Result<Batch, WriteError>;

    /// Writes what becomes of these events.
    async fn commit(&mut self, batch: Batch, events: &[RecordedEvent]) -> Result<(), WriteError>;

    /// So many events were refused together, for this reason, and come one by one.
    fn refused(&self, _reason: &str, _events: usize) {}
}

/// Brings these events into these views.
pub(crate) async fn apply(views: &mut impl Views, events: &[RecordedEvent]) -> Result<(), WriteError> {
    match together(views, events).await {
        Err(WriteError::Refused(reason)) => views.refused(&reason, events.len()),
        outcome => return outcome,
    }
    for event in events {
        let one = std::slice::from_ref(event);
        match together(views, one).await {
            Err(WriteError::Refused(reason)) => views.commit(Batch::setting_aside(event, reason), one).await?,
            outcome => outcome?,
        }
    }
    Ok(())
}

async fn together(views: &mut impl Views, events: &[RecordedEvent]) -> Result<(), WriteError> {
    let batch = views.fold(events).await?;
    views.commit(batch, events).await
}
