//! TLS to Postgres: the files of the URL are checked before a connection, and a failed handshake is
//! explained.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tls::file::{PemFile, warn_if_exposed};
use tls::{CertificateFault, FileFault};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{self, CertificateError, RootCertStore};
use url::Url;

/// A file that the URL names cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{option}=… in --postgres (TENUTO_POSTGRES): {fault}")]
pub struct UnusableFile {
    option: &'static str,
    fault: FileFault,
}

/// An option of the URL that names a file.
struct FileOption {
    /// Its names, as the library reads them; the first one is that of libpq.
    names: &'static [&'static str],
    /// The variable that counts without it.
    variable: &'static str,
}

const ROOT: FileOption = FileOption { names: &["sslrootcert", "ssl-root-cert", "ssl-ca"], variable: "PGSSLROOTCERT" };
const CERTIFICATE: FileOption = FileOption { names: &["sslcert", "ssl-cert"], variable: "PGSSLCERT" };
const KEY: FileOption = FileOption { names: &["sslkey", "ssl-key"], variable: "PGSSLKEY" };

impl FileOption {
    /// The file that it names. Instead of a name, the library also takes PEM text.
    fn file(&self, url: &Url) -> Option<PathBuf> {
        let named = url.query_pairs().filter(|(name, _)| self.names.contains(&&**name)).last();
        let value = named.map(|(_, value)| value.into_owned()).or_else(|| std::env::var(self.variable).ok())?;
        (!value.trim_start().starts_with("-----BEGIN")).then(|| PathBuf::from(value))
    }

    /// Checks the file, if it names one.
    fn check(
        &self,
        url: &Url,
        used: impl Fn(&PemFile) -> Result<(), FileFault>,
    ) -> Result<Option<PathBuf>, Box<UnusableFile>> {
        let Some(path) = self.file(url) else { return Ok(None) };
        let checked = PemFile::read(&path).and_then(|file| used(&file));
        checked.map_err(|fault| Box::new(UnusableFile { option: self.names[0], fault }))?;
        Ok(Some(path))
    }
}

/// The options of a URL, after a check of the files that it names: the library's errors do not name
/// them.
///
/// `sslmode=require` with `sslrootcert` verifies as `verify-ca` does, as in libpq. The library
/// alone would ignore the file.
pub(crate) fn checked(options: PgConnectOptions, url: &str) -> Result<PgConnectOptions, Box<UnusableFile>> {
    // For `verify-ca`, the library takes the default of the process, and panics without one. An
    // earlier call has installed it, if this one fails.
    let _ = ring::default_provider().install_default().is_ok();
    let Ok(url) = Url::parse(url) else { return Ok(options) };
    let root = ROOT.check(&url, |file| file.add_to(&mut RootCertStore::empty()))?;
    CERTIFICATE.check(&url, |file| file.certificates().map(drop))?;
    if let Some(key) = KEY.check(&url, |file| file.key().map(drop))? {
        warn_if_exposed(&key);
    }
    let verifies = root.is_some() && matches!(options.get_ssl_mode(), PgSslMode::Require);
    Ok(if verifies { options.ssl_mode(PgSslMode::VerifyCa) } else { options })
}

/// Why there is no connection, if TLS is the reason.
pub(crate) fn of_tls(error: &sqlx::Error) -> Option<String> {
    Some(match rustls_error(error)? {
        rustls::Error::InvalidCertificate(wrong) => of_a_certificate(wrong),
        rustls::Error::AlertReceived(alert) => format!(
            "it refuses the TLS handshake ({alert:?}); where it demands a certificate, name one with sslcert=FILE and \
             sslkey=FILE"
        ),
        rustls::Error::InconsistentKeys(_) => {
            "the key of sslkey does not belong to the certificate of sslcert".to_owned()
        }
        other => format!("TLS fails: {other}"),
    })
}

fn of_a_certificate(wrong: &CertificateError) -> String {
    match CertificateFault::from(wrong) {
        CertificateFault::UnknownAuthority => {
            "its certificate is signed by an authority that is not trusted; name the \
             authority's certificate with sslrootcert=FILE"
                .to_owned()
        }
        CertificateFault::Expired => "its certificate has expired; renew it there".to_owned(),
        CertificateFault::NotYetValid => {
            "its certificate is not valid yet; compare the clocks of both machines".to_owned()
        }
        CertificateFault::OtherName => {
            "its certificate is for another name; connect by a name that it has, or renew it with this one".to_owned()
        }
        CertificateFault::Other(other) => format!("its certificate is refused: {other}; correct it there"),
    }
}

/// The fault of TLS among the causes of an error. The cause of an `io::Error` is what it wraps.
fn rustls_error(error: &sqlx::Error) -> Option<&rustls::Error> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| cause.source());
    }
    None
}
