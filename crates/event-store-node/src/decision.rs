//! Whether an append is written, repeats an earlier one, or is refused: `EventStoreDB`'s rules, as
//! a pure function.
//!
//! An append that names a revision is compared with the events after that revision: the same ids at
//! the same revisions are the same append. An append that names no revision is looked up by its
//! ids. The server keeps only recent ids in memory. The node knows all ids of a stream, so it
//! recognises a repeat however late it arrives.

use uuid::Uuid;

/// The state of the stream that the writer expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    Any,
    NoStream,
    StreamExists,
    Revision(u64),
}

/// The actual state of the stream.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    /// The last revision. `None`: the stream has no events.
    pub(crate) last: Option<u64>,
    /// Deleted, but may be written again, from the next revision on.
    pub(crate) soft_deleted: bool,
    /// Deleted for good.
    pub(crate) tombstoned: bool,
    /// The stream has metadata, although it has no events. Not looked up if it has events.
    pub(crate) has_metadata: bool,
}

impl Standing {
    pub(crate) fn never_was(self) -> bool {
        self.last.is_none() && !self.has_metadata
    }
}

/// The events of the stream.
pub(crate) trait History {
    type Error;
    fn id_at(&self, revision: u64) -> Result<Option<Uuid>, Self::Error>;
    fn revision_of(&self, id: Uuid) -> Result<Option<u64>, Self::Error>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Write,
    /// The append was made before, and ends at this revision.
    Repeated {
        last: u64,
    },
    WrongExpectedRevision,
    Deleted,
}

pub(crate) fn decide<H: History>(
    expected: Expected,
    standing: Standing,
    ids: &[Uuid],
    history: &H,
) -> Result<Decision, H::Error> {
    if standing.tombstoned {
        return Ok(Decision::Deleted);
    }
    match expected {
        Expected::StreamExists if standing.soft_deleted => Ok(Decision::Deleted),
        Expected::StreamExists if standing.never_was() => Ok(Decision::WrongExpectedRevision),
        Expected::StreamExists | Expected::Any => by_id(ids, history),
        Expected::NoStream | Expected::Revision(_) => by_revision(expected, standing, ids, history),
    }
}

fn by_id<H: History>(ids: &[Uuid], history: &H) -> Result<Decision, H::Error> {
    let mut last = None;
    for id in ids {
        match (history.revision_of(*id)?, last) {
            (Some(revision), _) => last = Some(revision),
            (None, None) => return Ok(Decision::Write),
            // Only some of the events exist, so this append was never made as a whole.
            (None, Some(_)) => return Ok(Decision::WrongExpectedRevision),
        }
    }
    Ok(last.map_or(Decision::Write, |last| Decision::Repeated { last }))
}

