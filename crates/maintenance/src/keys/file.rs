//! The file of exported keys, encrypted with a passphrase, with an authenticated end.
//!
//! The first line is a header in JSON. Each further line is Base64 of a page of keys, encrypted
//! with AES-256-GCM under a key that PBKDF2 derives from the passphrase. The nonce of a page is a
//! random prefix, the page's number, and whether it is the last. So no page can be changed, moved,
//! repeated or removed, and a missing end is detected. The header is authenticated with each page.

use std::io::{BufRead, Read, Write};
use std::num::NonZeroU32;

use base64::prelude::{BASE64_STANDARD, Engine};
use command_handler::KeptKey;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use serde::{Deserialize, Serialize};

/// The format that the header names.
const FORMAT: &str = "tenuto-keys";
const VERSION: u32 = 1;
/// Rounds of PBKDF2 for new files (OWASP's figure for HMAC-SHA-256).
const ROUNDS: u32 = 600_000;
/// A file that needs more was not written by Tenuto, and would take minutes to read.
const MAX_ROUNDS: u32 = 10_000_000;
const SALT_BYTES: usize = 16;
const PREFIX_BYTES: usize = 7;
/// The longest line of a file.
const MAX_LINE_BYTES: u64 = 8 << 20;
/// The shortest passphrase, in bytes.
pub(super) const MIN_PASSPHRASE_BYTES: usize = 12;

/// Why a file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read or written.
    #[error("it cannot be read or written: {0}")]
    Io(#[from] std::io::Error),
    /// The file is not a file of keys, for this reason.
    #[error("it is no file of keys: {0}")]
    Format(String),
    /// Another version of the program wrote the file.
    #[error("it has version {0}, and this program reads version {VERSION}: use a newer one")]
    Version(u32),
    /// A page cannot be decrypted.
    #[error("page {0} cannot be read: the passphrase is a wrong one, or the file was changed")]
    Sealed(u32),
    /// The end of the file is missing, after this page.
    #[error("its end is missing: the file was cut off after page {0}")]
    CutOff(u32),
    /// The file continues after its end.
    #[error("something follows its end")]
    Trailing,
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// The file has too many pages.
    #[error("it has more pages than a file can have")]
    TooLarge,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    version: u32,
    kdf: String,
    rounds: u32,
    salt: String,
    prefix: String,
}

/// Encrypts or decrypts the pages, in their order.
struct Sealer {
    key: LessSafeKey,
    prefix: [u8; PREFIX_BYTES],
    header: String,
    page: u32,
}

impl Sealer {
    fn new(header: String, passphrase: &[u8]) -> Result<Self, FileError> {
        let format = |what: &str| FileError::Format(what.to_owned());
        let read: Header = serde_json::from_str(&header).map_err(|error| FileError::Format(error.to_string()))?;
        if read.format != FORMAT || read.kdf != "PBKDF2-HMAC-SHA256" {
            return Err(format("its header names another format"));
        }
        if read.version != VERSION {
            return Err(FileError::Version(read.version));
        }
        let rounds = NonZeroU32::new(read.rounds).filter(|rounds| rounds.get() <= MAX_ROUNDS);
        let rounds = rounds.ok_or_else(|| format("its number of rounds is not usable"))?;
        let bytes = |text: &str| BASE64_STANDARD.decode(text).map_err(|_| format("its header is not Base64"));
        let prefix = bytes(&read.prefix)?.try_into().map_err(|_| format("its prefix has a wrong length"))?;
        let mut derived = [0; 32];
        pbkdf2::derive(PBKDF2_HMAC_SHA256, rounds, &bytes(&read.salt)?, passphrase, &mut derived);
        let key = UnboundKey::new(&AES_256_GCM, &derived).map_err(|_| format("its key cannot be derived"))?;
        Ok(Self { key: LessSafeKey::new(key), prefix, header, page: 0 })
    }

