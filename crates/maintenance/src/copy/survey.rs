//! Compares the target with the beginning of the source, and checks that the source is whole.
//! Writes nothing.

use std::collections::{BTreeMap, HashMap};

use command_line::progress::Progress;
use event_store::{EventStore, Position, Record, StreamLimits, TOMBSTONE_TYPE, described_by};

use super::error::{CopyError, Difference};
use super::progress::{Copying, EVENTS_PER_REPORT, Stage};
use super::selection::{Copied, LeftOut};

/// What both logs have.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The source's first event that the target does not have. `None`: the target has all.
    pub missing_from: Option<Position>,
    /// How many events of each metadata stream the target has. A server drops old ones, so their
    /// revisions cannot tell.
    pub metadata_events: HashMap<String, u64>,
    /// How many events of the source a copy has.
    pub events: u64,
    /// How many streams they are in.
    pub streams: usize,
    pub left_out: LeftOut,
}

/// Compares both logs from their beginnings to the end of the source.
pub(super) async fn survey(
    source: &EventStore,
    target: &EventStore,
    progress: &Progress<Copying>,
) -> Result<Survey, CopyError> {
    let to = source.head().await.map_err(CopyError::Source)?.map_or(0, |head| head.commit);
    progress.change(|copying| *copying = Copying { stage: Stage::Comparing, position: 0, to, events: 0 });
    let (mut there, mut here) = (Copied::of(source, None), Copied::of(target, None));
    let (mut survey, mut streams) = (Survey::default(), Streams::default());
    while let Some(record) = there.next().await.map_err(CopyError::Source)? {
        streams.take(&record)?;
        survey.events += 1;
        let position = record.event.position;
        if survey.events.is_multiple_of(EVENTS_PER_REPORT) {
            progress.change(|copying| (copying.position, copying.events) = (position.commit, survey.events));
        }
        if survey.missing_from.is_some() {
            continue;
        }
        match here.next().await.map_err(CopyError::Target)? {
            None => survey.missing_from = Some(position),
            Some(copied) => {
                if let Some(difference) = Difference::between(&record, &copied) {
                    return Err(difference.into());
                }
                if described_by(&record.event.stream).is_some() {
                    *survey.metadata_events.entry(record.event.stream).or_default() += 1;
                }
            }
        }
    }
    if survey.missing_from.is_none()
        && let Some(more) = here.next().await.map_err(CopyError::Target)?
    {
        return Err(Difference::beyond(&more).into());
    }
    survey.streams = streams.whole()?;
    survey.left_out = there.left_out;
    Ok(survey)
}

/// Whether each stream of the source has all its events, and shows them.
#[derive(Debug, Default)]
struct Streams {
    /// How many events each stream has.
    events: HashMap<String, u64>,
    /// What hides events of a stream.
    limits: BTreeMap<String, StreamLimits>,
}

impl Streams {
    fn take(&mut self, record: &Record) -> Result<(), CopyError> {
        let event = &record.event;
        if event.event_type == TOMBSTONE_TYPE {
            return Err(CopyError::Deleted { stream: event.stream.clone(), position: event.position.commit });
        }
        if let Some(stream) = described_by(&event.stream) {
            let limits = StreamLimits::in_metadata(&event.data);
            if limits.is_none() {
                self.limits.remove(stream);
            } else {
                self.limits.insert(stream.to_owned(), limits);
            }
            return Ok(());
        }
        let next = match self.events.get_mut(&event.stream) {
            Some(next) => next,
            None => self.events.entry(event.stream.clone()).or_default(),
        };
        if event.revision != *next {
            return Err(CopyError::Gap { stream: event.stream.clone(), expected: *next, found: event.revision });
        }
        *next += 1;
        Ok(())
    }

    /// The number of streams, if each is visible as a whole.
    fn whole(self) -> Result<usize, CopyError> {
        let others = self.limits.len().saturating_sub(1);
        match self.limits.into_iter().next() {
            Some((stream, limits)) => Err(CopyError::Hidden { stream, limits, others }),
            None => Ok(self.events.len()),
        }
    }
}
