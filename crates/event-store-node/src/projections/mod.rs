//! The system projections: links by category (`$ce-…`), by type (`$et-…`), by correlation
//! (`$bc-…`), and to the first event of each stream (`$streams`), the same as on a server. Off by
//! default.
//!
//! One task follows `$all` and writes the links of a page in one append. The id of a link derives
//! from its target, and a link that exists is not written again. So each link is written once, in
//! the order of the log, even after a crash. A checkpoint in the log marks where to continue. It
//! may be old, so it is not written often.
//!
//! The task leaves out the links of a projection that is switched off. When the projection is
//! switched on again, the task returns to the position at which it was switched off. It skips the
//! links that the other projections have already written.

mod kind;
mod links;

use std::time::Duration;

use event_store_protocol::metadata::{METADATA_TYPE, metadata_stream_of};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use super::change::{Change, Failure, Intent, Proposed};
use super::decision::Expected;
use super::filter::Filter;
use super::reader::{ReadFailure, Reader};
use super::storage::{AllPage, PageLimits};
use super::writer::Writer;
pub(super) use kind::{Control, Kind, Standing};
use kind::{Off, Switch};

/// The stream of checkpoints. The projections ignore streams whose names begin with it.
pub(super) const CHECKPOINTS: &str = "$projections-$system-checkpoint";
const CHECKPOINT_TYPE: &str = "$ProjectionCheckpoint";
/// How many events may be processed again after a crash.
const EVENTS_PER_CHECKPOINT: u64 = 4096;
/// How many switch requests may wait.
const SWITCHES: usize = 16;
/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(500);

/// Follows the log and writes links.
pub(super) struct Projections {
    reader: Reader,
    writer: Writer,
    /// The last position whose links are written.
    after: u64,
    checkpoint: Option<u64>,
    /// A link was written since the checkpoint.
    has_linked: bool,
    off: Off,
    processed: u64,
    switches: mpsc::Receiver<Switch>,
    standing: watch::Sender<Standing>,
}

impl Projections {
    /// Loads the projections from their checkpoint.
    pub(super) async fn open(reader: Reader, writer: Writer) -> Result<(Self, Control), ReadFailure> {
        let last = reader.last_of(CHECKPOINTS).await?;
        let checkpoint = last.map(|last| checkpoint_in(&last.record.data)).transpose()?;
        let (checkpoint, off) = checkpoint.map_or_else(Default::default, |(position, off)| (Some(position), off));
        let (switches_sender, switches) = mpsc::channel(SWITCHES);
        let (standing, standing_receiver) = watch::channel(Standing::default());
        let control = Control { switches: switches_sender, standing: standing_receiver, head: reader.head.clone() };
        let after = checkpoint.unwrap_or(0);
        let projections =
            Self { reader, writer, after, checkpoint, has_linked: false, off, processed: 0, switches, standing };
        projections.tell();
        Ok((projections, control))
    }