    fn nonce(&mut self, is_last: bool) -> Result<Nonce, FileError> {
        let mut nonce = [0; NONCE_LEN];
        nonce[..PREFIX_BYTES].copy_from_slice(&self.prefix);
        nonce[PREFIX_BYTES..NONCE_LEN - 1].copy_from_slice(&self.page.to_be_bytes());
        nonce[NONCE_LEN - 1] = is_last.into();
        self.page = self.page.checked_add(1).ok_or(FileError::TooLarge)?;
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

/// Writes a file, page by page.
pub(super) struct KeyWriter<W> {
    file: W,
    sealer: Sealer,
}

impl<W: Write> KeyWriter<W> {
    /// Writes the header.
    pub fn new(file: W, passphrase: &[u8]) -> Result<Self, FileError> {
        Self::with_rounds(file, passphrase, ROUNDS)
    }

    fn with_rounds(mut file: W, passphrase: &[u8], rounds: u32) -> Result<Self, FileError> {
        let mut random = [0; SALT_BYTES + PREFIX_BYTES];
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random)
            .map_err(|_| FileError::NoRandomness)?;
        let header = Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            kdf: "PBKDF2-HMAC-SHA256".to_owned(),
            rounds,
            salt: BASE64_STANDARD.encode(&random[..SALT_BYTES]),
            prefix: BASE64_STANDARD.encode(&random[SALT_BYTES..]),
        };
        let header = serde_json::to_string(&header).map_err(|error| FileError::Format(error.to_string()))?;
        writeln!(file, "{header}")?;
        Ok(Self { file, sealer: Sealer::new(header, passphrase)? })
    }

    /// Writes a page.
    pub fn page(&mut self, keys: &[KeptKey]) -> Result<(), FileError> {
        self.seal(keys, false)
    }

    /// Writes the end, and returns the file.
    pub fn end(mut self) -> Result<W, FileError> {
        self.seal(&[], true)?;
        self.file.flush()?;
        Ok(self.file)
    }

    fn seal(&mut self, keys: &[KeptKey], is_last: bool) -> Result<(), FileError> {
        let mut text = serde_json::to_vec(keys).map_err(|error| FileError::Format(error.to_string()))?;
        let nonce = self.sealer.nonce(is_last)?;
        let header = Aad::from(self.sealer.header.as_bytes());
        self.sealer.key.seal_in_place_append_tag(nonce, header, &mut text).map_err(|_| FileError::TooLarge)?;
        writeln!(self.file, "{}", BASE64_STANDARD.encode(&text))?;
        Ok(())
    }
}

/// Reads a file, page by page.
pub(super) struct KeyReader<R> {
    file: R,
    sealer: Sealer,
    is_ended: bool,
}

impl<R: BufRead> KeyReader<R> {
    /// Reads the header.
    pub fn new(mut file: R, passphrase: &[u8]) -> Result<Self, FileError> {
        let header = line(&mut file)?.ok_or_else(|| FileError::Format("it is empty".to_owned()))?;
        Ok(Self { file, sealer: Sealer::new(header, passphrase)?, is_ended: false })
    }

    /// The next page. `None`: the end. A file without an end is an error.
    pub fn page(&mut self) -> Result<Option<Vec<KeptKey>>, FileError> {
        if self.is_ended {
            return Ok(None);
        }
        let number = self.sealer.page;
        let Some(line) = line(&mut self.file)? else { return Err(FileError::CutOff(number)) };
        let sealed = BASE64_STANDARD.decode(&line).map_err(|_| FileError::Sealed(number))?;
        if let Ok(text) = self.open(&sealed, false) {
            return keys(&text).map(Some);
        }
        self.sealer.page = number;
        self.open(&sealed, true).map_err(|_| FileError::Sealed(number))?;
        self.is_ended = true;
        match self::line(&mut self.file)? {
            Some(_) => Err(FileError::Trailing),
            None => Ok(None),
        }
    }

    fn open(&mut self, sealed: &[u8], is_last: bool) -> Result<Vec<u8>, FileError> {
        let number = self.sealer.page;
        let nonce = self.sealer.nonce(is_last)?;
        let mut text = sealed.to_vec();
        let header = Aad::from(self.sealer.header.as_bytes());
        let opened = self.sealer.key.open_in_place(nonce, header, &mut text);
        Ok(opened.map_err(|_| FileError::Sealed(number))?.to_vec())
    }
}

