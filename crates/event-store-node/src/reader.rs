//! Reading the log from asynchronous code: from memory if possible, else from disk on a thread that
//! may block.

use std::ops::RangeInclusive;
use std::sync::Arc;

use event_store_protocol::metadata::described_by;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::filter::{Filter, TooHard};
use super::log::Log;
use super::recent::Recent;
use super::storage::{
    AllPage, Direction, Event, PageLimits, Resolved, Stop, StorageError, StreamPage, View, Visible, Waste,
};

/// Why a read ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadFailure {
    #[error("the node is closing")]
    Closing,
    /// Temporary.
    #[error("the log is being reopened")]
    Reopening,
    /// The filter's expression exceeded its bound.
    #[error("the filter's expression takes too long")]
    FilterTooHard,
    /// The disk does not have what was written.
    #[error("{0}")]
    Damaged(String),
    #[error("{0}")]
    Broken(String),
}

impl From<TooHard> for ReadFailure {
    fn from(_: TooHard) -> Self {
        Self::FilterTooHard
    }
}

impl From<StorageError> for ReadFailure {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Reopening => Self::Reopening,
            StorageError::FilterTooHard => Self::FilterTooHard,
            error if error.is_damage() => Self::Damaged(error.to_string()),
            error => Self::Broken(error.to_string()),
        }
    }
}

#[derive(Clone)]
pub(crate) struct Reader {
    pub(super) log: Arc<Log>,
    pub(super) recent: Arc<Recent>,
    pub(super) head: watch::Receiver<u64>,
    pub(super) closing: CancellationToken,
    /// The node waits until all of these are dropped, and with them their references to the
    /// storage.
    pub(super) held: TaskTrackerToken,
}

impl Reader {
    /// The last position.
    pub(crate) fn head(&self) -> u64 {
        *self.head.borrow()
    }

    /// Waits until the log has an event after a position.
    pub(crate) async fn wait_beyond(&mut self, position: u64) -> Result<(), ReadFailure> {
        tokio::select! {
            () = self.closing.cancelled() => Err(ReadFailure::Closing),
            changed = self.head.wait_for(|head| *head > position) => changed.map(drop).map_err(|_| ReadFailure::Closing),
        }
    }

    /// A page of `$all` after a position, forwards.
    pub(crate) async fn all_after(
        &self,
        position: u64,
        filter: &Filter,
        limits: PageLimits,
    ) -> Result<AllPage, ReadFailure> {
        // One more than the reader may examine, so that a full page is not taken for the end.
        if let Some(events) = self.recent.after(position, limits.examined.saturating_add(1)) {
            return AllPage::fill(events.into_iter().map(Ok), filter, limits);
        }
        self.all_page(position.saturating_add(1)..=u64::MAX, Direction::Forwards, filter, limits).await
    }

    pub(crate) async fn all_page(
        &self,
        positions: RangeInclusive<u64>,
        direction: Direction,
        filter: &Filter,
        limits: PageLimits,
    ) -> Result<AllPage, ReadFailure> {
        let filter = filter.clone();
        let page = self.on_disk(move |view| view.all_page(positions, direction, &filter, limits)).await?;
        Ok(AllPage { from_disk: true, ..page })
    }

    pub(crate) async fn stream_page(
        &self,
        stream: &str,
        from: u64,
        direction: Direction,
        limits: PageLimits,
    ) -> Result<StreamPage, ReadFailure> {
        if described_by(stream).is_some()
            && let Some(nothing) = self.nothing_of(stream)?
        {
            return Ok(nothing);
        }
        let stream = stream.to_owned();
        self.on_disk(move |view| view.stream_page(&stream, from, direction, limits)).await
    }

    /// The answer for a metadata stream that does not exist. `None`: the stream has to be read.
    /// Most streams have no metadata. This lookup takes microseconds, because the tables' filters
    /// are in memory: less than handing the read over to another thread.
    fn nothing_of(&self, stream: &str) -> Result<Option<StreamPage>, ReadFailure> {
        if self.closing.is_cancelled() {
            return Err(ReadFailure::Closing);
        }
        match self.log.try_with(|storage| storage.view().visible(stream)).transpose()? {
            Some(Visible::Nothing) => Ok(Some(StreamPage::NotFound)),
            Some(Visible::Deleted) => Ok(Some(StreamPage::Deleted)),
            Some(Visible::Events { .. }) | None => Ok(None),
        }
    }

    /// The first event of a stream that readers may see.
    pub(crate) async fn first_of(&self, stream: &str) -> Result<Option<Arc<Event>>, ReadFailure> {
        self.one_of(stream, 0, Direction::Forwards).await
    }

    /// The last event of a stream that readers may see.
    pub(crate) async fn last_of(&self, stream: &str) -> Result<Option<Arc<Event>>, ReadFailure> {
        self.one_of(stream, u64::MAX, Direction::Backwards).await
    }

    async fn one_of(&self, stream: &str, from: u64, direction: Direction) -> Result<Option<Arc<Event>>, ReadFailure> {
        let one = PageLimits { events: 1, ..PageLimits::default() };
        match self.stream_page(stream, from, direction, one).await? {
            StreamPage::Page { events, .. } => Ok(events.into_iter().next()),
            StreamPage::NotFound | StreamPage::Deleted => Ok(None),
        }
    }

    /// Resolves the links among some events, if the reader wants it.
    pub(crate) async fn resolve(&self, events: Vec<Arc<Event>>, follow: bool) -> Result<Vec<Resolved>, ReadFailure> {
        if !follow || !events.iter().any(|event| event.is_link()) {
            return Ok(events.into_iter().map(Resolved::from).collect());
        }
        self.on_disk(move |view| events.into_iter().map(|event| view.resolve(event)).collect()).await
    }

    /// The events that a scavenge may remove, from a revision of a stream on, up to the position
    /// `through`.
    pub(crate) async fn waste(&self, from: (String, u64), through: u64) -> Result<Waste, ReadFailure> {
        self.on_disk(move |view| view.waste((&from.0, from.1), through)).await
    }

    /// Frees the disk space of removed events. `false`: stopped before the end. A closing node
    /// stops it too.
    pub(crate) async fn compact(&self, stop: CancellationToken) -> Result<bool, ReadFailure> {
        let closing = self.closing.clone();
        let stop: Stop = Arc::new(move || stop.is_cancelled() || closing.is_cancelled());
        let is_whole = self.blocking(move |log| log.compact(&stop)).await?;
        if !is_whole && self.closing.is_cancelled() { Err(ReadFailure::Closing) } else { Ok(is_whole) }
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        read: impl FnOnce(&View<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, ReadFailure> {
        self.blocking(move |log| log.with(|storage| read(&storage.view()))).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Log) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, ReadFailure> {
        if self.closing.is_cancelled() {
            return Err(ReadFailure::Closing);
        }
        let log = self.log.clone();
        let held = self.held.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let outcome = act(&log);
            drop(log);
            drop(held);
            outcome
        });
        Ok(reading.await.map_err(|error| ReadFailure::Broken(error.to_string()))??)
    }
}
