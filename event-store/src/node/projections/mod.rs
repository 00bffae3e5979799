//! The system's projections: links by category (`$ce-…`), by type (`$et-…`), by correlation (`$bc-…`), and to the first
//! event of each stream (`$streams`), as a server keeps them. Off unless asked for.
//!
//! One task follows `$all` and writes the links of a page in one piece. The id of a link derives from what it links to, and
//! a link that is there is not written again: so each is written once, in the order of the log, wherever a crash came. A
//! checkpoint in the log says from where to go on; it may be an older one, and so need not be written often.

mod links;

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tracing::{info, warn};
use uuid::Uuid;

use super::change::{Change, Failure, Intent, Proposed};
use super::decision::Expected;
use super::filter::Filter;
use super::reader::{ReadFailure, Reader};
use super::storage::event::{METADATA_TYPE, metadata_stream_of};
use super::storage::{AllPage, Direction, PageLimits, StreamPage};
use super::writer::Writer;

/// The stream of checkpoints. Streams that begin like it are none of the projections' business.
pub(super) const CHECKPOINTS: &str = "$projections-$system-checkpoint";
const CHECKPOINT_TYPE: &str = "$ProjectionCheckpoint";
/// How many events may be looked at again after a crash.
const EVENTS_PER_CHECKPOINT: u64 = 4096;
/// After something failed.
const PAUSE: Duration = Duration::from_millis(500);

/// Follows the log and writes links.
pub(super) struct Projections {
    reader: Reader,
    writer: Writer,
    /// The last position whose links are written.
    after: u64,
    checkpoint: Option<u64>,
    /// Something was linked since the checkpoint.
    has_linked: bool,
}

impl Projections {
    /// Takes the projections up where they were left.
    pub(super) async fn open(reader: Reader, writer: Writer) -> Result<Self, ReadFailure> {
        let one = PageLimits { events: 1, ..PageLimits::default() };
        let checkpoint = match reader.stream_page(CHECKPOINTS, u64::MAX, Direction::Backwards, one).await? {
            StreamPage::Page { events, .. } => events.first().map(|last| position_in(&last.record.data)).transpose()?,
            StreamPage::NotFound | StreamPage::Deleted => None,
        };
        Ok(Self { reader, writer, after: checkpoint.unwrap_or(0), checkpoint, has_linked: false })
    }

    /// Works until the node closes.
    pub(super) async fn run(mut self) {
        info!(after = self.after, "the system projections follow the log");
        loop {
            match self.next_page().await {
                Ok(()) => {}
                Err(Trouble::Closing) => break,
                Err(Trouble::Failed(reason)) => {
                    warn!(position = self.after, %reason, "the system projections could not go on and try again");
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
            info!(?failure, "the system projections will look again at what came after their last checkpoint");
        }
    }

    async fn next_page(&mut self) -> Result<(), Trouble> {
        self.reader.wait_beyond(self.after).await?;
        let page = self.reader.all_after(self.after, &Filter::Everything, PageLimits::default()).await?;
        self.link(&page).await?;
        self.after = page.last.unwrap_or(self.after);
        if self.has_linked && self.after - self.checkpoint.unwrap_or(0) >= EVENTS_PER_CHECKPOINT {
            self.write_checkpoint().await?;
        }
        Ok(())
    }

    async fn link(&mut self, page: &AllPage) -> Result<(), Trouble> {
        let links: Vec<_> = page.events.iter().flat_map(|event| links::of(event)).collect();
        if links.is_empty() {
            return Ok(());
        }
        self.has_linked = true;
        let intent = Intent { stream: CHECKPOINTS.into(), expected: Expected::Any, change: Change::Links(links) };
        self.writer.change(intent).await?.map_err(|refusal| Trouble::Failed(format!("{refusal:?}"))).map(drop)
    }

    async fn write_checkpoint(&mut self) -> Result<(), Failure> {
        if self.checkpoint.is_none() {
            // Only the last counts.
            self.append(metadata_stream_of(CHECKPOINTS), METADATA_TYPE, &json!({ "$maxCount": 2 })).await?;
        }
        let position = self.after;
        self.append(CHECKPOINTS.into(), CHECKPOINT_TYPE, &json!({ "$c": position, "$p": position })).await?;
        self.checkpoint = Some(position);
        self.has_linked = false;
        Ok(())
    }

    async fn append(&self, stream: String, event_type: &str, data: &Value) -> Result<(), Failure> {
        let event = Proposed {
            id: Uuid::new_v4(),
            event_type: event_type.into(),
            content_type: "application/json".into(),
            metadata: Bytes::new(),
            data: Bytes::from(data.to_string()),
        };
        let name = stream.clone();
        let intent = Intent { stream, expected: Expected::Any, change: Change::Append(vec![event]) };
        let refused = |refusal| Failure::Broken(format!("{name} cannot be written: {refusal:?}"));
        self.writer.change(intent).await?.map_err(refused).map(drop)
    }
}

fn position_in(checkpoint: &[u8]) -> Result<u64, ReadFailure> {
    let read: Option<Value> = serde_json::from_slice(checkpoint).ok();
    let position = read.as_ref().and_then(|read| read.get("$c")?.as_u64());
    position.ok_or_else(|| ReadFailure::Broken(format!("{CHECKPOINTS}: not a checkpoint")))
}

enum Trouble {
    Closing,
    Failed(String),
}

impl From<ReadFailure> for Trouble {
    fn from(failure: ReadFailure) -> Self {
        if matches!(failure, ReadFailure::Closing) { Self::Closing } else { Self::Failed(failure.to_string()) }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        if matches!(failure, Failure::Closed) { Self::Closing } else { Self::Failed(format!("{failure:?}")) }
    }
}
