//! The acknowledged position, in a separate file.
//!
//! It is written after each commit and before the acknowledgement, and never synced: a killed
//! process leaves the last write, and a power cut may leave an older one. So it states what is
//! acknowledged *at least*. That distinguishes a torn journal from one that lost its end.
//!
//! The file: the position, then its xxh3, both 8 bytes, big-endian.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

const FILE: &str = "acknowledged";

/// The position in the folder's mark. `None`: there is no mark, or its checksum is wrong.
pub(super) fn read(folder: &Path) -> io::Result<Option<u64>> {
    let bytes = match std::fs::read(folder.join(FILE)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some((position, rest)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
    Ok((rest == xxh3_64(position).to_be_bytes()).then(|| u64::from_be_bytes(*position)))
}

#[derive(Debug)]
pub(super) struct Mark {
    file: File,
}

impl Mark {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(FILE))?;
        Ok(Self { file })
    }

    pub(super) fn set(&mut self, position: u64) -> io::Result<()> {
        let position = position.to_be_bytes();
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&position);
        bytes[8..].copy_from_slice(&xxh3_64(&position).to_be_bytes());
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_and_a_torn_mark_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        let mut mark = Mark::open(folder.path()).unwrap();
        mark.set(3).unwrap();
        mark.set(70_000).unwrap();
        assert_eq!(read(folder.path()).unwrap(), Some(70_000));
        drop(Mark::open(folder.path()).unwrap());
        assert_eq!(read(folder.path()).unwrap(), Some(70_000));

        let path = folder.path().join(FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[7] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        std::fs::write(&path, &bytes[..9]).unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
    }
}
