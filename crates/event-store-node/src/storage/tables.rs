//! A check of the engine's tables before the engine opens them.
//!
//! The rows of a keyspace are in tables, files that never change. A manifest lists the tables in
//! use, and the file `current` names the manifest. The engine compares the checksum of each block
//! of a table when it reads the block, but it trusts two things without a check. They are checked
//! here: the manifest, where one flipped bit could hide rows, or have tables deleted as leftovers;
//! and the number of sections in a file, for which the engine reserves memory before it compares a
//! checksum. Whole tables are read only when the log is checked.
//!
//! All numbers are little-endian, all checksums xxh3 of 128 bits.
//!
//! ```text
//! current    number of the manifest: u64, its checksum: u128, 0
//! vN         the manifest: sections, contents, trailer; in its section "tables":
//!            levels: u8, (runs: u8, (tables: u32, (number: u64, 0, checksum: u128, u64)…)…)…
//! tables/N   a table: sections, contents, trailer
//!
//! contents   "TOC!", sections: u32, (offset: u64, length: u64, length of the name: u16, name)…
//! trailer    "SFA!", 1, 0, checksum of the contents: u128, their offset: u64, their length: u64
//! ```

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes, TryGetError};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::StorageError;

const KEYSPACES: &str = "keyspaces";
/// The number of the keyspace `removed`, the seventh one. A log of an earlier version gets it when
/// it is opened.
const ADDED_LATER: &str = "7";
const CURRENT: &str = "current";
const TABLES: &str = "tables";
const TRAILER_BYTES: u64 = 38;
const TRAILER_START: &[u8] = b"SFA!\x01\x00";
const CONTENTS_START: &[u8] = b"TOC!";
/// A manifest takes about 40 bytes for each table, so this allows for very many tables.
const MAX_CONTENTS: u64 = 1 << 20;
const READ_AHEAD: usize = 256 << 10;

/// A table that is in use.
pub(super) struct Table {
    pub(super) path: PathBuf,
    checksum: u128,
}

/// Refuses what the engine would trust without a check. `is_used`: an append was acknowledged, so
/// every file must be complete.
pub(super) fn verify(folder: &Path, is_used: bool) -> Result<(), StorageError> {
    for keyspace in keyspaces(folder)? {
        for table in in_use(&keyspace, is_used)? {
            contents(&table.path)?;
        }
    }
    Ok(())
}