fn keys(text: &[u8]) -> Result<Vec<KeptKey>, FileError> {
    serde_json::from_slice(text).map_err(|error| FileError::Format(error.to_string()))
}

fn line(file: &mut impl BufRead) -> Result<Option<String>, FileError> {
    let mut line = String::new();
    let not_text = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::InvalidData => FileError::Format("it is not text".to_owned()),
        _ => FileError::Io(error),
    };
    file.by_ref().take(MAX_LINE_BYTES).read_line(&mut line).map_err(not_text)?;
    if line.len() as u64 >= MAX_LINE_BYTES {
        return Err(FileError::Format(format!("a line is longer than {MAX_LINE_BYTES} bytes")));
    }
    Ok((!line.is_empty()).then(|| line.trim_end().to_owned()))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    const PASSPHRASE: &[u8] = b"correct horse battery";

    fn keys(numbers: std::ops::Range<u128>) -> Vec<KeptKey> {
        let key = |number: u128| KeptKey {
            id: Uuid::from_u128(number),
            customer_id: format!("customer-{number}"),
            secret: number.is_multiple_of(2).then(|| "AAAA".to_owned()),
            created_at: DateTime::UNIX_EPOCH,
            destroyed_at: (number % 2 == 1).then_some(DateTime::UNIX_EPOCH),
        };
        numbers.map(key).collect()
    }

    fn written() -> String {
        let mut writer = KeyWriter::with_rounds(Vec::new(), PASSPHRASE, 1_000).unwrap();
        writer.page(&keys(0..3)).unwrap();
        writer.page(&keys(3..5)).unwrap();
        String::from_utf8(writer.end().unwrap()).unwrap()
    }

    fn read(text: &str, passphrase: &[u8]) -> Result<Vec<KeptKey>, FileError> {
        let (mut reader, mut all) = (KeyReader::new(text.as_bytes(), passphrase)?, Vec::new());
        while let Some(page) = reader.page()? {
            all.extend(page);
        }
        Ok(all)
    }

    #[test]
    fn what_is_written_is_read_with_its_passphrase_and_with_no_other() {
        let text = written();
        assert_eq!(read(&text, PASSPHRASE).unwrap(), keys(0..5));
        assert!(matches!(read(&text, b"another passphrase"), Err(FileError::Sealed(0))));
        assert!(!text.contains("customer-"), "nothing of a key is readable");
    }

    #[test]
    fn a_file_that_was_cut_off_changed_or_reordered_is_refused() {
        let text = written();
        let lines: Vec<&str> = text.lines().collect();
        let with = |lines: &[&str]| read(&(lines.join("\n") + "\n"), PASSPHRASE);
        assert!(matches!(with(&lines[..3]), Err(FileError::CutOff(2))));
        assert!(matches!(with(&lines[..1]), Err(FileError::CutOff(0))));
        assert!(matches!(with(&[lines[0], lines[2], lines[1], lines[3]]), Err(FileError::Sealed(0))));
        assert!(matches!(with(&[lines[0], lines[1], lines[3]]), Err(FileError::Sealed(1))));
        assert!(matches!(with(&[lines[0], lines[1], lines[2], lines[3], lines[3]]), Err(FileError::Trailing)));
        let header = lines[0].replace("\"rounds\":1000", "\"rounds\":1001");
        assert!(matches!(with(&[&header, lines[1], lines[2], lines[3]]), Err(FileError::Sealed(0))));
        let header = lines[0].replace("\"version\":1", "\"version\":2");
        assert!(matches!(with(&[&header]), Err(FileError::Version(2))));
        let header = lines[0].replace("\"rounds\":1000", "\"rounds\":4000000000");
        assert!(matches!(with(&[&header]), Err(FileError::Format(_))));
        for nothing in ["", "\n", "{}", "PGDMP"] {
            assert!(matches!(read(nothing, PASSPHRASE), Err(FileError::Format(_))), "{nothing:?}");
        }
    }
}
