//! Scavenges: deleted, expired and truncated events leave the log and the disk.
//!
//! One scavenge runs at a time. It goes through the streams in the order of their names, part by
//! part, while appends and reads continue. Each part is removed and recorded in one batch: after a
//! crash the scavenge resumes from its last record when the node starts again. After the last
//! stream it compacts the tables. A client, or the shutdown of the node, may stop it at any time.
//!
//! It writes the same events as a server: `$scavenges-{id}` with `$scavengeStarted` and
//! `$scavengeCompleted`, and links to both in `$scavenges`. Only [`REMOVED_TYPE`] is specific to
//! the node: a server reports each chunk that it scavenged, and the node has no chunks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use event_store_protocol::link::link_target;
use event_store_protocol::scavenge::{Progress, REMOVED_TYPE, SCAVENGES};
use serde_json::{Value, json};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};
use uuid::Uuid;

use super::change::{Change, Failure, Intent, Proposed};
use super::decision::Expected;
use super::read_write_error::ReadWriteError;
use super::reader::{ReadFailure, Reader};
use super::storage::{Waste, event};
use super::writer::Writer;

const STARTED_TYPE: &str = "$scavengeStarted";
const COMPLETED_TYPE: &str = "$scavengeCompleted";
const STOPPED: &str = "Stopped";
/// A client may use this name instead of the id of the running scavenge.
const CURRENT: &str = "current";
/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(500);

/// Starts and stops scavenges. Cheap to clone.
#[derive(Clone)]
pub(super) struct Scavenges {
    shared: Arc<Shared>,
}

struct Shared {
    reader: Reader,
    writer: Writer,
    /// The address at which clients reach the node.
    endpoint: String,
    tasks: TaskTracker,
    current: Mutex<Option<Running>>,
}

struct Running {
    id: String,
    stop: CancellationToken,
    /// `None` while it runs.
    ended: watch::Receiver<Option<Ended>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// A client stopped it.
    Stopped,
    Otherwise,
}

impl Running {
    fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }
}

/// The answer to a client that starts a scavenge.
pub(super) enum Begun {
    Now(String),
    /// Another scavenge is already running.
    Before(String),
}

/// A running scavenge.
struct Scavenge {
    shared: Arc<Shared>,
    progress: Progress,
    /// The end of the log when the scavenge began. Later events are not removed.
    through: u64,
    began: u64,
    /// The stream to continue with, and the revision.
    next: (String, u64),
    /// The revision of the next event in the scavenge's own stream.
    revision: u64,
}

impl Scavenges {
    pub(super) fn new(reader: Reader, writer: Writer, endpoint: String, tasks: TaskTracker) -> Self {
        Self { shared: Arc::new(Shared { reader, writer, endpoint, tasks, current: Mutex::default() }) }
    }

    /// Resumes the scavenge that the previous process did not end, if there is one.
    pub(super) async fn resume(&self) -> Result<(), ReadFailure> {
        if let Some(open) = self.unfinished().await? {
            info!(id = open.progress.scavenge_id, removed = open.progress.events_removed, "a scavenge resumes");
            *self.shared.current.lock().await = Some(self.spawn(open));
        }
        Ok(())
    }

    pub(super) async fn start(&self, threads: i32) -> Result<Begun, ReadWriteError> {
        let mut current = self.shared.current.lock().await;
        if let Some(running) = current.as_ref().filter(|running| !running.has_ended()) {
            return Ok(Begun::Before(running.id.clone()));
        }
        let id = Uuid::new_v4().to_string();
        let scavenge = Scavenge {
            shared: self.shared.clone(),
            progress: Progress { scavenge_id: id.clone(), ..Progress::default() },
            through: self.shared.reader.head(),
            began: event::now(),
            next: (String::new(), 0),
            revision: 1,
        };
        let data = json!({
            "scavengeId": id,
            "nodeEndpoint": self.shared.endpoint,
            "alwaysKeepScavenged": false,
            "mergeChunks": false,
            "startFromChunk": 0,
            "threads": threads,
            "scavengePoint": scavenge.through,
        });
        scavenge.write_with_link(STARTED_TYPE, &data, 0).await?;
        *current = Some(self.spawn(scavenge));
        Ok(Begun::Now(id))
    }