fn by_revision<H: History>(
    expected: Expected,
    standing: Standing,
    ids: &[Uuid],
    history: &H,
) -> Result<Decision, H::Error> {
    let expected = if let Expected::Revision(revision) = expected { Some(revision) } else { None };
    if expected == standing.last {
        return Ok(Decision::Write);
    }
    if expected > standing.last {
        return Ok(Decision::WrongExpectedRevision);
    }
    let first = expected.map_or(0, |revision| revision + 1);
    let mut next = first;
    for id in ids {
        if history.id_at(next)? != Some(*id) {
            let starts_again = next == first && expected.is_none() && standing.soft_deleted;
            return Ok(if starts_again { Decision::Write } else { Decision::WrongExpectedRevision });
        }
        next += 1;
    }
    Ok(if next == first { Decision::WrongExpectedRevision } else { Decision::Repeated { last: next - 1 } })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    impl History for Vec<Uuid> {
        type Error = Infallible;

        fn id_at(&self, revision: u64) -> Result<Option<Uuid>, Infallible> {
            Ok(usize::try_from(revision).ok().and_then(|index| self.get(index)).copied())
        }

        fn revision_of(&self, id: Uuid) -> Result<Option<u64>, Infallible> {
            Ok(self.iter().rposition(|other| *other == id).map(|index| index as u64))
        }
    }

    fn ids(numbers: &[u128]) -> Vec<Uuid> {
        numbers.iter().copied().map(Uuid::from_u128).collect()
    }

    fn decided(expected: Expected, there: &[u128], new: &[u128]) -> Decision {
        let standing = Standing { last: (there.len() as u64).checked_sub(1), ..Standing::default() };
        decide(expected, standing, &ids(new), &ids(there)).unwrap()
    }

    #[test]
    fn an_append_with_the_right_expectation_is_written() {
        assert_eq!(decided(Expected::NoStream, &[], &[1]), Decision::Write);
        assert_eq!(decided(Expected::Any, &[], &[1]), Decision::Write);
        assert_eq!(decided(Expected::Any, &[1], &[2]), Decision::Write);
        assert_eq!(decided(Expected::StreamExists, &[1], &[2]), Decision::Write);
        assert_eq!(decided(Expected::Revision(1), &[1, 2], &[3]), Decision::Write);
    }

    #[test]
    fn an_append_with_a_wrong_expectation_is_refused() {
        for (expected, there) in [
            (Expected::NoStream, &[1][..]),
            (Expected::StreamExists, &[]),
            (Expected::Revision(0), &[]),
            (Expected::Revision(1), &[1]),
            (Expected::Revision(0), &[1, 2]),
            (Expected::Revision(u64::MAX), &[1]),
        ] {
            assert_eq!(decided(expected, there, &[9]), Decision::WrongExpectedRevision, "{expected:?} on {there:?}");
        }
    }

    #[test]
    fn a_repeated_append_is_recognised_by_its_ids_at_their_revisions() {
        assert_eq!(decided(Expected::NoStream, &[1, 2, 3], &[1, 2]), Decision::Repeated { last: 1 });
        assert_eq!(decided(Expected::Revision(0), &[1, 2, 3], &[2, 3]), Decision::Repeated { last: 2 });
        assert_eq!(decided(Expected::Any, &[1, 2, 3], &[2, 3]), Decision::Repeated { last: 2 });
        assert_eq!(decided(Expected::StreamExists, &[1, 2, 3], &[1]), Decision::Repeated { last: 0 });
    }

    #[test]
    fn an_append_of_which_only_a_part_exists_is_refused() {
        assert_eq!(decided(Expected::NoStream, &[1, 2], &[1, 9]), Decision::WrongExpectedRevision);
        assert_eq!(decided(Expected::NoStream, &[1], &[1, 2]), Decision::WrongExpectedRevision);
        assert_eq!(decided(Expected::Any, &[1], &[1, 2]), Decision::WrongExpectedRevision);
    }

    #[test]
    fn an_append_without_events_is_no_repeat() {
        assert_eq!(decided(Expected::Any, &[1], &[]), Decision::Write);
        assert_eq!(decided(Expected::Revision(0), &[1], &[]), Decision::Write);
        assert_eq!(decided(Expected::NoStream, &[1], &[]), Decision::WrongExpectedRevision);
    }

    #[test]
    fn a_deleted_stream_may_be_written_again_and_a_tombstoned_one_may_not() {
        let there = ids(&[1]);
        let deleted = Standing { last: Some(0), soft_deleted: true, has_metadata: true, tombstoned: false };
        for expected in [Expected::NoStream, Expected::Any, Expected::Revision(0)] {
            assert_eq!(decide(expected, deleted, &ids(&[2]), &there).unwrap(), Decision::Write, "{expected:?}");
        }
        assert_eq!(decide(Expected::StreamExists, deleted, &ids(&[2]), &there).unwrap(), Decision::Deleted);
        let tombstoned = Standing { tombstoned: true, ..deleted };
        assert_eq!(decide(Expected::Any, tombstoned, &ids(&[2]), &there).unwrap(), Decision::Deleted);
    }
}
