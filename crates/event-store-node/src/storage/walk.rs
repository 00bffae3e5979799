//! Checks that every row of a log agrees with its events.
//!
//! Each event must be named by its index rows, which are found by key. If a keyspace has more rows
//! than events, its rows are checked for those that lead to no event.

use std::fmt::Display;

use event_store_protocol::metadata::{described_by, metadata_stream_of};
use event_store_protocol::scavenge::Removed;
use fjall::{Keyspace, Readable};
use prost::Message;

use super::event::TOMBSTONE_REVISION;
use super::removed::recorded_by;
use super::report::CheckReport;
use super::{Event, StorageError, StoredLimits, StoredStream, View, keys};

/// Checks some events of a log that is being opened. Fails if any row disagrees with one of them.
pub(super) fn verify_events(view: &View<'_>, positions: impl Iterator<Item = u64>) -> Result<(), StorageError> {
    let mut report = CheckReport::default();
    let mut walk = Walk::new(view, &mut report);
    for position in positions {
        let Some(event) = walk.event(position) else { continue };
        if let Ok(Some(stream)) = view.stream(&event.record.stream) {
            walk.stream(&event.record.stream, stream);
        }
    }
    report.problems.into_iter().next().map_or(Ok(()), |problem| Err(StorageError::Damaged(problem)))
}

/// The walk through all rows of a log.
pub(super) struct Walk<'a, 'b> {
    view: &'a View<'b>,
    report: &'a mut CheckReport,
    /// Rows that are accounted for: named by an event, or by the last event of a metadata stream.
    positions_named: u64,
    ids_named: u64,
    limits_named: u64,
    /// Positions that scavenges recorded as removed.
    recorded: u64,
    /// How many revisions the streams have had. Streams that are deleted for good do not count: a
    /// copy made after a scavenge does not know how many revisions those had.
    revisions_due: u64,
    /// How many of these are recorded as removed.
    revisions_recorded: u64,
}

impl<'a, 'b> Walk<'a, 'b> {
    fn new(view: &'a View<'b>, report: &'a mut CheckReport) -> Self {
        Self {
            view,
            report,
            positions_named: 0,
            ids_named: 0,
            limits_named: 0,
            recorded: 0,
            revisions_due: 0,
            revisions_recorded: 0,
        }
    }
}

impl Walk<'_, '_> {
    pub(super) fn through(view: &View<'_>, report: &mut CheckReport) -> Result<(), StorageError> {
        report.last_position = view.last_position()?;
        let mut walk = Walk::new(view, report);
        for position in 1..=walk.report.last_position {
            walk.event(position);
            if walk.report.gave_up {
                return Ok(());
            }
        }
        walk.streams();
        walk.revisions();
        walk.ids();
        walk.limits();
        walk.removed();
        Ok(())
    }

    /// Checks an event, and the rows that should name it.
    fn event(&mut self, position: u64) -> Option<Event> {
        let event = match self.view.event(position) {
            Ok(Some(event)) => event,
            Ok(None) => {
                return match self.view.is_removed(position) {
                    Ok(true) => None,
                    Ok(false) => self.fault(format_args!("position {position}"), "the event is missing"),
                    Err(error) => self.fault(format_args!("position {position}"), error),
                };
            }
            Err(error) => return self.fault(format_args!("position {position}"), error),
        };
        self.report.events += 1;
        let record = &event.record;
        let place = format!("position {position}, revision {} of {:?}", record.revision, record.stream);
        match self.named_by(&event) {
            Ok(Some(fault)) => self.report.note(place, fault),
            Ok(None) => {}
            Err(error) => self.report.note(place, error),
        }
        self.record(&event);
        Some(event)
    }

    /// Every event that this event records as removed must be marked as removed, and be gone.
    fn record(&mut self, event: &Event) {
        let removed = recorded_by(event);
        for Removed { stream, from_revision, to_revision, .. } in &removed {
            let is_live = self.view.stream(stream).is_ok_and(|found| found.is_some_and(|found| !found.tombstoned));
            self.revisions_recorded += if is_live { (to_revision + 1).saturating_sub(*from_revision) } else { 0 };
        }
        for position in removed.iter().flat_map(Removed::each_position) {
            self.recorded += 1;
            let fault = match (self.view.is_removed(position), self.view.event(position)) {
                (Err(error), _) | (_, Err(error)) => error.to_string(),
                (Ok(true), Ok(None)) => continue,
                _ => format!(
                    "position {} records that a scavenge removed it, but it is not marked as removed, or still there",
                    event.position
                ),
            };
            self.report.note(format_args!("position {position}"), fault);
        }
    }

    /// Every row must be recorded by a scavenge. The recorded positions were checked already, so it
    /// is enough to compare the counts.
    fn removed(&mut self) {
        let rows = self.rows("removed", &self.view.keyspaces.removed, |_, _, _| Ok(None)).unwrap_or(0);
        self.report.removed = rows;
        if rows > self.recorded {
            let unaccounted = rows - self.recorded;
            self.report.note(
                "removed",
                format_args!(
                    "{unaccounted} events are missing without the record of a scavenge; if a backup was interrupted \
                     here, run it again: it adds the record"
                ),
            );
        }
    }

