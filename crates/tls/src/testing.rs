//! For tests: an authority that issues certificates, in memory or as files.
//!
//! A certificate that cannot be made fails the test: that is what it would have used it for.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test that cannot go on has failed")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

/// An authority of a test's own.
#[derive(Debug)]
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// The files of a certificate and its key.
#[derive(Debug, Clone)]
pub struct Files {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// A new one.
    #[expect(clippy::new_without_default, reason = "each one is another authority")]
    pub fn new() -> Self {
        let mut params = of("an authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// Its certificate, in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Writes its certificate into a folder.
    pub fn file(&self, folder: &Path) -> PathBuf {
        write(folder, "authority.pem", &self.certificate)
    }

    /// A certificate of a server and of a client, with this common name, and with further names:
    /// addresses, DNS names and URIs.
    pub fn issue(&self, common_name: &str, names: &[&str]) -> Issued {
        self.issue_with(of(common_name), names)
    }

    /// The same, valid until then.
    pub fn issue_until(&self, common_name: &str, names: &[&str], end: DateTime<Utc>) -> Issued {
        let mut params = of(common_name);
        params.not_after = SystemTime::from(end).into();
        self.issue_with(params, names)
    }

    fn issue_with(&self, mut params: CertificateParams, names: &[&str]) -> Issued {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = names.iter().copied().map(alternative).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Issued {
    /// Writes both as `NAME.pem` and `NAME.key`.
    pub fn files(&self, folder: &Path, name: &str) -> Files {
        Files {
            certificate: write(folder, &format!("{name}.pem"), &self.certificate),
            key: write(folder, &format!("{name}.key"), &self.key),
        }
    }
}

fn of(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn alternative(name: &str) -> SanType {
    match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) if name.contains("://") => SanType::URI(name.try_into().unwrap()),
        Err(_) => SanType::DnsName(name.try_into().unwrap()),
    }
}

fn write(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}
