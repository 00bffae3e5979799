//! A file that holds one secret.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use secrecy::SecretString;

/// The longest secret, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Why a file gives no secret. It does not repeat what the file holds.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// It is not that of one secret.
    #[error("is larger than 64 KiB")]
    TooLarge,
    /// It is no text.
    #[error("is not UTF-8")]
    NotText,
    /// It has no value.
    #[error("is empty")]
    Empty,
    /// It has more than the value.
    #[error("has more than one line")]
    Lines,
}

/// The one line of a file, without its end.
pub fn in_file(file: &Path) -> Result<SecretString, FileFault> {
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(FileFault::Unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(FileFault::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_| FileFault::NotText)?;
    // Editors and `echo` end a file with a line break.
    match text.trim_end_matches(['\n', '\r']) {
        "" => Err(FileFault::Empty),
        text if text.contains(['\n', '\r', '\0']) => Err(FileFault::Lines),
        text => Ok(text.to_owned().into()),
    }
}