    /// Works until the node closes.
    pub(super) async fn run(mut self) {
        info!(after = self.after, "the system projections follow the log");
        loop {
            let mut reader = self.reader.clone();
            let worked = tokio::select! {
                Some(switch) = self.switches.recv() => {
                    self.switch(switch).await;
                    Ok(())
                }
                waited = reader.wait_beyond(self.after) => match waited {
                    Ok(()) => self.next_page().await,
                    Err(failure) => Err(failure.into()),
                },
            };
            match worked {
                Ok(()) => {}
                Err(ReadWriteError::Closing) => break,
                Err(ReadWriteError::Failed(reason)) => {
                    warn!(position = self.after, %reason, "the system projections could not continue and try again");
                    tokio::select! {
                        () = self.reader.closing.cancelled() => break,
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
            }
        }
        if self.has_linked
            && let Err(failure) = self.write_checkpoint().await
        {
            info!(?failure, "the system projections will process the events after their last checkpoint again");
        }
    }

    async fn next_page(&mut self) -> Result<(), ReadWriteError> {
        let page = self.reader.all_after(self.after, &Filter::Everything, PageLimits::default()).await?;
        self.link(&page).await?;
        self.after = page.last.unwrap_or(self.after);
        self.processed += page.examined as u64;
        self.tell();
        if self.has_linked && self.after - self.checkpoint.unwrap_or(0) >= EVENTS_PER_CHECKPOINT {
            self.write_checkpoint().await?;
        }
        Ok(())
    }

    async fn link(&mut self, page: &AllPage) -> Result<(), ReadWriteError> {
        let is_on = |(stream, _): &(String, Proposed)| self.off.at(Kind::that_writes(stream)).is_none();
        let links: Vec<_> = page.events.iter().flat_map(|event| links::of(event)).filter(is_on).collect();
        if links.is_empty() {
            return Ok(());
        }
        self.has_linked = true;
        let intent = Intent { stream: CHECKPOINTS.into(), expected: Expected::Any, change: Change::Links(links) };
        self.writer.change(intent).await?.map_err(|refusal| ReadWriteError::Failed(format!("{refusal:?}"))).map(drop)
    }

    async fn switch(&mut self, Switch { kind, on, answer }: Switch) {
        let (off, after) = (self.off, self.after);
        match (self.off.at(kind), on) {
            (Some(at), true) => {
                self.off.set(kind, None);
                self.after = self.after.min(at);
            }
            (None, false) => self.off.set(kind, Some(self.after)),
            // The projection has that state already.
            (Some(_), false) | (None, true) => {}
        }
        let written = if off == self.off { Ok(()) } else { self.write_checkpoint().await };
        if written.is_err() {
            (self.off, self.after) = (off, after);
        }
        self.tell();
        // If the caller has left, no one needs the answer.
        let _ = answer.send(written);
    }

    fn tell(&self) {
        let checkpoint = self.checkpoint.unwrap_or(0);
        let Self { processed, after, off, .. } = *self;
        self.standing.send_replace(Standing { checkpoint, processed, after, off });
    }

    async fn write_checkpoint(&mut self) -> Result<(), Failure> {
        if self.checkpoint.is_none() {
            // Only the last checkpoint counts.
            self.append(metadata_stream_of(CHECKPOINTS), METADATA_TYPE, &json!({ "$maxCount": 2 })).await?;
        }
        let position = self.after;
        self.append(
            CHECKPOINTS.into(),
            CHECKPOINT_TYPE,
            &json!({ "$c": position, "$p": position, "off": self.off.written() }),
        )
        .await?;
        self.checkpoint = Some(position);
        self.has_linked = false;
        Ok(())
    }

    async fn append(&self, stream: String, event_type: &str, data: &Value) -> Result<(), Failure> {
        let event = Proposed::own(event_type, data);
        let name = stream.clone();
        let intent = Intent { stream, expected: Expected::Any, change: Change::Append(vec![event]) };
        let refused = |refusal| Failure::Broken(format!("{name} cannot be written: {refusal:?}"));
        self.writer.change(intent).await?.map_err(refused).map(drop)
    }
}

fn checkpoint_in(checkpoint: &[u8]) -> Result<(u64, Off), ReadFailure> {
    let read: Option<Value> = serde_json::from_slice(checkpoint).ok();
    let read = read.and_then(|read| Some((read.get("$c")?.as_u64()?, Off::read(&read["off"]))));
    read.ok_or_else(|| ReadFailure::Broken(format!("{CHECKPOINTS}: not a checkpoint")))
}

enum ReadWriteError {
    Closing,
    Failed(String),
}

impl From<ReadFailure> for ReadWriteError {
    fn from(failure: ReadFailure) -> Self {
        if matches!(failure, ReadFailure::Closing) { Self::Closing } else { Self::Failed(failure.to_string()) }
    }
}

impl From<Failure> for ReadWriteError {
    fn from(failure: Failure) -> Self {
        if matches!(failure, Failure::Closed) { Self::Closing } else { Self::Failed(format!("{failure:?}")) }
    }
}
