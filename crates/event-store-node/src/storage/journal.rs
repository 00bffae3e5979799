//! A check of the engine's journal before the engine opens it.
//!
//! The engine treats anything that it cannot read as the end of its journal, and cuts the journal
//! off there. That may be the torn end of a batch that was not acknowledged, or one flipped bit in
//! front of acknowledged batches. This check distinguishes the two: a torn end is cut off, and
//! damage is reported with its place and the journal left unchanged.
//!
//! A journal is a file `N.jnl` (format version 3): batches, then zeros up to its allocated size.
//! All numbers are little-endian.
//!
//! ```text
//! batch   start entry… end
//! start   1, count of entries: u32, sequence number: u64
//! entry   item or clear
//! item    2, kind: u8, compression: u8, keyspace: u64, key length: u16, value length: u32,
//!         stored length: u32, key, stored value
//! clear   4, keyspace: u64
//! end     3, xxh3 of the entries: u64, "FJL" 3
//! ```

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use tracing::warn;
use xxhash_rust::xxh3::Xxh3;

use super::StorageError;

/// The first keyspace that is created. Each of our batches sets a key in it to the position of the
/// batch's last event.
pub(super) const HEAD_KEYSPACE: u64 = 1;
pub(super) const HEAD_KEY: &[u8; 4] = b"head";
/// The second keyspace that is created.
const EVENTS_KEYSPACE: u64 = 2;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
/// The kind of an item that sets a value. Other kinds remove one.
const VALUE: u8 = 0;
const TRAILER: [u8; 4] = *b"FJL\x03";
/// There are only a few keyspaces. A larger number is not the number of a keyspace.
const MAX_KEYSPACE: u64 = 1 << 16;
/// The engine numbers its batches, and occasionally uses numbers in between.
const MAX_GAP: u64 = 1 << 20;
const READ_AHEAD: usize = 256 << 10;

/// How much of the log is known to be acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acknowledged {
    /// At least everything up to this position.
    AtLeast(u64),
    /// Everything up to this position, and nothing after it: later batches are removed. A batch
    /// whose write failed may look complete until the system restarts, and be torn afterwards.
    Exactly(u64),
}

impl Acknowledged {
    pub(super) fn position(self) -> u64 {
        let (Self::AtLeast(position) | Self::Exactly(position)) = self;
        position
    }
}

/// What was repaired in the journals, and what they hold.
#[derive(Default)]
pub(super) struct Repairs {
    pub(super) cut: Vec<Cut>,
    /// The positions of the first batch. No checksum covers the batch's number, and with a wrong
    /// number the engine would skip the batch. So after opening, the log is checked for these
    /// positions.
    pub(super) first: Range<u64>,
    /// The last journal, and where its last complete batch ends.
    end: Option<(PathBuf, u64)>,
}

impl Repairs {
    /// The refusal of a log that ends before the acknowledged position, with the place where the
    /// rest should follow.
    pub(super) fn falls_short(&self, last: u64, acknowledged: u64) -> StorageError {
        let fault = format!("the log ends with position {last}, but {acknowledged} was acknowledged");
        match &self.end {
            Some((journal, end)) => damaged(journal, *end, &fault),
            None => StorageError::Damaged(format!("{fault}, and there is no journal")),
        }
    }
}

/// A part that was cut off.
#[derive(Debug)]
pub(super) struct Cut {
    journal: PathBuf,
    end: u64,
    length: u64,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { journal, end, length } = self;
        let journal = journal.display();
        write!(f, "{journal}: cut off at byte {end} of {length}: a batch follows that was never acknowledged")
    }
}