/// The folders of the keyspaces.
pub(super) fn keyspaces(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match folder.join(KEYSPACES).read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// The tables that a keyspace's manifest lists, after the manifest's checksum was compared.
pub(super) fn in_use(keyspace: &Path, is_used: bool) -> Result<Vec<Table>, StorageError> {
    let current = keyspace.join(CURRENT);
    let mut named = match std::fs::read(&current) {
        Ok(bytes) => Bytes::from(bytes),
        // The engine was killed while it created this keyspace, and will create it again.
        Err(error) if error.kind() == io::ErrorKind::NotFound && (!is_used || may_be_new(keyspace)) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(unreadable(&current, &error)),
    };
    let (number, checksum) =
        manifest_named(&mut named).map_err(|_| damaged(&current, "it does not name a manifest"))?;
    let path = keyspace.join(format!("v{number}"));
    let manifest =
        std::fs::read(&path).map_err(|error| damaged(&current, &format!("it names {}: {error}", path.display())))?;
    if xxh3_128(&manifest) != checksum {
        return Err(damaged(&path, &format!("its checksum differs from the one in {CURRENT:?}")));
    }
    let sections = contents(&path)?;
    let listed = tables_section(&Bytes::from(manifest), sections)
        .and_then(|section| tables_in(section, &keyspace.join(TABLES)))
        .map_err(|_| damaged(&path, "the manifest does not list its tables"))?;
    Ok(listed)
}

/// Whether this is the keyspace that earlier versions did not have, with nothing written to disk
/// yet.
fn may_be_new(keyspace: &Path) -> bool {
    keyspace.ends_with(ADDED_LATER)
        && keyspace.join(TABLES).read_dir().map_or(true, |mut tables| tables.next().is_none())
}

fn manifest_named(current: &mut Bytes) -> Result<(u64, u128), Malformed> {
    let (number, checksum, kind) = (current.try_get_u64_le()?, current.try_get_u128_le()?, current.try_get_u8()?);
    if kind == 0 && current.is_empty() { Ok((number, checksum)) } else { Err(Malformed) }
}

/// Bytes that should be a list are not one.
struct Malformed;

impl From<TryGetError> for Malformed {
    fn from(_: TryGetError) -> Self {
        Self
    }
}

fn tables_section(manifest: &Bytes, mut contents: Bytes) -> Result<Bytes, Malformed> {
    for _ in 0..contents.try_get_u32_le()? {
        let (offset, length) = (contents.try_get_u64_le()?, contents.try_get_u64_le()?);
        let name_length = usize::from(contents.try_get_u16_le()?);
        if contents.len() < name_length {
            return Err(Malformed);
        }
        if contents.split_to(name_length) == *TABLES {
            let (Ok(offset), Ok(length)) = (usize::try_from(offset), usize::try_from(length)) else {
                return Err(Malformed);
            };
            let end = offset.checked_add(length).filter(|end| *end <= manifest.len()).ok_or(Malformed)?;
            return Ok(manifest.slice(offset..end));
        }
    }
    Err(Malformed)
}

fn tables_in(mut section: Bytes, folder: &Path) -> Result<Vec<Table>, Malformed> {
    let mut tables = Vec::new();
    for _level in 0..section.try_get_u8()? {
        for _run in 0..section.try_get_u8()? {
            for _table in 0..section.try_get_u32_le()? {
                let number = section.try_get_u64_le()?;
                if section.try_get_u8()? != 0 {
                    return Err(Malformed);
                }
                let checksum = section.try_get_u128_le()?;
                let _sequence_number = section.try_get_u64_le()?;
                tables.push(Table { path: folder.join(number.to_string()), checksum });
            }
        }
    }
    Ok(tables)
}

/// The list of a file's sections, after its checksum was compared.
fn contents(path: &Path) -> Result<Bytes, StorageError> {
    let read = || {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let Some(end) = length.checked_sub(TRAILER_BYTES) else { return Ok(None) };
        let mut trailer = Bytes::from(read_at(&mut file, end, TRAILER_BYTES)?);
        if trailer.split_to(TRAILER_START.len()) != TRAILER_START {
            return Ok(None);
        }
        let (checksum, offset, length) = (trailer.get_u128_le(), trailer.get_u64_le(), trailer.get_u64_le());
        if length > MAX_CONTENTS || offset.checked_add(length) != Some(end) {
            return Ok(None);
        }
        let mut contents = Bytes::from(read_at(&mut file, offset, length)?);
        if xxh3_128(&contents) != checksum || !contents.starts_with(CONTENTS_START) {
            return Ok(None);
        }
        contents.advance(CONTENTS_START.len());
        Ok(Some(contents))
    };
    let found = read().map_err(|error| unreadable(path, &error))?;
    found.ok_or_else(|| damaged(path, "the list of its contents, at its end, is missing or wrong"))
}

fn read_at(file: &mut File, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Table {
    /// Reads the whole table, compares its checksum, and returns its length.
    pub(super) fn verify(&self) -> Result<u64, StorageError> {
        let read = || {
            let mut file = File::open(&self.path)?;
            let mut hash = Xxh3::new();
            let mut buffer = vec![0; READ_AHEAD];
            let mut bytes = 0;
            loop {
                let length = file.read(&mut buffer)?;
                if length == 0 {
                    return Ok((bytes, hash.digest128()));
                }
                hash.update(&buffer[..length]);
                bytes += length as u64;
            }
        };
        match read().map_err(|error| unreadable(&self.path, &error))? {
            (bytes, checksum) if checksum == self.checksum => Ok(bytes),
            _ => Err(damaged(&self.path, "its checksum differs from the one in its manifest")),
        }
    }
}

fn damaged(path: &Path, fault: &str) -> StorageError {
    StorageError::Damaged(format!("{}: {fault}", path.display()))
}

fn unreadable(path: &Path, error: &io::Error) -> StorageError {
    damaged(path, &error.to_string())
}
