//! Certificates and keys in PEM files.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, RootCertStore};

/// The largest file that is read, in bytes: a machine's list of authorities is smaller.
const MAX_BYTES: u64 = 4 << 20;
/// The permissions of a file that let others read it.
const OF_OTHERS: u32 = 0o077;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// It cannot be read.
    #[error("the file {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is too large.
    #[error("the file {} has more than {MAX_BYTES} bytes; give a file with certificates or a key", .0.display())]
    TooLarge(PathBuf),
    /// A part of it is not PEM.
    #[error("the file {} cannot be used: {source}; give it in PEM format", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// It has no certificate.
    #[error("no certificate in PEM format is in {}", .0.display())]
    NoCertificate(PathBuf),
    /// It has no key.
    #[error("no private key in PEM format is in {}; a key with a passphrase has to be decrypted first", .0.display())]
    NoKey(PathBuf),
    /// A certificate in it cannot be an authority.
    #[error("a certificate in {} cannot be an authority: {source}", path.display())]
    NoAuthority {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<rustls::Error>,
    },
    /// Its certificate and the key do not fit.
    #[error("the certificate in {} and the key in {} cannot be used together: {source}", certificate.display(), key.display())]
    NoPair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why.
        source: Box<rustls::Error>,
    },
    /// There is no authority to trust.
    #[error("this machine trusts no certificate authority; install its CA certificates, or name a file with one")]
    NoAuthorities,
    /// TLS cannot be set up with it.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

impl FileFault {
    /// The file, or the first of two.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Unreadable { path, .. }
            | Self::Malformed { path, .. }
            | Self::NoAuthority { path, .. }
            | Self::TooLarge(path)
            | Self::NoCertificate(path)
            | Self::NoKey(path) => Some(path),
            Self::NoPair { certificate, .. } => Some(certificate),
            Self::NoAuthorities | Self::Setup(_) => None,
        }
    }
}

/// A file and its content.
#[derive(Clone, PartialEq, Eq)]
pub struct PemFile {
    path: PathBuf,
    content: Vec<u8>,
}

impl PemFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, FileFault> {
        let unreadable = |source| FileFault::Unreadable { path: path.to_owned(), source };
        let mut content = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut content).map_err(unreadable)?;
        if content.len() as u64 > MAX_BYTES {
            return Err(FileFault::TooLarge(path.to_owned()));
        }
        Ok(Self { path: path.to_owned(), content })
    }

    /// Its place.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its certificates, at least one.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, FileFault> {
        let malformed = |source| FileFault::Malformed { path: self.path.clone(), source };
        let found: Vec<_> =
            CertificateDer::pem_slice_iter(&self.content).collect::<Result<_, _>>().map_err(malformed)?;
        if found.is_empty() { Err(FileFault::NoCertificate(self.path.clone())) } else { Ok(found) }
    }

    /// Its first key.
    pub fn key(&self) -> Result<PrivateKeyDer<'static>, FileFault> {
        PrivateKeyDer::from_pem_slice(&self.content).map_err(|source| match source {
            pem::Error::NoItemsFound => FileFault::NoKey(self.path.clone()),
            source => FileFault::Malformed { path: self.path.clone(), source },
        })
    }

    /// Adds its certificates to the authorities that are trusted.
    pub fn add_to(&self, roots: &mut RootCertStore) -> Result<(), FileFault> {
        for certificate in self.certificates()? {
            let added = roots.add(certificate);
            added.map_err(|source| FileFault::NoAuthority { path: self.path.clone(), source: Box::new(source) })?;
        }
        Ok(())
    }
}

/// Logs a warning if other users can read the file of a key.
pub fn warn_if_exposed(key: &Path) {
    if let Some(told) = exposure(key) {
        tracing::warn!("{told}");
    }
}

/// Whether other users can read the file of a key, and what to do about it.
pub fn exposure(key: &Path) -> Option<String> {
    let mode = key.metadata().ok()?.permissions().mode();
    let path = key.display();
    let told =
        || format!("other users can reach the key in {path} (mode {:03o}); run `chmod 600 {path}`", mode & 0o777);
    (mode & OF_OTHERS != 0).then(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.pem");
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    #[test]
    fn a_fault_names_the_file_and_what_is_missing_in_it() {
        let missing = PemFile::read(Path::new("/missing/a.pem")).err().unwrap().to_string();
        assert!(missing.contains("/missing/a.pem") && missing.contains("cannot be read"), "{missing}");
        let (_folder, path) = file("nothing of the kind\n");
        let empty = PemFile::read(&path).unwrap();
        for (fault, part) in [
            (empty.certificates().err().unwrap(), "no certificate in PEM format"),
            (empty.key().err().unwrap(), "no private key in PEM format"),
            (empty.add_to(&mut RootCertStore::empty()).unwrap_err(), "no certificate in PEM format"),
        ] {
            let text = fault.to_string();
            assert!(text.contains(part) && text.contains("file.pem"), "{text}");
        }
        let (_folder, path) = file("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
        let torn = PemFile::read(&path).unwrap().certificates().err().unwrap().to_string();
        assert!(torn.contains("file.pem") && torn.contains("PEM"), "{torn}");
    }

    #[test]
    fn a_file_that_is_too_large_is_refused() {
        let (_folder, path) = file(&"x".repeat(usize::try_from(MAX_BYTES).unwrap() + 1));
        assert!(matches!(PemFile::read(&path), Err(FileFault::TooLarge(_))));
    }
}
