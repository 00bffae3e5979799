//! The positions of an embedded node's log that are empty because a scavenge removed their events.
//!
//! A node's positions have no other gaps, and the log records each removal. The log of a server has
//! no such records.

use std::ops::{Range, RangeInclusive};

use event_store_protocol::link::link_target;
use event_store_protocol::scavenge::{Removed, SCAVENGES, recorded};

use super::error::ReadError;
use super::store::EventStore;
use super::types::RecordedEvent;

/// Positions whose events a scavenge removed. Needs 16 bytes for each run of them.
#[derive(Debug, Clone, Default)]
pub struct Gaps {
    /// First and last position of each run, in order. Between two runs there are positions with
    /// events.
    runs: Vec<(u64, u64)>,
    recorded_at: u64,
}

/// Events of one stream that a scavenge removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The stream.
    pub stream: String,
    /// Their revisions.
    pub revisions: RangeInclusive<u64>,
    /// First and last of each run of their positions.
    pub positions: Vec<(u64, u64)>,
    /// The stream of the scavenge.
    pub scavenge: String,
    /// The position of its record.
    pub recorded_at: u64,
}

impl Gaps {
    fn of(mut runs: Vec<(u64, u64)>, recorded_at: u64) -> Self {
        runs.sort_unstable();
        runs.dedup_by(|next, run| {
            let joins = next.0 <= run.1.saturating_add(1);
            if joins {
                run.1 = run.1.max(next.1);
            }
            joins
        });
        Self { runs, recorded_at }
    }

    /// Whether all of these positions are empty.
    pub fn cover(&self, positions: Range<u64>) -> bool {
        positions.is_empty() || self.run_at(positions.start).is_some_and(|(_, last)| last >= positions.end - 1)
    }

    /// The last position with an event, up to this position.
    pub fn last_outside(&self, position: u64) -> Option<u64> {
        let outside = self.run_at(position).map_or(position, |(first, _)| first.saturating_sub(1));
        (outside > 0).then_some(outside)
    }

    /// The position of the last record.
    pub fn recorded_at(&self) -> u64 {
        self.recorded_at
    }

    fn run_at(&self, position: u64) -> Option<(u64, u64)> {
        let after = self.runs.partition_point(|(first, _)| *first <= position);
        let (first, last) = *self.runs.get(after.checked_sub(1)?)?;
        (position <= last).then_some((first, last))
    }
}

impl EventStore {
    /// The positions that scavenges have emptied. None for a server.
    pub async fn gaps(&self) -> Result<Gaps, ReadError> {
        let (mut runs, mut recorded_at) = (Vec::new(), 0);
        self.each_removal(|Removal { positions, recorded_at: at, .. }| {
            recorded_at = recorded_at.max(at);
            runs.extend(positions);
        })
        .await?;
        Ok(Gaps::of(runs, recorded_at))
    }

    /// What scavenges have removed, in the order of the removals. Nothing for a server, which does
    /// not record it.
    pub async fn each_removal(&self, mut take: impl FnMut(Removal)) -> Result<(), ReadError> {
        let mut streams = Vec::new();
        let link = |link: RecordedEvent| {
            streams.extend(first_event_in(&link));
            true
        };
        self.each_while(SCAVENGES, link).await?;
        for scavenge in streams {
            let record = |record: RecordedEvent| {
                for Removed { stream, from_revision, to_revision, positions } in
                    recorded(&scavenge, &record.event_type, &record.data)
                {
                    let (scavenge, recorded_at) = (scavenge.clone(), record.position.commit);
                    take(Removal { stream, revisions: from_revision..=to_revision, positions, scavenge, recorded_at });
                }
                true
            };
            self.each_while(&scavenge, record).await?;
        }
        Ok(())
    }
}

/// The stream to whose first event this is a link. A scavenge's stream begins with an event that
/// has such a link.
fn first_event_in(link: &RecordedEvent) -> Option<String> {
    let (revision, stream) = link_target(&link.data)?;
    (revision == 0).then(|| stream.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_covered_only_as_a_whole() {
        let gaps = Gaps::of(vec![(7, 7), (1, 2), (3, 3), (9, 12)], 20);
        assert!(gaps.cover(1..4) && gaps.cover(2..3) && gaps.cover(7..8) && gaps.cover(9..13) && gaps.cover(5..5));
        assert!(!gaps.cover(1..5) && !gaps.cover(4..5) && !gaps.cover(7..10) && !gaps.cover(12..14));
    }

    #[test]
    fn the_last_event_before_a_gap_is_found() {
        let gaps = Gaps::of(vec![(1, 2), (5, 8)], 9);
        assert_eq!(gaps.last_outside(10), Some(10));
        assert_eq!(gaps.last_outside(8), Some(4));
        assert_eq!(gaps.last_outside(3), Some(3));
        assert_eq!(gaps.last_outside(2), None);
    }
}
