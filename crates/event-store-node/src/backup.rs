//! A copy of the log of a running node, in a separate folder.
//!
//! The node derives its whole log from the events in `$all`: deletions, and the settings of streams
//! and of consumer groups, are events too. So a backup reads `$all`, as any client does, and writes
//! each event at the same position. The node continues to serve meanwhile, and the backup can run
//! on another machine.
//!
//! A backup ends at the position that was the end of the log when the backup began. At every moment
//! before, the copy equals the log as it was at some time: events that the node wrote in one batch
//! are copied in one batch. So an interrupted backup is a valid earlier backup, and the next one
//! continues from it. A scavenged log is the exception: until the copy has the record of the
//! scavenge, the check reports the events that the scavenge removed as missing.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use event_store::{EventStore, Gaps, Position, ReadError, Record};

use crate::storage::{Replay, Storage, StorageError, StoredEvent, guarded};
use crate::{CheckReport, check_log};

/// The copy writes a batch at this many events or bytes. A batch of the node is never split.
const EVENTS: usize = 1024;
const BYTES: usize = 8 << 20;
/// Larger than any batch of the node. Needed because a clock that stands still can make several
/// batches look like one.
const MAX_BYTES: usize = 256 << 20;

/// The result of a backup.
#[derive(Debug, Clone)]
pub struct BackupReport {
    /// How many events were added to the copy.
    pub added: u64,
    /// The position of the copy's last event.
    pub position: u64,
    /// What the check of the copy found.
    pub check: CheckReport,
}

/// Why a backup failed. An earlier backup in the folder is unchanged, or has some of the new
/// events.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The log could not be read.
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
    /// The backup's folder could not be read or written.
    #[error("the backup in {} cannot be opened or written", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What failed.
        source: StorageError,
    },
    /// The folder holds a backup of another log.
    #[error("the backup in {} is not one of this log: they differ at position {position}", folder.display())]
    OtherLog {
        /// The folder.
        folder: PathBuf,
        /// The position whose events differ.
        position: u64,
    },
    /// The server is no embedded node.
    #[error(
        "only the log of an embedded node can be backed up, and this one has position {found} where a node has \
         {expected}: use the backup of the server itself"
    )]
    NotANode {
        /// The position that would come next in the log of a node.
        expected: u64,
        /// The position that came instead.
        found: u64,
    },
}

/// Copies into a folder the events that it does not yet have, and checks the copy.
pub async fn backup(log: &EventStore, folder: &Path) -> Result<BackupReport, BackupError> {
    let head = log.head().await?.map_or(0, |position| position.commit);
    // Compared before the first write, so that a failed backup leaves no folder that looks like a
    // backup.
    let mut gaps = log.gaps().await?;
    if let Some(first) = log.history(None).next().await?
        && !are_emptied(log, &mut gaps, 1..first.event.position.commit).await?
    {
        return Err(BackupError::NotANode { expected: 1, found: first.event.position.commit });
    }
    let mut copy = Copy::open(folder).await?;
    copy.catch_up(log, head, gaps).await?;
    let (position, added) = (copy.last, copy.added);
    let closed_and_checked = |folder: &Path| {
        drop(copy);
        check_log(folder)
    };
    let check = blocking(folder, closed_and_checked).await?;
    Ok(BackupReport { added, position, check })
}

/// Whether a scavenge has removed the events at these positions. Reads the gaps again if needed,
/// because the scavenge may have run since.
async fn are_emptied(log: &EventStore, gaps: &mut Gaps, positions: Range<u64>) -> Result<bool, ReadError> {
    if !gaps.cover(positions.clone()) {
        *gaps = log.gaps().await?;
    }
    Ok(gaps.cover(positions))
}

/// A copy that is being extended.
struct Copy {
    folder: PathBuf,
    storage: Arc<Storage>,
    last: u64,
    /// How many events were added.
    added: u64,
}

impl Copy {
    async fn open(folder: &Path) -> Result<Self, BackupError> {
        let (storage, last) = blocking(folder, |folder| {
            let storage = Storage::open(folder)?;
            let last = storage.view().last_position()?;
            Ok((storage, last))
        })
        .await?;
        Ok(Self { folder: folder.into(), storage: Arc::new(storage), last, added: 0 })
    }

