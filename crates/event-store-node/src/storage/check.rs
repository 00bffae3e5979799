//! Whether a log is whole, and everything in it agrees with its events.
//!
//! Three looks, each of which takes the same memory however long the log is: whole tables are read and compared with their
//! checksums; the log is opened, which looks at the journal; then every row is looked at. Each event must be named by the
//! rows that lead to it, found by their keys; where a keyspace then has more rows than events, those that lead to nothing
//! are looked for too.

use std::fmt::Display;
use std::path::Path;
use std::time::Instant;

use event_store_protocol::metadata::{described_by, metadata_stream_of};
use event_store_protocol::scavenge::Removed;
use fjall::{Keyspace, Readable};
use prost::Message;

use super::event::TOMBSTONE_REVISION;
use super::journal::Acknowledged;
use super::removed::recorded_by;
use super::{
    Event, Storage, StorageError, StoredLimits, StoredStream, View, acknowledged, guarded, is_made, keys, lock, tables,
};

/// Problems that are told. A log with so many has more, and nobody reads on.
const MAX_PROBLEMS: usize = 100;

/// What was found in a log.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct CheckReport {
    /// The last position. Positions begin with 1 and leave none out but those of removed events.
    pub last_position: u64,
    /// How many events there are.
    pub events: u64,
    /// How many events scavenges have removed.
    pub removed: u64,
    /// How many streams there are, those of metadata and deleted ones among them.
    pub streams: u64,
    /// How many tables the engine keeps.
    pub tables: u64,
    /// How long these are together.
    pub table_bytes: u64,
    /// What opening the log has mended, as it always does: the end of an append that nobody was told of.
    pub mended: Vec<String>,
    /// What is wrong, each with its place.
    pub problems: Vec<String>,
    /// There were so many that the rest was not looked at.
    pub gave_up: bool,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn note(&mut self, place: impl Display, fault: impl Display) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(format!("{place}: {fault}"));
        } else {
            self.gave_up = true;
        }
    }
}

/// Checks the log in a folder that no node is using. Changes nothing in it that opening would not change.
///
/// That the log is damaged is in the report; the error says why it could not be checked.
pub fn check_log(folder: &Path) -> Result<CheckReport, StorageError> {
    if !is_made(folder)? {
        return Err(StorageError::Missing);
    }
    let begun = Instant::now();
    let mut report = CheckReport::default();
    let acknowledged = acknowledged(folder)?;
    check_tables(folder, acknowledged, &mut report)?;
    match Storage::open_mended(folder, acknowledged) {
        Ok(storage) => {
            report.mended = storage.mended.cut.iter().map(ToString::to_string).collect();
            if let Err(error) = guarded(|| Walk::through(&storage.view(), &mut report)) {
                report.note("the log", error);
            }
        }
        Err(error) if error.is_damage() => report.note("on opening", error),
        Err(error) => return Err(error),
    }
    report.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(report)
}

fn check_tables(folder: &Path, acknowledged: Acknowledged, report: &mut CheckReport) -> Result<(), StorageError> {
    let _lock = lock(folder)?;
    let is_used = acknowledged.position() > 0;
    for keyspace in tables::keyspaces(folder)? {
        let in_use = match tables::in_use(&keyspace, is_used) {
            Ok(in_use) => in_use,
            Err(error) => {
                report.note("tables", error);
                continue;
            }
        };
        for table in in_use {
            match table.verify() {
                Ok(bytes) => {
                    report.tables += 1;
                    report.table_bytes += bytes;
                }
                Err(error) => report.note("tables", error),
            }
        }
    }
    Ok(())
}

/// Looks at some events of a log that is being opened, and refuses it if anything does not agree with one of them.
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