/// Cuts off a torn end. Fails if an acknowledged batch is damaged or missing.
pub(super) fn repair(folder: &Path, acknowledged: Acknowledged) -> Result<Repairs, StorageError> {
    let journals = journals(folder)?;
    let acknowledged_position = acknowledged.position();
    let limit = if let Acknowledged::Exactly(position) = acknowledged { position } else { u64::MAX };
    let mut repairs = Repairs::default();
    let mut last = Last::default();
    for (index, path) in journals.iter().enumerate() {
        let survey = survey(path, last, limit)?;
        last = survey.last;
        repairs.end = Some((path.clone(), survey.whole));
        if repairs.first.is_empty() {
            repairs.first = survey.first;
        }
        let is_last = index + 1 == journals.len();
        let falls_short = is_last && last.head.is_some_and(|head| head < acknowledged_position);
        match survey.rest {
            Rest::Nothing if falls_short => {
                let head = last.head.unwrap_or(0);
                let fault =
                    format!("the journal ends with position {head}, but {acknowledged_position} was acknowledged");
                return Err(damaged(path, survey.whole, &fault));
            }
            Rest::Nothing => {}
            Rest::Unwanted => repairs.cut.push(cut(path, survey.whole)?),
            Rest::Torn(_) if is_last && !falls_short && !more_follows(path, survey.whole)? => {
                repairs.cut.push(cut(path, survey.whole)?);
            }
            Rest::Torn(fault) => return Err(damaged(path, survey.whole, fault)),
        }
    }
    Ok(repairs)
}

/// The journals, oldest first.
fn journals(folder: &Path) -> Result<Vec<PathBuf>, StorageError> {
    let mut found = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let number = path.file_stem().and_then(|name| name.to_str()).and_then(|name| name.parse::<u64>().ok());
        if let Some(number) = number.filter(|_| path.extension().is_some_and(|extension| extension == "jnl")) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// The content of a journal.
struct Survey {
    /// Where its last complete batch ends.
    whole: u64,
    /// The positions of its first batch with events.
    first: Range<u64>,
    last: Last,
    rest: Rest,
}

/// The end of the batches so far.
#[derive(Debug, Clone, Copy, Default)]
struct Last {
    /// `None` until a batch has a position.
    head: Option<u64>,
    sequence_number: Option<u64>,
}

enum Rest {
    /// Nothing, or zeros.
    Nothing,
    /// A batch that has to be removed.
    Unwanted,
    /// Bytes that are no batch, and the reason.
    Torn(&'static str),
}

fn survey(path: &Path, mut last: Last, most: u64) -> Result<Survey, StorageError> {
    let mut reader = BufReader::with_capacity(READ_AHEAD, File::open(path)?);
    let mut whole = 0;
    let mut first = Range::default();
    let rest = loop {
        let batch = match next_batch(&mut reader) {
            Ok(Some(batch)) => batch,
            Ok(None) => break Rest::Nothing,
            Err(Fault::Torn(reason)) => break Rest::Torn(reason),
            Err(Fault::Io(error)) => return Err(error.into()),
        };
        if batch.head.is_some_and(|head| head > most) {
            break Rest::Unwanted;
        }
        // The checksum of a batch does not cover its number.
        if last.sequence_number.is_some_and(|last| {
            !(last.saturating_add(1)..last.saturating_add(MAX_GAP)).contains(&batch.sequence_number)
        }) {
            break Rest::Torn("a batch has a number out of order");
        }
        whole += batch.bytes;
        if let Some(head) = batch.head.filter(|_| first.is_empty()) {
            first = (head + 1).saturating_sub(batch.events)..head + 1;
        }
        last = Last { head: batch.head.or(last.head), sequence_number: Some(batch.sequence_number) };
    };
    Ok(Survey { whole, first, last, rest })
}

/// Whether a complete batch follows somewhere after bytes that are no batch. Each batch is on disk
/// before the next is begun, so everything before a complete batch was complete once.
fn more_follows(path: &Path, torn: u64) -> Result<bool, StorageError> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(torn))?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    let starts = rest.iter().enumerate().skip(1).filter(|(_, byte)| **byte == START);
    Ok(starts.into_iter().any(|(at, _)| matches!(next_batch(&mut &rest[at..]), Ok(Some(_)))))
}

fn cut(path: &Path, end: u64) -> Result<Cut, StorageError> {
    let file = OpenOptions::new().write(true).open(path)?;
    let length = file.metadata()?.len();
    file.set_len(end)?;
    file.sync_all()?;
    warn!(journal = %path.display(), end, length, "cut a batch off the journal that was never acknowledged");
    Ok(Cut { journal: path.into(), end, length })
}

fn damaged(path: &Path, offset: u64, fault: &str) -> StorageError {
    StorageError::Damaged(format!("{}, byte {offset}: {fault}", path.display()))
}

struct Batch {
    bytes: u64,
    sequence_number: u64,
    head: Option<u64>,
    events: u64,
}

