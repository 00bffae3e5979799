//! When a certificate expires.

use std::path::Path;

use chrono::{DateTime, NaiveDateTime, Utc};
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::der::{items, tag};
use crate::file::{FileFault, PemFile};

impl PemFile {
    /// When the first of its certificates expires that does. `None`: none of them has a date that
    /// can be read.
    pub fn expiry(&self) -> Result<Option<DateTime<Utc>>, FileFault> {
        Ok(self.certificates()?.iter().filter_map(expiry).min())
    }
}

/// Logs a warning if the certificate of a listener, which ends then, has expired: no client accepts
/// it.
pub(crate) fn warn_if_expired(certificate: &Path, end: DateTime<Utc>) {
    if end <= Utc::now() {
        tracing::warn!("the certificate in {} has expired, at {end}; renew it", certificate.display());
    }
}

/// The end of a certificate's validity (RFC 5280, section 4.1).
fn expiry(certificate: &CertificateDer<'_>) -> Option<DateTime<Utc>> {
    let (_, certificate) = items(certificate).next()?;
    let (_, signed) = items(certificate).next()?;
    // The serial number, the algorithm and the issuer are before the validity.
    let (_, validity) = items(signed).filter(|(tag, _)| *tag != tag::VERSION).nth(3)?;
    time(items(validity).nth(1)?)
}

fn time((tag, value): (u8, &[u8])) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(value).ok()?;
    let text = match tag {
        tag::GENERALIZED_TIME => text.to_owned(),
        // Its two digits are the years from 1950 to 2049.
        tag::UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        _ => return None,
    };
    Some(NaiveDateTime::parse_from_str(&text, "%Y%m%d%H%M%SZ").ok()?.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Authority;

    fn date(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_file_expires_with_the_first_of_its_certificates() {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let issue = |end| authority.issue_until("shop", &["127.0.0.1"], date(end)).certificate;
        let chain = [issue("2060-01-02T03:04:05Z"), issue("2031-12-31T23:59:59Z"), issue("2049-05-06T00:00:00Z")];
        let path = folder.path().join("chain.pem");
        for (certificates, first) in [
            (&chain[..1], "2060-01-02T03:04:05Z"),
            (&chain[..], "2031-12-31T23:59:59Z"),
            (&chain[2..], "2049-05-06T00:00:00Z"),
        ] {
            std::fs::write(&path, certificates.concat()).unwrap();
            assert_eq!(PemFile::read(&path).unwrap().expiry().unwrap(), Some(date(first)));
        }
    }

    #[test]
    fn a_certificate_that_is_cut_off_has_no_date() {
        let issued = Authority::new().issue("shop", &[]);
        let folder = tempfile::tempdir().unwrap();
        let files = issued.files(folder.path(), "own");
        let whole = PemFile::read(&files.certificate).unwrap().certificates().unwrap().remove(0);
        assert!(expiry(&whole).is_some());
        for length in 0..100 {
            assert_eq!(expiry(&CertificateDer::from(&whole[..length])), None, "{length}");
        }
    }
}