/// A way through all rows of a log.
struct Walk<'a, 'b> {
    view: &'a View<'b>,
    report: &'a mut CheckReport,
    /// Rows that are accounted for: by an event that they name, or by the last event of a metadata stream.
    positions_named: u64,
    ids_named: u64,
    limits_named: u64,
    /// Positions that scavenges recorded as removed.
    recorded: u64,
    /// How many revisions the streams have had. Without streams that are deleted for good: a copy made after a scavenge
    /// does not know how many those had.
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
    fn through(view: &View<'_>, report: &mut CheckReport) -> Result<(), StorageError> {
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

    /// An event, and the rows that should lead to it.
    fn event(&mut self, position: u64) -> Option<Event> {
        let event = match self.view.event(position) {
            Ok(Some(event)) => event,
            Ok(None) => {
                return match self.view.is_removed(position) {
                    Ok(true) => None,
                    Ok(false) => self.fault(format_args!("position {position}"), "there is no event"),
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

    /// What the event records as removed must be marked as such, and gone.
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
                _ => format!("position {} records that a scavenge removed it, but it did not", event.position),
            };
            self.report.note(format_args!("position {position}"), fault);
        }
    }

    /// Each row must be recorded by a scavenge: there are as many of them as the records name, and those were looked at.
    fn removed(&mut self) {
        let rows = self.rows("removed", &self.view.storage.removed, |_, _, _| Ok(None)).unwrap_or(0);
        self.report.removed = rows;
        if rows > self.recorded {
            let unaccounted = rows - self.recorded;
            self.report.note(
                "removed",
                format_args!(
                    "{unaccounted} events are missing without the record of a scavenge; a backup that was interrupted \
                     has the record once it is gone on with"
                ),
            );
        }
    }

    /// What is wrong with the rows that should lead to an event.
    fn named_by(&mut self, event: &Event) -> Result<Option<String>, StorageError> {
        let Event { position, record } = event;
        let Some(stream) = self.view.stream(&record.stream)? else {
            return Ok(Some("its stream is not known".into()));
        };
        if record.revision != TOMBSTONE_REVISION && stream.last_revision < Some(record.revision) {
            return Ok(Some("its stream is said to end before it".into()));
        }
        match self.view.position_of(stream.number, record.revision)? {
            Some(named) if named == *position => self.positions_named += 1,
            Some(named) => return Ok(Some(format!("its revision is said to be at position {named}"))),
            None => return Ok(Some("its revision is not known".into())),
        }
        match self.view.revision_of(stream.number, &record.id)? {
            Some(named) if named == record.revision => self.ids_named += 1,
            // An id may be used again in a stream. The last use is the one that is known.
            Some(later) if later > record.revision && self.has_id(stream.number, later, &record.id)? => {}
            Some(named) => return Ok(Some(format!("its id is said to be that of revision {named}"))),
            None => return Ok(Some("its id is not known".into())),
        }
        Ok(None)
    }

    fn has_id(&self, number: u64, revision: u64, id: &[u8]) -> Result<bool, StorageError> {
        let position = self.view.position_of(number, revision)?;
        let event = position.map(|position| self.view.event(position)).transpose()?.flatten();
        Ok(event.is_some_and(|event| event.record.id == id))
    }

    fn streams(&mut self) {
        self.rows("streams", &self.view.storage.streams, |walk, key, value| {
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
            return Ok(Some(format!("it is said to begin at position {number}, where it does not")));
        }
        if last_revision.is_none() && !tombstoned {
            return Ok(Some("it has no events".into()));
        }
        if let Some(last) = last_revision
            && known(last)?.is_none()
            && !(tombstoned && self.view.has_removed()?)
        {
            return Ok(Some(format!("its last revision, {last}, is not known")));
        }
        if next < TOMBSTONE_REVISION && known(next)?.is_some() {
            return Ok(Some(format!("it goes on after revision {next}, said to be beyond its last")));
        }
        if known(TOMBSTONE_REVISION)?.is_some() != tombstoned {
            return Ok(Some(format!("it is {}said to be deleted for good", if tombstoned { "" } else { "not " })));
        }
        match (described_by(name), last_revision) {
            (Some(described), Some(last)) => self.metadata_fault(described, number, last),
            _ => Ok(None),
        }
    }

    /// Whether what is known about the truncation of a stream is what its metadata says.
    fn metadata_fault(&mut self, described: &str, number: u64, last: u64) -> Result<Option<String>, StorageError> {
        let position = self.view.position_of(number, last)?;
        let event = position.map(|position| self.view.event(position)).transpose()?.flatten();
        let said = event.map(|event| StoredLimits::in_metadata(&event.record.data));
        let known = self.view.snapshot.get(&self.view.storage.limits, described)?;
        let known = known.map(|value| StoredLimits::decode(&*value)).transpose()?;
        self.limits_named += u64::from(known.is_some());
        Ok((known != said).then(|| format!("it says {said:?} about {described:?}, of which {known:?} is known")))
    }

    /// The revisions of each stream: none may be left out, and each must come after the one before it.
    fn revisions(&mut self) {
        let mut before: Option<(u64, u64, u64)> = None;
        let may_miss = self.view.has_removed().unwrap_or(false);
        let (mut live, mut of_stream) = (0, 0);
        let rows = self.rows("revisions", &self.view.storage.revisions, |_, key, value| {
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
                // What came before it was removed.
                None if may_miss && revision > 0 => None,
                None if position != number => Some("the first of a stream is not where the stream begins"),
                None if ![0, TOMBSTONE_REVISION].contains(&revision) => Some("the first of a stream is not 0"),
                Some((_, _, before)) if position <= before => Some("it comes before the one before it"),
                Some((_, before, _)) if ![before.saturating_add(1), TOMBSTONE_REVISION].contains(&revision) => {
                    Some("the one before it is missing")
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
            self.rows("revisions", &self.view.storage.revisions, |walk, key, value| {
                let (number, revision) = keys::pair_from(key)?;
                let Some(Event { record, .. }) = walk.view.event(keys::number_from(value)?)? else {
                    return Ok(Some("it names a position at which there is no event"));
                };
                let named = walk.view.stream(&record.stream)?.map(|stream| (stream.number, record.revision));
                Ok((named != Some((number, revision))).then_some("it names the event of another revision"))
            });
        }
    }

    fn ids(&mut self) {
        let rows = self.rows("ids", &self.view.storage.ids, |_, _, _| Ok(None));
        if rows.is_some_and(|rows| rows > self.ids_named) {
            self.rows("ids", &self.view.storage.ids, |walk, key, value| {
                let (number, id) = key.split_at_checked(8).unwrap_or((key, &[]));
                let is_there = walk.has_id(keys::number_from(number)?, keys::number_from(value)?, id)?;
                Ok((!is_there).then_some("it names an event that is not there or has another id"))
            });
        }
    }

    fn limits(&mut self) {
        let rows = self.rows("limits", &self.view.storage.limits, |_, _, _| Ok(None));
        if rows.is_some_and(|rows| rows > self.limits_named) {
            self.rows("limits", &self.view.storage.limits, |walk, key, _| {
                let metadata = walk.view.stream(&metadata_stream_of(&String::from_utf8_lossy(key)))?;
                let is_said = metadata.is_some_and(|metadata| metadata.last_revision.is_some());
                Ok((!is_said).then_some("no metadata says so"))
            });
        }
    }

    /// Looks at each row of a keyspace, and counts them. `None`: not all could be looked at.
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
                    return self
                        .fault(format_args!("{name}, after {after}"), format_args!("cannot be read on: {error}"));
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

/// A key, as a person can read it.
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
