//! Applies events to views: together, or one by one if Postgres refuses one of them, which is then
//! set aside. So which events are set aside does not depend on how events fall into batches.

use event_store::RecordedEvent;

use crate::error::WriteError;
use crate::fold::Batch;

/// Views that events are applied to.
pub(crate) trait Views {
    /// Folds these events.
    async fn fold(&mut self, events: &[RecordedEvent]) -> Result<Batch, WriteError>;

    /// Writes the changes of these events.
    async fn commit(&mut self, batch: Batch, events: &[RecordedEvent]) -> Result<(), WriteError>;

    /// A batch of so many events was refused, for this reason. They follow one by one.
    fn refused(&self, _reason: &str, _events: usize) {}
}

/// Applies these events to these views.
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