    /// Adds all events up to a position.
    ///
    /// Positions that a scavenge has emptied are noted as removed. The copy then continues to the
    /// record of that scavenge, even if the record is newer than the backup's beginning: a gap
    /// without its record counts as damage.
    async fn catch_up(&mut self, log: &EventStore, head: u64, mut gaps: Gaps) -> Result<(), BackupError> {
        if self.last > head {
            return Err(self.other_log(self.last));
        }
        if self.last > 0 {
            self.compare_with(log, &mut gaps).await?;
        }
        let (mut end, mut expected) = (head, self.last + 1);
        let mut history = log.history(position(self.last));
        let mut together = CopyBatch::default();
        while expected <= end {
            let Some(record) = history.next().await? else { break };
            let found = record.event.position.commit;
            if found < expected {
                continue;
            }
            if !are_emptied(log, &mut gaps, expected..found).await? {
                return Err(BackupError::NotANode { expected, found });
            }
            if together.ends_before(&record) {
                self.write(std::mem::take(&mut together)).await?;
            }
            if expected < found {
                end = end.max(gaps.recorded_at());
                together.removed.push(expected..found);
            }
            together.add(record);
            expected = found + 1;
        }
        self.write(together).await
    }

    /// Compares the first and the last event that the log and the copy share.
    async fn compare_with(&self, log: &EventStore, gaps: &mut Gaps) -> Result<(), BackupError> {
        let first = log.history(None).next().await?;
        let at = first.as_ref().map_or(self.last, |first| first.event.position.commit);
        self.compare(at, first).await?;
        let mut last = gaps.last_outside(self.last).ok_or_else(|| self.other_log(self.last))?;
        loop {
            let there = log.history(position(last)).next().await?;
            let found = there.as_ref().map_or(u64::MAX, |there| there.event.position.commit);
            // If a scavenge removes the event meanwhile, an earlier event takes its place.
            if found == last || !are_emptied(log, gaps, last..found).await? {
                return self.compare(last, there).await;
            }
            last = gaps.last_outside(self.last).ok_or_else(|| self.other_log(self.last))?;
        }
    }

    fn other_log(&self, position: u64) -> BackupError {
        BackupError::OtherLog { folder: self.folder.clone(), position }
    }

    /// Whether the log and the copy have the same event at a position.
    async fn compare(&self, position: u64, record: Option<Record>) -> Result<(), BackupError> {
        let storage = self.storage.clone();
        let here = blocking(&self.folder, move |_| storage.view().event(position)).await?;
        let there = record.filter(|record| record.event.position.commit == position).map(stored);
        match here {
            Some(here) if Some(&here.record) == there.as_ref() => Ok(()),
            _ => Err(self.other_log(position)),
        }
    }

    async fn write(&mut self, together: CopyBatch) -> Result<(), BackupError> {
        let CopyBatch { events, removed, .. } = together;
        let Some((last, _)) = events.last() else { return Ok(()) };
        self.last = *last;
        self.added += events.len() as u64;
        let storage = self.storage.clone();
        blocking(&self.folder, move |_| {
            storage.note_removed(removed.into_iter().flatten())?;
            let mut replay = Replay::onto(storage.view())?;
            for (position, record) in events {
                replay.add(position, record)?;
            }
            storage.commit(&replay.into_batch())
        })
        .await
    }
}

/// A batch of events for the copy.
#[derive(Default)]
struct CopyBatch {
    /// The events, with their positions.
    events: Vec<(u64, StoredEvent)>,
    /// Positions before these events that a scavenge has emptied. They are noted together, because
    /// every write waits for the disk.
    removed: Vec<Range<u64>>,
    bytes: usize,
}

impl CopyBatch {
    /// Whether the batch is full and the node wrote `next` in a later batch. Events of one batch
    /// have the same time.
    fn ends_before(&self, next: &Record) -> bool {
        let enough = self.events.len() >= EVENTS || self.bytes >= BYTES;
        let later = self.events.last().is_some_and(|(_, last)| last.created != next.created_ticks);
        enough && later || self.bytes >= MAX_BYTES
    }

    fn add(&mut self, record: Record) {
        let position = record.event.position.commit;
        let event = stored(record);
        self.bytes += event.data.len() + event.metadata.len() + event.stream.len();
        self.events.push((position, event));
    }
}

fn position(position: u64) -> Option<Position> {
    (position > 0).then_some(Position { commit: position, prepare: position })
}

/// Converts an event to the form in which the node stores it.
fn stored(record: Record) -> StoredEvent {
    let Record { event, content_type, created_ticks } = record;
    StoredEvent {
        stream: event.stream,
        revision: event.revision,
        id: Bytes::copy_from_slice(event.id.as_bytes()),
        created: created_ticks,
        event_type: event.event_type,
        content_type,
        metadata: event.metadata,
        data: event.data,
    }
}

/// Works on the folder on a thread that may block.
async fn blocking<T: Send + 'static>(
    folder: &Path,
    act: impl FnOnce(&Path) -> Result<T, StorageError> + Send + 'static,
) -> Result<T, BackupError> {
    let path = folder.to_owned();
    let done = tokio::task::spawn_blocking(move || guarded(|| act(&path))).await;
    let done = done.unwrap_or_else(|ended| Err(StorageError::Damaged(ended.to_string())));
    done.map_err(|source| BackupError::Folder { folder: folder.into(), source })
}
