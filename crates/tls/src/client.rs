//! TLS of outgoing connections that need more than the authorities of this machine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::file::{FileFault, PemFile, warn_if_exposed};
use crate::reload::{EVERY, Reloaded};

/// The files of outgoing connections.
#[derive(Debug, Clone, Default)]
pub struct ClientFiles {
    /// Which servers are trusted.
    pub trust: Trust,
    /// The certificate to show, and its key.
    pub pair: Option<(PathBuf, PathBuf)>,
}

/// Which servers are trusted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// Those with a certificate of an authority that this machine trusts.
    #[default]
    Machine,
    /// The same, and those of the authorities in this file.
    MachineAnd(PathBuf),
    /// Only those of the authorities in this file.
    Only(PathBuf),
    /// All. A server still needs the key of its certificate.
    Anyone,
}

impl Trust {
    fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::MachineAnd(file) | Self::Only(file) => Some(file),
            Self::Machine | Self::Anyone => None,
        }
    }
}

impl ClientFiles {
    /// The configuration of connections with these files. Each handshake uses the current ones: a
    /// task of the runtime reads them again.
    pub fn load(&self) -> Result<ClientConfig, FileFault> {
        self.load_again_every(EVERY)
    }

    fn load_again_every(&self, every: Duration) -> Result<ClientConfig, FileFault> {
        let Self { trust, pair } = self.clone();
        let files = trust.file().into_iter().chain(pair.iter().flat_map(|(certificate, key)| [certificate, key]));
        let files = files.cloned().collect();
        let provider = Arc::new(ring::default_provider());
        let using = provider.clone();
        let make = move |files: &[PemFile]| Identity::of(files, &trust, &using);
        let identity = Arc::new(Current(Reloaded::new(files, every, make)?));
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| FileFault::Setup(error.to_string()))?;
        // "Dangerous" is the library's name for any custom verifier. This one is the library's own,
        // with the current authorities, unless no server is to be verified.
        let builder = builder.dangerous().with_custom_certificate_verifier(identity.clone());
        let mut config = builder.with_client_cert_resolver(identity);
        // A session that is resumed is not verified again.
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

/// What connections trust and show.
struct Identity {
    verifier: Arc<dyn ServerCertVerifier>,
    own: Option<Arc<CertifiedKey>>,
}

impl Identity {
    /// Of these files: the one of authorities, if one is named, and maybe a certificate and its
    /// key.
    fn of(files: &[PemFile], trust: &Trust, provider: &Arc<CryptoProvider>) -> Result<Self, FileFault> {
        let (authorities, pair) = files.split_at(usize::from(trust.file().is_some()));
        let own = match pair {
            [certificate, key] => Some(certified(certificate, key, provider)?),
            _ => None,
        };
        if *trust == Trust::Anyone {
            return Ok(Self { verifier: Arc::new(Unverified(provider.clone())), own });
        }
        let mut roots = RootCertStore::empty();
        if !matches!(trust, Trust::Only(_)) {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        authorities.iter().try_for_each(|file| file.add_to(&mut roots))?;
        if roots.is_empty() {
            return Err(FileFault::NoAuthorities);
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
        Ok(Self { verifier: verifier.map_err(|error| FileFault::Setup(error.to_string()))?, own })
    }
}

fn certified(certificate: &PemFile, key: &PemFile, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, FileFault> {
    warn_if_exposed(key.path());
    let certified = CertifiedKey::from_der(certificate.certificates()?, key.key()?, provider);
    certified.map(Arc::new).map_err(|source| FileFault::NoPair {
        certificate: certificate.path().to_owned(),
        key: key.path().to_owned(),
        source: Box::new(source),
    })
}

/// The identity of the current files.
#[derive(Debug)]
struct Current(Arc<Reloaded<Identity>>);

impl ServerCertVerifier for Current {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.0.current().verifier.verify_server_cert(certificate, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.current().verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.current().verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.current().verifier.supported_verify_schemes()
    }
}

/// Accepts any certificate. The server still needs the certificate's key.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Current {
    fn resolve(&self, _authorities: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.current().own.clone().filter(|own| own.key.choose_scheme(schemes).is_some())
    }

    fn has_certs(&self) -> bool {
        self.0.current().own.is_some()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_rustls::TlsConnector;

    use super::*;
    use crate::listener::{ClientCertificates, ListenerFiles};
    use crate::testing::{Authority, Files, Issued};

    const SOON: Duration = Duration::from_millis(10);

    /// A listener that requires a certificate of this authority, and answers with a byte.
    async fn listening(authority: &Authority, folder: &std::path::Path) -> u16 {
        let own = authority.issue("listener", &["localhost"]).files(folder, "listener");
        let files = ListenerFiles {
            tls_certificate: Some(own.certificate),
            tls_key: Some(own.key),
            tls_client_ca: Some(authority.file(folder)),
            tls_client_certificates: Some(ClientCertificates::Required),
        };
        let tls = files.load(&[]).unwrap().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let tls = tls.clone();
                tokio::spawn(async move {
                    let Ok(mut secured) = tls.accept(stream).await else { return };
                    let _ = secured.stream.write_all(b"1").await;
                    let _ = secured.stream.shutdown().await;
                });
            }
        });
        port
    }

    async fn is_served(config: &ClientConfig, port: u16) -> bool {
        let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let Ok(mut stream) = TlsConnector::from(Arc::new(config.clone())).connect(name, tcp).await else {
            return false;
        };
        let mut answer = [0];
        stream.read_exact(&mut answer).await.is_ok()
    }

    async fn until(config: &ClientConfig, port: u16, served: bool) {
        let waiting = async { while is_served(config, port).await != served {} };
        tokio::time::timeout(Duration::from_mins(1), waiting).await.expect("nothing has changed in time");
    }

    #[tokio::test]
    async fn the_next_handshake_uses_files_that_have_changed() {
        let (authority, other, folder) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
        let port = listening(&authority, folder.path()).await;
        let mine = tempfile::tempdir().unwrap();
        let authorities = authority.file(mine.path());
        let Files { certificate, key } = other.issue("tenuto", &[]).files(mine.path(), "own");
        let files =
            ClientFiles { trust: Trust::Only(authorities.clone()), pair: Some((certificate.clone(), key.clone())) };
        let config = files.load_again_every(SOON).unwrap();
        assert!(!is_served(&config, port).await, "another authority has signed the certificate");
        let Issued { certificate: text, key: text_of_key } = authority.issue("tenuto", &[]);
        std::fs::write(&key, text_of_key).unwrap();
        std::fs::write(&certificate, text).unwrap();
        until(&config, port, true).await;
        std::fs::write(&authorities, other.certificate()).unwrap();
        until(&config, port, false).await;
    }

    #[test]
    fn a_faulty_file_is_an_error_that_names_it_also_outside_of_a_runtime() {
        let missing = ClientFiles { trust: Trust::MachineAnd("/missing/ca.pem".into()), pair: None };
        let fault = missing.load().unwrap_err();
        assert_eq!(fault.path(), Some(std::path::Path::new("/missing/ca.pem")));
        assert!(ClientFiles { trust: Trust::Anyone, pair: None }.load().is_ok());
    }
}
