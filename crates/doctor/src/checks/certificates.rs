//! The certificates of the role itself: not expired, and with keys that no other user can read.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use http_client::ParticipantFiles;
use tls::ListenerFiles;
use tls::file::{PemFile, exposure};

use crate::finding::Finding;
use crate::role::Role;

/// The certificates, as findings name them.
pub const LISTENER: &str = "certificate of the listener";
pub const FOR_PARTICIPANTS: &str = "certificate for participants";
/// What is left of a certificate when its renewal is late.
const RENEWAL_IS_LATE: TimeDelta = TimeDelta::days(14);

pub fn check(role: &Role) -> Vec<Finding> {
    let ListenerFiles { tls_certificate, tls_key, .. } = &role.tls;
    let mut findings = judged(LISTENER, tls_certificate.as_ref(), tls_key.as_ref());
    if let Some(calls) = &role.calls {
        let ParticipantFiles { participants_certificate, participants_key, .. } = &calls.files;
        findings.extend(judged(FOR_PARTICIPANTS, participants_certificate.as_ref(), participants_key.as_ref()));
    }
    findings
}

/// What is found about a certificate and its key. Files that cannot be used are reported by the
/// checks that use them.
fn judged(about: &str, certificate: Option<&PathBuf>, key: Option<&PathBuf>) -> Vec<Finding> {
    let expiry = certificate.and_then(|certificate| {
        let end = PemFile::read(certificate).and_then(|file| file.expiry()).ok().flatten()?;
        Some(of_expiry(about, certificate, end, Utc::now()))
    });
    let exposed = key.and_then(|key| exposure(key)).map(|told| Finding::warning(about, told));
    expiry.into_iter().chain(exposed).collect()
}

fn of_expiry(about: &str, file: &Path, end: DateTime<Utc>, now: DateTime<Utc>) -> Finding {
    let (file, day) = (file.display(), end.format("%Y-%m-%d %H:%M UTC"));
    if end <= now {
        return Finding::fault(about, format!("the certificate in {file} has expired, at {day}; renew it"));
    }
    if end - now < RENEWAL_IS_LATE {
        return Finding::warning(about, format!("the certificate in {file} expires at {day}; renew it before"));
    }
    Finding::ok(about, format!("it is valid until {day}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;

    #[test]
    fn a_certificate_is_renewed_two_weeks_before_its_end() {
        let now: DateTime<Utc> = "2026-11-30T12:00:00Z".parse().unwrap();
        for (days, level) in [(-1, Level::Fault), (0, Level::Fault), (13, Level::Warning), (15, Level::Ok)] {
            let found = of_expiry("certificate", Path::new("own.pem"), now + TimeDelta::days(days), now);
            assert_eq!(found.level, level, "{found:?}");
        }
    }
}