    /// Stops the scavenge with this id and waits until it has ended. `None`: no such scavenge runs,
    /// or it ended by itself before.
    pub(super) async fn stop(&self, id: &str) -> Option<String> {
        let (id, mut ended) = {
            let current = self.shared.current.lock().await;
            let running = current.as_ref().filter(|running| !running.has_ended())?;
            if ![running.id.as_str(), CURRENT].contains(&id) {
                return None;
            }
            running.stop.cancel();
            (running.id.clone(), running.ended.clone())
        };
        // The sender is also gone if the scavenge panics.
        let ended = ended.wait_for(Option::is_some).await.ok().and_then(|ended| *ended);
        (ended == Some(Ended::Stopped)).then_some(id)
    }

    fn spawn(&self, scavenge: Scavenge) -> Running {
        let (ended_sender, ended) = watch::channel(None);
        let stop = CancellationToken::new();
        let id = scavenge.progress.scavenge_id.clone();
        let token = stop.clone();
        self.shared.tasks.spawn(async move {
            let ended = scavenge.run(&token).await;
            ended_sender.send_replace(Some(ended));
        });
        Running { id, stop, ended }
    }

    async fn unfinished(&self) -> Result<Option<Scavenge>, ReadFailure> {
        let reader = &self.shared.reader;
        let Some(link) = reader.last_of(SCAVENGES).await? else { return Ok(None) };
        let Some((_, stream)) = link_target(&link.record.data) else { return Ok(None) };
        let (Some(first), Some(last)) = (reader.first_of(stream).await?, reader.last_of(stream).await?) else {
            return Ok(None);
        };
        let data: Value = serde_json::from_slice(&first.record.data).unwrap_or_default();
        let id = data["scavengeId"].as_str().unwrap_or_default().to_owned();
        let progress = match last.record.event_type.as_str() {
            STARTED_TYPE => Progress { scavenge_id: id, ..Progress::default() },
            REMOVED_TYPE => Progress::of(&last.record.data).unwrap_or_default(),
            _ => return Ok(None),
        };
        Ok(Some(Scavenge {
            shared: self.shared.clone(),
            next: progress.removed.last().map(|last| (last.stream.clone(), last.to_revision + 1)).unwrap_or_default(),
            progress,
            through: data["scavengePoint"].as_u64().unwrap_or(0),
            began: first.record.created,
            revision: last.record.revision + 1,
        }))
    }
}

impl Scavenge {
    async fn run(mut self, stop: &CancellationToken) -> Ended {
        let (result, error) = match self.work(stop).await {
            Ok(true) => ("Success", String::new()),
            Ok(false) => (STOPPED, String::new()),
            // The scavenge resumes when the node starts again.
            Err(failure) if failure.is_closing() => return Ended::Otherwise,
            Err(failure) => ("Errored", failure.to_string()),
        };
        let ended = self.complete(result, &error).await;
        let Progress { scavenge_id, events_removed, space_saved, .. } = &self.progress;
        match ended {
            Ok(()) => info!(id = scavenge_id, result, error, events_removed, space_saved, "a scavenge has ended"),
            Err(failure) => warn!(id = scavenge_id, result, %failure, "the end of a scavenge could not be recorded"),
        }
        if result == STOPPED { Ended::Stopped } else { Ended::Otherwise }
    }

    /// Removes part after part. `false`: stopped.
    async fn work(&mut self, stop: &CancellationToken) -> Result<bool, ReadWriteError> {
        loop {
            if stop.is_cancelled() {
                return Ok(false);
            }
            let waste = self.shared.reader.waste(self.next.clone(), self.through).await;
            let next = match waste {
                Ok(waste) => self.remove(waste).await,
                Err(failure) => Err(failure.into()),
            };
            match next {
                Ok(Some(next)) => self.next = next,
                Ok(None) => break,
                Err(failure) if failure.is_closing() || is_for_good(&failure) => return Err(failure),
                Err(failure) => self.pause(&failure, stop).await,
            }
        }
        if self.progress.events_removed == 0 { Ok(true) } else { self.compact(stop).await }
    }