enum Fault {
    Torn(&'static str),
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Torn("a batch has no end"),
            _ => Self::Io(error),
        }
    }
}

/// Reads the next batch. `None`: nothing follows.
fn next_batch(reader: &mut impl Read) -> Result<Option<Batch>, Fault> {
    let mut tag = [0];
    if reader.read(&mut tag)? == 0 {
        return Ok(None);
    }
    match tag[0] {
        START => {}
        0 if only_zeros(reader)? => return Ok(None),
        _ => return Err(Fault::Torn("no batch begins here")),
    }
    let mut entries = Entries { reader, hash: Xxh3::new(), bytes: 1, head: None, events: 0 };
    let count = u32::from_le_bytes(entries.unhashed()?);
    let sequence_number = u64::from_le_bytes(entries.unhashed()?);
    for _ in 0..count {
        entries.next()?;
    }
    let expected = entries.hash.digest();
    if entries.unhashed()? != [END] {
        return Err(Fault::Torn("a batch has more entries than its header states"));
    }
    if u64::from_le_bytes(entries.unhashed()?) != expected {
        return Err(Fault::Torn("the checksum of a batch is wrong"));
    }
    if entries.unhashed()? != TRAILER {
        return Err(Fault::Torn("a batch has no end"));
    }
    let Entries { bytes, head, events, .. } = entries;
    Ok(Some(Batch { bytes, sequence_number, head, events }))
}

/// A journal is allocated large and filled gradually, so there may be many zeros.
fn only_zeros(reader: &mut impl Read) -> io::Result<bool> {
    let zeros = vec![0; READ_AHEAD];
    let mut buffer = vec![0; READ_AHEAD];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(true),
            length if buffer[..length] != zeros[..length] => return Ok(false),
            _ => {}
        }
    }
}

/// The entries of one batch, hashed as they are read. No memory is reserved for a length before its
/// bytes are read.
struct Entries<'a, R> {
    reader: &'a mut R,
    hash: Xxh3,
    bytes: u64,
    head: Option<u64>,
    events: u64,
}

impl<R: Read> Entries<'_, R> {
    fn next(&mut self) -> Result<(), Fault> {
        match self.hashed::<1>()? {
            [ITEM] => self.item(),
            [CLEAR] => self.keyspace().map(drop),
            _ => Err(Fault::Torn("a batch has fewer entries than its header states, or no entry in their place")),
        }
    }

    fn item(&mut self) -> Result<(), Fault> {
        let [kind, compression] = self.hashed()?;
        let keyspace = self.keyspace()?;
        let key_length = u16::from_le_bytes(self.hashed()?);
        let value_length = u32::from_le_bytes(self.hashed()?);
        let stored_length = u32::from_le_bytes(self.hashed()?);
        if compression == 0 && value_length != stored_length {
            return Err(Fault::Torn("an entry has two lengths"));
        }
        if keyspace == HEAD_KEYSPACE && usize::from(key_length) == HEAD_KEY.len() && stored_length == 8 {
            let is_head = self.hashed()? == *HEAD_KEY;
            let position = u64::from_be_bytes(self.hashed()?);
            self.head = if is_head { Some(position) } else { self.head };
            return Ok(());
        }
        self.events += u64::from(keyspace == EVENTS_KEYSPACE && kind == VALUE);
        self.pass(u64::from(key_length) + u64::from(stored_length))
    }

    fn keyspace(&mut self) -> Result<u64, Fault> {
        match u64::from_le_bytes(self.hashed()?) {
            keyspace if keyspace < MAX_KEYSPACE => Ok(keyspace),
            _ => Err(Fault::Torn("an entry names a keyspace that cannot exist")),
        }
    }

    fn pass(&mut self, mut length: u64) -> Result<(), Fault> {
        let mut buffer = [0; 8192];
        while length > 0 {
            let chunk = &mut buffer[..usize::try_from(length).unwrap_or(usize::MAX).min(8192)];
            self.reader.read_exact(chunk)?;
            self.hash.update(chunk);
            self.bytes += chunk.len() as u64;
            length -= chunk.len() as u64;
        }
        Ok(())
    }

    fn hashed<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let bytes = self.unhashed()?;
        self.hash.update(&bytes);
        Ok(bytes)
    }

    fn unhashed<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        self.bytes += N as u64;
        Ok(bytes)
    }
}
