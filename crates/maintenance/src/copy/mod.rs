//! Copies a log to another server: from the embedded node to a cluster, or back.
//!
//! Each event is appended with its id, type, data and metadata, in the order of `$all`, so that
//! every stream has the same revisions. Positions differ, since they belong to a server.
//!
//! The target is the only record of how far a copy came: it has the first events of the source, and
//! nothing else. So a copy first compares both logs from their beginnings ([`survey`]), and goes on
//! where the target ends. The same comparison, at the end, shows that the copy is complete.

mod appender;
mod error;
mod progress;
mod selection;
mod survey;

use command_line::progress::Progress;
use event_store::{EventStore, Position};

use appender::Appender;
pub use error::{CopyError, Difference};
pub use progress::Copying;
use progress::{EVENTS_PER_REPORT, Stage};
use selection::Copied;
pub use selection::LeftOut;
use survey::{Survey, survey};

/// How often the logs are compared. Each time after the first shows what has come to the source
/// meanwhile.
const MAX_SURVEYS: usize = 4;

/// The result of a copy.
#[derive(Debug, Clone)]
pub struct CopyReport {
    /// How many events this run has appended.
    pub added: u64,
    /// How many events the target has of the source.
    pub events: u64,
    /// How many streams they are in.
    pub streams: usize,
    /// How many events came to the source meanwhile.
    pub grown: u64,
    /// Whether the target has everything. `false`: the source grows too fast.
    pub is_complete: bool,
    /// What stays at the source.
    pub left_out: LeftOut,
}

/// Copies what the target lacks, and compares both logs.
pub async fn copy(
    source: &EventStore,
    target: &EventStore,
    progress: &Progress<Copying>,
) -> Result<CopyReport, CopyError> {
    let mut surveyed = survey(source, target, progress).await?;
    let at_first = surveyed.events;
    let mut added = 0;
    for _ in 1..MAX_SURVEYS {
        let Some(from) = surveyed.missing_from else { break };
        added += append_missing(source, target, Appender::new(surveyed.metadata_events), from, progress).await?;
        surveyed = survey(source, target, progress).await?;
    }
    progress.finish();
    let Survey { events, streams, left_out, missing_from, .. } = surveyed;
    Ok(CopyReport { added, events, streams, grown: events - at_first, is_complete: missing_from.is_none(), left_out })
}

/// Appends the source's events from a position to its end. Returns how many.
async fn append_missing(
    source: &EventStore,
    target: &EventStore,
    mut appender: Appender,
    from: Position,
    progress: &Progress<Copying>,
) -> Result<u64, CopyError> {
    progress.change(|copying| copying.stage = Stage::Copying);
    let mut missing = Copied::of(source, Some(from));
    while let Some(record) = missing.next().await.map_err(CopyError::Source)? {
        let position = record.event.position.commit;
        appender.add(target, record).await?;
        if appender.appended.is_multiple_of(EVENTS_PER_REPORT) {
            progress.change(|copying| (copying.position, copying.events) = (position, appender.appended));
        }
    }
    appender.flush(target).await?;
    Ok(appender.appended)
}