    /// Frees the disk space of removed events. `false`: stopped.
    async fn compact(&self, stop: &CancellationToken) -> Result<bool, ReadWriteError> {
        loop {
            match self.shared.reader.compact(stop.clone()).await {
                Err(reopening @ ReadFailure::Reopening) => self.pause(&reopening.into(), stop).await,
                compacted => return Ok(compacted?),
            }
        }
    }

    /// Removes a part, and returns where the next one begins.
    async fn remove(&mut self, waste: Waste) -> Result<Option<(String, u64)>, ReadWriteError> {
        let Waste { removed, events, bytes, next } = waste;
        if events > 0 {
            let progress = Progress {
                scavenge_id: self.progress.scavenge_id.clone(),
                events_removed: self.progress.events_removed + events,
                space_saved: self.progress.space_saved + bytes,
                removed,
            };
            self.write(self.stream(), Change::Append(vec![Proposed::own(REMOVED_TYPE, &json!(progress))])).await?;
            self.revision += 1;
            self.progress = progress;
        }
        Ok(next)
    }

    async fn complete(&self, result: &str, error: &str) -> Result<(), ReadWriteError> {
        let data = json!({
            "scavengeId": self.progress.scavenge_id,
            "nodeEndpoint": self.shared.endpoint,
            "result": result,
            "error": error,
            "timeTaken": time_taken(event::now().saturating_sub(self.began)),
            "spaceSaved": self.progress.space_saved,
            "maxChunkScavenged": 0,
            "eventsRemoved": self.progress.events_removed,
        });
        self.write_with_link(COMPLETED_TYPE, &data, self.revision).await
    }

    fn stream(&self) -> String {
        format!("{SCAVENGES}-{}", self.progress.scavenge_id)
    }

    /// Writes an event and a link to it, both or none.
    async fn write_with_link(&self, event_type: &str, data: &Value, revision: u64) -> Result<(), ReadWriteError> {
        let target = format!("{revision}@{}", self.stream());
        let both = vec![
            (self.stream(), Proposed::own(event_type, data)),
            (SCAVENGES.into(), Proposed::link(Uuid::new_v4(), target, Bytes::new())),
        ];
        self.write(SCAVENGES.into(), Change::Links(both)).await
    }

    async fn write(&self, stream: String, change: Change) -> Result<(), ReadWriteError> {
        let intent = Intent { stream, expected: Expected::Any, change };
        let written = self.shared.writer.enqueue(intent).await?;
        let outcome = written.await.unwrap_or(Err(Failure::Closed))?;
        outcome.map(drop).map_err(|refusal| ReadWriteError::Unwritten(Failure::Broken(format!("{refusal:?}"))))
    }

    async fn pause(&self, failure: &ReadWriteError, stop: &CancellationToken) {
        warn!(id = self.progress.scavenge_id, %failure, "a scavenge cannot continue and tries again");
        tokio::select! {
            () = self.shared.reader.closing.cancelled() => {}
            () = stop.cancelled() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Whether another attempt cannot succeed.
fn is_for_good(failure: &ReadWriteError) -> bool {
    matches!(failure, ReadWriteError::Unread(ReadFailure::Damaged(_)))
}

/// In the format of a server: hours, minutes, seconds and the fraction.
fn time_taken(ticks: u64) -> String {
    let (seconds, rest) = (ticks / event::TICKS_PER_SECOND, ticks % event::TICKS_PER_SECOND);
    format!("{:02}:{:02}:{:02}.{rest:07}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_taken_is_written_as_a_server_does() {
        assert_eq!(time_taken(0), "00:00:00.0000000");
        assert_eq!(time_taken(36_610_000_001), "01:01:01.0000001");
    }
}
