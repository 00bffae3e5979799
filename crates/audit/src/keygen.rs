//! `tenuto audit keygen`: a key to sign seals with.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use domain::proof::keys::{PublicKey, SigningKey};
use rand::TryRngCore;
use rand::rngs::OsRng;

use super::error::AuditError;

/// A new key, and its files.
#[derive(Debug)]
pub struct KeyPair {
    /// The file of the private key.
    pub private_file: PathBuf,
    /// The file of the public key.
    pub public_file: PathBuf,
    /// The public key.
    pub public_key: PublicKey,
}

/// Makes a key. Writes it to this file, and its public key to the same name with `.pub`. Neither
/// file may exist.
pub fn keygen(file: &Path) -> Result<KeyPair, AuditError> {
    let mut seed = [0; 32];
    OsRng.try_fill_bytes(&mut seed).map_err(|_| AuditError::NoRandomness)?;
    let private = SigningKey::pem_of(&seed);
    let key = SigningKey::from_pem(private.as_bytes())
        .map_err(|source| AuditError::Key { file: file.to_owned(), source })?
        .public_key();
    let public_file = public_file(file);
    // First the public key: if its file exists already, no private key is left behind.
    write_new(&public_file, key.to_pem().as_bytes())?;
    write_new(file, private.as_bytes()).inspect_err(|_| {
        // A public key alone is useless. If it cannot be removed, the reported error explains why
        // it is there.
        let _ = std::fs::remove_file(&public_file);
    })?;
    Ok(KeyPair { private_file: file.to_owned(), public_file, public_key: key })
}

impl fmt::Display for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { private_file, public_file, public_key } = self;
        writeln!(f, "private key  {}  (keep it away from the log's machine)", private_file.display())?;
        writeln!(f, "public key   {}  {public_key}", public_file.display())
    }
}

fn public_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// Writes a file that must not exist, and waits until it is on disk. Only its owner may read it.
pub(super) fn write_new(file: &Path, content: &[u8]) -> Result<(), AuditError> {
    let write = || {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut opened = options.open(file)?;
        opened.write_all(content)?;
        opened.sync_all()
    };
    write().map_err(|source| AuditError::File { file: file.to_owned(), source })
}