    /// What is wrong with the rows that should name an event.
    fn named_by(&mut self, event: &Event) -> Result<Option<String>, StorageError> {
        let Event { position, record } = event;
        let Some(stream) = self.view.stream(&record.stream)? else {
            return Ok(Some("the row of its stream is missing".into()));
        };
        if record.revision != TOMBSTONE_REVISION && stream.last_revision < Some(record.revision) {
            return Ok(Some("the row of its stream has an earlier last revision".into()));
        }
        match self.view.position_of(stream.number, record.revision)? {
            Some(named) if named == *position => self.positions_named += 1,
            Some(named) => return Ok(Some(format!("the row of its revision has position {named}"))),
            None => return Ok(Some("the row of its revision is missing".into())),
        }
        match self.view.revision_of(stream.number, &record.id)? {
            Some(named) if named == record.revision => self.ids_named += 1,
            // A stream may use an id again. The row has the last use.
            Some(later) if later > record.revision && self.has_id(stream.number, later, &record.id)? => {}
            Some(named) => return Ok(Some(format!("the row of its id has revision {named}"))),
            None => return Ok(Some("the row of its id is missing".into())),
        }
        Ok(None)
    }

    fn has_id(&self, number: u64, revision: u64, id: &[u8]) -> Result<bool, StorageError> {
        let position = self.view.position_of(number, revision)?;
        let event = position.map(|position| self.view.event(position)).transpose()?.flatten();
        Ok(event.is_some_and(|event| event.record.id == id))
    }

    fn streams(&mut self) {
        self.rows("streams", &self.view.keyspaces.streams, |walk, key, value| {
            walk.report.streams += 1;
            let name = String::from_utf8_lossy(key);
            walk.stream(&name, StoredStream::decode(value)?);
            Ok(None)
        });
    }

    fn stream(&mut self, name: &str, stream: StoredStream) {
        let fault = self.stream_fault(name, stream).unwrap_or_else(|error| Some(error.to_string()));
        if let Some(fault) = fault {
            self.report.note(format_args!("the stream {name:?}"), fault);
        }
    }

    fn stream_fault(&mut self, name: &str, stream: StoredStream) -> Result<Option<String>, StorageError> {
        let StoredStream { number, last_revision, tombstoned } = stream;
        let known = |revision| self.view.position_of(number, revision);
        let next = last_revision.map_or(0, |last| last.saturating_add(1));
        self.revisions_due += if tombstoned { 0 } else { next };
        let begins = match self.view.event(number)? {
            Some(first) => first.record.stream == name,
            None => self.view.is_removed(number)?,
        };
        if !begins {
            return Ok(Some(format!("its row has position {number} as its beginning, but it does not begin there")));
        }
        if last_revision.is_none() && !tombstoned {
            return Ok(Some("it has no events".into()));
        }
        if let Some(last) = last_revision
            && known(last)?.is_none()
            && !(tombstoned && self.view.has_removed()?)
        {
            return Ok(Some(format!("the row of its last revision, {last}, is missing")));
        }
        if next < TOMBSTONE_REVISION && known(next)?.is_some() {
            return Ok(Some(format!("it has revision {next}, but its row has an earlier last revision")));
        }
        if known(TOMBSTONE_REVISION)?.is_some() != tombstoned {
            return Ok(Some(if tombstoned {
                "its row marks it as deleted for good, but it has no tombstone".into()
            } else {
                "it has a tombstone, but its row does not mark it as deleted for good".into()
            }));
        }
        match (described_by(name), last_revision) {
            (Some(described), Some(last)) => self.metadata_fault(described, number, last),
            _ => Ok(None),
        }
    }

    /// Whether the stored limits of a stream differ from those in its metadata.
    fn metadata_fault(&mut self, described: &str, number: u64, last: u64) -> Result<Option<String>, StorageError> {
        let position = self.view.position_of(number, last)?;
        let event = position.map(|position| self.view.event(position)).transpose()?.flatten();
        let set = event.map(|event| StoredLimits::in_metadata(&event.record.data));
        let known = self.view.snapshot.get(&self.view.keyspaces.limits, described)?;
        let known = known.map(|value| StoredLimits::decode(&*value)).transpose()?;
        self.limits_named += u64::from(known.is_some());
        Ok((known != set).then(|| format!("its metadata sets {set:?} for {described:?}, but the log has {known:?}")))
    }

