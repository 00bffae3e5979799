//! Copies the keys of personal data to an encrypted file, and adds the keys of such a file.

mod file;

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use command_handler::{ImportError, Imported, import_keys, keys_after};
use secrets::{ExposeSecret, SecretError, SecretString, Sources};
use sqlx::PgPool;
use views::customer_keys::{self, Rewrapped};

pub use self::file::FileError;
use self::file::{KeyReader, KeyWriter, MIN_PASSPHRASE_BYTES};

/// The environment variable that may hold the passphrase.
const PASSPHRASE: &str = "TENUTO_KEYS_PASSPHRASE";
/// The most that is read of a file with a passphrase.
const MAX_PASSPHRASE_BYTES: u64 = 4_096;

/// Why keys were not copied.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// No passphrase is given.
    #[error("no passphrase is given: name a file with --passphrase-file or {PASSPHRASE}_FILE, or set {PASSPHRASE}")]
    NoPassphrase,
    /// The passphrase cannot be had from the environment.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The passphrase is too short.
    #[error("the passphrase must have at least {MIN_PASSPHRASE_BYTES} bytes, and has {0}")]
    Short(usize),
    /// The file of the passphrase cannot be read.
    #[error("the passphrase cannot be read from {}: {source}", file.display())]
    Passphrase {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file of an export exists.
    #[error("{} exists already: an export does not overwrite a file", .0.display())]
    Exists(PathBuf),
    /// The file of keys cannot be used.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: FileError,
    },
    /// The database has no key to export.
    #[error("nothing was exported: the database has no key")]
    NoKeys,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// There is no master key to wrap by.
    #[error("no master key is given: set TENUTO_MASTER_KEY, or TENUTO_MASTER_KEY_FILE to the name of a file with it")]
    NoMasterKey,
    /// Keys cannot be added.
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// The passphrase that encrypts a file of keys.
pub struct Passphrase(SecretString);

impl Passphrase {
    /// Reads the first line of the file, or the environment variable.
    pub fn read(file: Option<&Path>) -> Result<Self, KeysError> {
        let text = match file {
            Some(file) => first_line(file).map_err(|source| KeysError::Passphrase { file: file.to_owned(), source })?,
            None => Sources::of_environment().read(PASSPHRASE)?.ok_or(KeysError::NoPassphrase)?,
        };
        let length = text.expose_secret().len();
        if length < MIN_PASSPHRASE_BYTES { Err(KeysError::Short(length)) } else { Ok(Self(text)) }
    }

    fn bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

fn first_line(file: &Path) -> std::io::Result<SecretString> {
    let mut text = String::new();
    File::open(file)?.take(MAX_PASSPHRASE_BYTES).read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().into())
}

/// Refuses a file that exists.
pub fn must_not_exist(file: &Path) -> Result<(), KeysError> {
    if file.exists() { Err(KeysError::Exists(file.to_owned())) } else { Ok(()) }
}

/// Writes all keys to a file that does not exist. Returns how many. The keys are written under
/// another name first, so that a file of the given name is always whole.
pub async fn export(to: &Path, pool: &PgPool, passphrase: &Passphrase) -> Result<u64, KeysError> {
    must_not_exist(to)?;
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = to.with_file_name(name);
    let written = write(&part, pool, passphrase).await;
    let moved = written.and_then(|count| {
        // A hard link fails if a file of that name was created in the meantime.
        fs::hard_link(&part, to).map_err(|source| KeysError::File { file: to.to_owned(), source: source.into() })?;
        Ok(count)
    });
    // A failed export leaves no file.
    let _ = fs::remove_file(&part);
    moved
}

async fn write(part: &Path, pool: &PgPool, passphrase: &Passphrase) -> Result<u64, KeysError> {
    let failed = |source: FileError| KeysError::File { file: part.to_owned(), source };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(part);
    let file = BufWriter::new(file.map_err(|error| failed(error.into()))?);
    let mut writer = KeyWriter::new(file, passphrase.bytes()).map_err(failed)?;
    let (mut after, mut count) = (None, 0);
    loop {
        let page = keys_after(pool, after).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        count += page.len() as u64;
        writer.page(&page).map_err(failed)?;
    }
    if count == 0 {
        return Err(KeysError::NoKeys);
    }
    let mut file = writer.end().map_err(failed)?;
    file.flush().and_then(|()| file.get_ref().sync_all()).map_err(|error| failed(error.into()))?;
    Ok(count)
}

/// Wraps all keys by the current master key, and the secrets of webhooks.
pub async fn rewrap(pool: &PgPool) -> Result<Rewrapped, KeysError> {
    if !views::master_key::is_set() {
        return Err(KeysError::NoMasterKey);
    }
    let keys = customer_keys::rewrap(pool).await?;
    let (rewrapped, current) = views::webhook_secrets::rewrap(pool).await?;
    Ok(Rewrapped { rewrapped: keys.rewrapped + rewrapped, current: keys.current + current })
}

/// A file of keys that was read to its end, so that it is known to be whole.
pub struct KeyFile<'a> {
    file: &'a Path,
    passphrase: &'a Passphrase,
    keys: usize,
}

impl<'a> KeyFile<'a> {
    /// Reads the file to its end. A file that was cut off is an error.
    pub fn verify(file: &'a Path, passphrase: &'a Passphrase) -> Result<Self, KeysError> {
        let mut whole = Self { file, passphrase, keys: 0 };
        let mut reader = whole.reader().map_err(|error| whole.failed(error))?;
        while let Some(page) = reader.page().map_err(|error| whole.failed(error))? {
            whole.keys += page.len();
        }
        Ok(whole)
    }

    /// Whether the file has no key.
    pub fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// Adds the keys that the database does not have.
    pub async fn import(&self, pool: &PgPool) -> Result<Imported, KeysError> {
        let (mut reader, mut all) = (self.reader().map_err(|error| self.failed(error))?, Imported::default());
        while let Some(page) = reader.page().map_err(|error| self.failed(error))? {
            let Imported { added, known, destroyed } = import_keys(pool, &page).await?;
            all = Imported { added: all.added + added, known: all.known + known, destroyed: all.destroyed + destroyed };
        }
        if all.added > 0 {
            // Replies to orders whose keys were missing were set aside. Reading the others again
            // changes nothing.
            views::read_replies_again(pool).await?;
        }
        Ok(all)
    }

    fn reader(&self) -> Result<KeyReader<BufReader<File>>, FileError> {
        KeyReader::new(BufReader::new(File::open(self.file)?), self.passphrase.bytes())
    }

    fn failed(&self, source: FileError) -> KeysError {
        KeysError::File { file: self.file.to_owned(), source }
    }
}
