//! A copy of the log of a running node, in a folder of its own.
//!
//! Everything in a log follows from its events, by the code with which the node writes them; and `$all` has all events, with
//! all that the node keeps of them: what was deleted, what deleted it, and the settings of streams and of groups of
//! consumers. So the copy is made by reading `$all`, as any client does, and writing each event where it stands. The node
//! goes on meanwhile, and the copy may be made from another machine.
//!
//! The copy ends where the log ended when it was begun. On the way there it is always the log as it was at some moment: what
//! the node wrote at once is written at once. So a backup that was interrupted is an earlier one, and the next goes on
//! from there. In a scavenged log this holds only once the copy has the record of the scavenge. Until then the check reports
//! the events that the scavenge removed before they were copied as missing.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use event_store::{EventStore, Gaps, Position, ReadError, Record};

use crate::storage::{Replay, Storage, StorageError, StoredEvent, guarded};
use crate::{CheckReport, check_log};

/// What is written at once, whichever comes first; and no less than what the node wrote at once.
const EVENTS: usize = 1024;
const BYTES: usize = 8 << 20;
/// A node does not write so much at once, though a clock that stands still may make it seem so.
const MAX_BYTES: usize = 256 << 20;

/// What a backup has done.
#[derive(Debug, Clone)]
pub struct BackupReport {
    /// How many events were added to the copy.
    pub added: u64,
    /// The position of its last event.
    pub position: u64,
    /// What was found when the copy was checked.
    pub check: CheckReport,
}

/// Why there is no new backup. An earlier one in the folder is as it was, or further on.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The log could not be read.
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
    /// The folder could not be read or written.
    #[error("the backup in {} cannot be opened or written", folder.display())]
    Folder {
        /// Where it is.
        folder: PathBuf,
        /// What is wrong with it.
        source: StorageError,
    },
    /// The folder holds a backup of another log.
    #[error("the backup in {} is not one of this log: they differ at position {position}", folder.display())]
    OtherLog {
        /// Where it is.
        folder: PathBuf,
        /// Where the two were compared.
        position: u64,
    },
    /// The server is something else.
    #[error(
        "only the log of an embedded node can be backed up, and this one has position {found} where a node has \
         {expected}: use the backup of the server itself"
    )]
    NotANode {
        /// The position that comes next in a node's log.
        expected: u64,
        /// The one that came.
        found: u64,
    },
}

/// Copies into a folder what it does not yet hold of a log, and checks the copy.
pub async fn backup(log: &EventStore, folder: &Path) -> Result<BackupReport, BackupError> {
    let head = log.head().await?.map_or(0, |position| position.commit);
    // Looked at before anything is written: what cannot be backed up leaves no folder that looks like a backup.
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

/// Whether a scavenge has emptied these positions. It may have done so since the gaps were read: then they are read again.
async fn are_emptied(log: &EventStore, gaps: &mut Gaps, positions: Range<u64>) -> Result<bool, ReadError> {
    if !gaps.cover(positions.clone()) {
        *gaps = log.gaps().await?;
    }
    Ok(gaps.cover(positions))
}

/// The copy while it is added to.
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

    /// Adds everything up to a position.
    ///
    /// Positions that a scavenge has emptied are noted as removed. The copy then goes on to the record of that scavenge,
    /// even if the record was written after the copy was begun: a gap without its record would be damage.
    async fn catch_up(&mut self, log: &EventStore, head: u64, mut gaps: Gaps) -> Result<(), BackupError> {
        if self.last > head {
            return Err(self.other_log(self.last));
        }
        if self.last > 0 {
            self.compare_with(log, &mut gaps).await?;
        }
        let (mut end, mut expected) = (head, self.last + 1);
        let mut history = log.history(position(self.last));
        let mut together = Together::default();
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

    /// Compares the first and the last event that both should have.
    async fn compare_with(&self, log: &EventStore, gaps: &mut Gaps) -> Result<(), BackupError> {
        let first = log.history(None).next().await?;
        let at = first.as_ref().map_or(self.last, |first| first.event.position.commit);
        self.compare(at, first).await?;
        let mut last = gaps.last_outside(self.last).ok_or_else(|| self.other_log(self.last))?;
        loop {
            let there = log.history(position(last)).next().await?;
            let found = there.as_ref().map_or(u64::MAX, |there| there.event.position.commit);
            // A scavenge that removes the event meanwhile leaves an earlier one.
            if found == last || !are_emptied(log, gaps, last..found).await? {
                return self.compare(last, there).await;
            }
            last = gaps.last_outside(self.last).ok_or_else(|| self.other_log(self.last))?;
        }
    }

    fn other_log(&self, position: u64) -> BackupError {
        BackupError::OtherLog { folder: self.folder.clone(), position }
    }

    /// Whether the log has the same event at a position as the copy.
    async fn compare(&self, position: u64, record: Option<Record>) -> Result<(), BackupError> {
        let storage = self.storage.clone();
        let here = blocking(&self.folder, move |_| storage.view().event(position)).await?;
        let there = record.filter(|record| record.event.position.commit == position).map(stored);
        match here {
            Some(here) if Some(&here.record) == there.as_ref() => Ok(()),
            _ => Err(self.other_log(position)),
        }
    }

    async fn write(&mut self, together: Together) -> Result<(), BackupError> {
        let Together { events, removed, .. } = together;
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

/// Events that are to be written at once.
#[derive(Default)]
struct Together {
    /// With their positions.
    events: Vec<(u64, StoredEvent)>,
    /// Positions before these events that a scavenge has emptied. Noted together, since each batch waits for the disk.
    removed: Vec<Range<u64>>,
    bytes: usize,
}

impl Together {
    /// Whether there are enough, and the next one was written by the node after these: what it writes at once has one time.
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

/// An event as the node keeps it.
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

/// Does something with the folder on a thread that may wait for the disk.
async fn blocking<T: Send + 'static>(
    folder: &Path,
    act: impl FnOnce(&Path) -> Result<T, StorageError> + Send + 'static,
) -> Result<T, BackupError> {
    let path = folder.to_owned();
    let done = tokio::task::spawn_blocking(move || guarded(|| act(&path))).await;
    let done = done.unwrap_or_else(|ended| Err(StorageError::Damaged(ended.to_string())));
    done.map_err(|source| BackupError::Folder { folder: folder.into(), source })
}