    /// The revisions of each stream: none may be missing, and each must come after the previous
    /// one.
    fn revisions(&mut self) {
        let mut before: Option<(u64, u64, u64)> = None;
        let may_miss = self.view.has_removed().unwrap_or(false);
        let (mut live, mut of_stream) = (0, 0);
        let rows = self.rows("revisions", &self.view.keyspaces.revisions, |_, key, value| {
            let (number, revision) = keys::pair_from(key)?;
            let position = keys::number_from(value)?;
            let same = before.filter(|(before, ..)| *before == number);
            of_stream = if same.is_some() { of_stream } else { 0 };
            if revision == TOMBSTONE_REVISION {
                live -= of_stream;
            } else {
                of_stream += 1;
                live += 1;
            }
            before = Some((number, revision, position));
            Ok(match same {
                // The earlier revisions were removed.
                None if may_miss && revision > 0 => None,
                None if position != number => Some("the stream does not begin at the position of its first revision"),
                None if ![0, TOMBSTONE_REVISION].contains(&revision) => Some("the stream's first revision is not 0"),
                Some((_, _, before)) if position <= before => {
                    Some("its position is not after that of the revision before")
                }
                Some((_, before, _)) if ![before.saturating_add(1), TOMBSTONE_REVISION].contains(&revision) => {
                    Some("the revision before it is missing")
                }
                _ => None,
            })
        });
        let (missing, recorded) = (self.revisions_due.saturating_sub(live), self.revisions_recorded);
        if may_miss && rows.is_some() && missing != recorded {
            let fault = format_args!("{missing} revisions are missing, of which scavenges removed {recorded}");
            self.report.note("revisions", fault);
        }
        if rows.is_some_and(|rows| rows > self.positions_named) {
            self.rows("revisions", &self.view.keyspaces.revisions, |walk, key, value| {
                let (number, revision) = keys::pair_from(key)?;
                let Some(Event { record, .. }) = walk.view.event(keys::number_from(value)?)? else {
                    return Ok(Some("it has a position without an event"));
                };
                let named = walk.view.stream(&record.stream)?.map(|stream| (stream.number, record.revision));
                Ok((named != Some((number, revision))).then_some("it has the position of another revision"))
            });
        }
    }

    fn ids(&mut self) {
        let rows = self.rows("ids", &self.view.keyspaces.ids, |_, _, _| Ok(None));
        if rows.is_some_and(|rows| rows > self.ids_named) {
            self.rows("ids", &self.view.keyspaces.ids, |walk, key, value| {
                let (number, id) = key.split_at_checked(8).unwrap_or((key, &[]));
                let is_there = walk.has_id(keys::number_from(number)?, keys::number_from(value)?, id)?;
                Ok((!is_there).then_some("it leads to an event that is missing or has another id"))
            });
        }
    }

    fn limits(&mut self) {
        let rows = self.rows("limits", &self.view.keyspaces.limits, |_, _, _| Ok(None));
        if rows.is_some_and(|rows| rows > self.limits_named) {
            self.rows("limits", &self.view.keyspaces.limits, |walk, key, _| {
                let metadata = walk.view.stream(&metadata_stream_of(&String::from_utf8_lossy(key)))?;
                let is_set = metadata.is_some_and(|metadata| metadata.last_revision.is_some());
                Ok((!is_set).then_some("no metadata sets it"))
            });
        }
    }

    /// Checks each row of a keyspace, and counts them. `None`: not all could be checked.
    fn rows(
        &mut self,
        name: &str,
        keyspace: &Keyspace,
        mut fault: impl FnMut(&mut Self, &[u8], &[u8]) -> Result<Option<&'static str>, StorageError>,
    ) -> Option<u64> {
        let mut rows = 0;
        let mut after = String::from("its beginning");
        for row in self.view.snapshot.iter(keyspace) {
            if self.report.gave_up {
                return None;
            }
            let (key, value) = match row.into_inner() {
                Ok(row) => row,
                Err(error) => {
                    let error = StorageError::from(error);
                    return self.fault(
                        format_args!("{name}, after {after}"),
                        format_args!("the next row cannot be read: {error}"),
                    );
                }
            };
            rows += 1;
            after = place_of(name, &key);
            match fault(self, &key, &value) {
                Ok(None) => {}
                Ok(Some(fault)) => self.report.note(format_args!("{name}, {after}"), fault),
                Err(error) => self.report.note(format_args!("{name}, {after}"), error),
            }
        }
        Some(rows)
    }

    fn fault<T>(&mut self, place: impl Display, fault: impl Display) -> Option<T> {
        self.report.note(place, fault);
        None
    }
}

/// A key in readable form.
fn place_of(keyspace: &str, key: &[u8]) -> String {
    match keyspace {
        "revisions" | "ids" => match key.split_first_chunk() {
            Some((number, rest)) => {
                let rest = match <[u8; 8]>::try_from(rest) {
                    Ok(revision) => format!("revision {}", u64::from_be_bytes(revision)),
                    Err(_) => format!("id {}", uuid::Uuid::from_slice(rest).unwrap_or_default()),
                };
                format!("{rest} of the stream that begins at position {}", u64::from_be_bytes(*number))
            }
            None => format!("{key:?}"),
        },
        _ => format!("{:?}", String::from_utf8_lossy(key)),
    }
}
