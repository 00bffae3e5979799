//! TLS of a listener: the certificate that it shows, and the certificates that it takes of clients.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use live::{Change, Live, RELOADED};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::client_certificate::ClientCertificate;
use crate::expiry::warn_if_expired;
use crate::file::{FileFault, PemFile, warn_if_exposed};
use crate::plain;
use crate::reload::{EVERY, Reloaded};

/// The files of a listener. Without a certificate, it does not speak TLS.
#[derive(Debug, Clone, Default, Args)]
pub struct ListenerFiles {
    /// A file with the listener's certificate, and those between it and its authority, in PEM: then
    /// clients reach the listener by TLS only. Changed files are in use within seconds
    #[arg(long, env = "TENUTO_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key", help_heading = RELOADED)]
    pub tls_certificate: Option<PathBuf>,
    /// A file with the private key of that certificate, in PEM
    #[arg(
        long,
        env = "TENUTO_TLS_KEY",
        value_name = "FILE",
        requires = "tls_certificate",
        help_heading = RELOADED
    )]
    pub tls_key: Option<PathBuf>,
    /// A file with the authorities of clients' certificates, in PEM: then the listener requests
    /// one, and refuses a client whose certificate none of them has signed
    #[arg(
        long,
        env = "TENUTO_TLS_CLIENT_CA",
        value_name = "FILE",
        requires = "tls_certificate",
        help_heading = RELOADED
    )]
    pub tls_client_ca: Option<PathBuf>,
    /// Whether the listener refuses a client without a certificate [default: optional]
    #[arg(
        long,
        env = "TENUTO_TLS_CLIENT_CERTIFICATES",
        value_enum,
        value_name = "WHETHER",
        requires = "tls_client_ca",
        help_heading = RELOADED
    )]
    pub tls_client_certificates: Option<ClientCertificates>,
}

/// Whether clients need a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ClientCertificates {
    /// A client without a certificate is served.
    #[default]
    Optional,
    /// A client without a certificate is refused.
    Required,
}

/// TLS of a listener, with its current files. Clones share them.
#[derive(Debug, Clone)]
pub struct ListenerTls {
    files: Live<Arc<Reloaded<Loaded>>>,
    protocols: &'static [&'static str],
}

/// What the current files say.
struct Loaded {
    config: Arc<ServerConfig>,
    /// When the certificate expires, in Unix time; `None`: it does not say so readably.
    expires: Option<u64>,
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct Secured {
    /// The connection.
    pub stream: TlsStream<TcpStream>,
    /// The client's certificate, if the client has sent one.
    pub certificate: Option<ClientCertificate>,
}

impl ListenerFiles {
    /// TLS with these files, if they are named, for these protocols, the preferred one first. Needs
    /// a runtime: a task reads the files again.
    pub fn load(&self, protocols: &'static [&'static str]) -> Result<Option<ListenerTls>, FileFault> {
        self.load_again_every(EVERY, protocols)
    }

    fn load_again_every(
        &self,
        every: Duration,
        protocols: &'static [&'static str],
    ) -> Result<Option<ListenerTls>, FileFault> {
        let files = self.reloaded_every(every, protocols)?;
        Ok(files.map(|files| ListenerTls { files: Live::new(files), protocols }))
    }

    fn reloaded_every(
        &self,
        every: Duration,
        protocols: &'static [&'static str],
    ) -> Result<Option<Arc<Reloaded<Loaded>>>, FileFault> {
        let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) else { return Ok(None) };
        let files = [Some(certificate), Some(key), self.tls_client_ca.as_ref()].into_iter().flatten().cloned();
        let clients = self.tls_client_certificates.unwrap_or_default();
        let make = move |files: &[PemFile]| config(files, clients, protocols);
        Ok(Some(Reloaded::new(files.collect(), every, make)?))
    }
}

/// Reads other files for a listener that has this TLS. Whether it has TLS stays.
pub fn prepare(tls: Option<&ListenerTls>, files: &ListenerFiles) -> Result<Change, FileFault> {
    match (tls, &files.tls_certificate) {
        (None, None) => Ok(Change::default()),
        (Some(tls), Some(_)) => {
            let files = files.reloaded_every(EVERY, tls.protocols)?;
            Ok(files.map_or_else(Change::default, |files| Change::default().set(&tls.files, files)))
        }
        (Some(_), None) | (None, Some(_)) => Ok(Change::default().later("tls-certificate").later("tls-key")),
    }
}

/// The configuration of these files: a certificate, its key, and maybe the authorities of clients.
fn config(files: &[PemFile], clients: ClientCertificates, protocols: &[&str]) -> Result<Loaded, FileFault> {
    let [certificate, key, authorities @ ..] = files else {
        return Err(FileFault::Setup("a listener needs a certificate and a key".to_owned()));
    };
    warn_if_exposed(key.path());
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| FileFault::Setup(error.to_string()))?;
    let builder = match authorities {
        [] => builder.with_no_client_auth(),
        authorities => {
            let mut roots = RootCertStore::empty();
            authorities.iter().try_for_each(|file| file.add_to(&mut roots))?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match clients {
                ClientCertificates::Optional => verifier.allow_unauthenticated(),
                ClientCertificates::Required => verifier,
            };
            let verifier = verifier.build().map_err(|error| FileFault::Setup(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let end = certificate.expiry()?;
    if let Some(end) = end {
        warn_if_expired(certificate.path(), end);
    }
    let expires = end.and_then(|end| end.timestamp().try_into().ok());
    let config = builder.with_single_cert(certificate.certificates()?, key.key()?);
    let mut config = config.map_err(|source| FileFault::NoPair {
        certificate: certificate.path().to_owned(),
        key: key.path().to_owned(),
        source: Box::new(source),
    })?;
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Ok(Loaded { config: Arc::new(config), expires })
}

impl ListenerTls {
    /// When the certificate in use expires, in Unix time.
    pub fn expires(&self) -> Option<u64> {
        self.files.get().current().expires
    }

    /// The handshake of a new connection. A client that sends plain HTTP gets a hint, and then the
    /// connection ends. The caller bounds the time.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<Secured> {
        if plain::is_plain(&stream).await? {
            plain::refuse(stream).await?;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the client does not speak TLS"));
        }
        let stream = TlsAcceptor::from(self.files.get().current().config.clone()).accept(stream).await?;
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let certificate = certificates.first().map(ClientCertificate::of);
        Ok(Secured { stream, certificate })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::path::Path;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::version::{TLS12, TLS13};
    use tokio_rustls::rustls::{ClientConfig, SupportedProtocolVersion};

    use super::*;
    use crate::testing::{Authority, Files};

    const SOON: Duration = Duration::from_millis(10);

    fn named(files: &Files) -> ListenerFiles {
        ListenerFiles {
            tls_certificate: Some(files.certificate.clone()),
            tls_key: Some(files.key.clone()),
            ..ListenerFiles::default()
        }
    }

    /// A listener that answers with the names of the client, or with a dash.
    async fn listening(files: &ListenerFiles) -> SocketAddr {
        let tls = files.load_again_every(SOON, &["http/1.1"]).unwrap().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let tls = tls.clone();
                tokio::spawn(async move {
                    let Ok(Secured { mut stream, certificate }) = tls.accept(stream).await else { return };
                    let names = certificate.map_or("-".to_owned(), |certificate| certificate.names.join(","));
                    let _ = stream.write_all(names.as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        address
    }

    /// What the listener answers to a client with this certificate.
    async fn ask(
        address: SocketAddr,
        authority: &Path,
        own: Option<&Files>,
        version: &'static SupportedProtocolVersion,
    ) -> Result<String, String> {
        let mut roots = RootCertStore::empty();
        PemFile::read(authority).unwrap().add_to(&mut roots).unwrap();
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let builder = builder.with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(Files { certificate, key }) => {
                let chain = PemFile::read(certificate).unwrap().certificates().unwrap();
                builder.with_client_auth_cert(chain, PemFile::read(key).unwrap().key().unwrap()).unwrap()
            }
        };
        let tcp = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let answer = async {
            let mut stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok(answer)
        };
        answer.await.map_err(|error: io::Error| error.to_string())
    }

    #[tokio::test]
    async fn clients_reach_a_listener_by_both_versions_and_other_authorities_do_not_know_it() {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let trusted = authority.file(folder.path());
        let address = listening(&named(&authority.issue("listener", &["localhost"]).files(folder.path(), "own"))).await;
        for version in [&TLS12, &TLS13] {
            assert_eq!(ask(address, &trusted, None, version).await.unwrap(), "-", "{version:?}");
        }
        let elsewhere = tempfile::tempdir().unwrap();
        let other = Authority::new().file(elsewhere.path());
        assert!(ask(address, &other, None, &TLS13).await.is_err());
    }

    #[tokio::test]
    async fn a_client_certificate_is_verified_and_may_be_required() {
        let (folder, authority, clients) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
        let trusted = authority.file(folder.path());
        let own = authority.issue("listener", &["localhost"]).files(folder.path(), "own");
        let elsewhere = tempfile::tempdir().unwrap();
        let tls_client_ca = Some(clients.file(elsewhere.path()));
        let shop = clients.issue("shop", &["shop.example"]).files(elsewhere.path(), "shop");
        let forged = Authority::new().issue("shop", &[]).files(elsewhere.path(), "forged");
        for required in [ClientCertificates::Optional, ClientCertificates::Required] {
            let tls_client_certificates = Some(required);
            let files = ListenerFiles { tls_client_ca: tls_client_ca.clone(), tls_client_certificates, ..named(&own) };
            let address = listening(&files).await;
            for version in [&TLS12, &TLS13] {
                assert_eq!(ask(address, &trusted, Some(&shop), version).await.unwrap(), "shop,shop.example");
                assert!(ask(address, &trusted, Some(&forged), version).await.is_err(), "{required:?} {version:?}");
                let without = ask(address, &trusted, None, version).await;
                assert_eq!(without.is_ok(), required == ClientCertificates::Optional, "{version:?} {without:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_renewed_certificate_is_shown_and_a_pair_that_does_not_fit_keeps_the_earlier_one() {
        let (folder, authority, next) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
        let trusted = authority.file(folder.path());
        let own = authority.issue("listener", &["localhost"]).files(folder.path(), "own");
        let elsewhere = tempfile::tempdir().unwrap();
        let next_trusted = next.file(elsewhere.path());
        let renewed = next.issue("listener", &["localhost"]);
        let address = listening(&named(&own)).await;
        std::fs::write(&own.certificate, &renewed.certificate).unwrap();
        tokio::time::sleep(10 * SOON).await;
        assert_eq!(ask(address, &trusted, None, &TLS13).await.unwrap(), "-", "the key is of the earlier one");
        std::fs::write(&own.key, &renewed.key).unwrap();
        let shown = async { while ask(address, &next_trusted, None, &TLS13).await.is_err() {} };
        tokio::time::timeout(Duration::from_mins(1), shown).await.expect("it is not shown in time");
        assert!(ask(address, &trusted, None, &TLS13).await.is_err(), "the earlier one is still shown");
    }

    #[tokio::test]
    async fn a_listener_tells_when_its_certificate_expires() {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let files = named(&authority.issue("listener", &["localhost"]).files(folder.path(), "own"));
        let tls = files.load(&["http/1.1"]).unwrap().unwrap();
        // The beginning of the year 4096.
        assert_eq!(tls.expires(), Some(67_090_118_400));
    }

    #[tokio::test]
    async fn plain_http_gets_a_hint_and_other_bytes_get_nothing() {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let address = listening(&named(&authority.issue("listener", &["localhost"]).files(folder.path(), "own"))).await;
        for (sent, hint) in [("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", true), ("\0\0\0\0\0\0\0", false)] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = Vec::new();
            // A connection that is refused may be reset.
            let _ = stream.read_to_end(&mut answer).await;
            let answer = String::from_utf8_lossy(&answer);
            assert_eq!(answer.starts_with("HTTP/1.1 400") && answer.contains("https://"), hint, "{answer}");
        }
    }

    #[tokio::test]
    async fn files_that_do_not_fit_are_an_error_that_names_them() {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let own = authority.issue("listener", &[]).files(folder.path(), "own");
        let other = authority.issue("listener", &[]).files(folder.path(), "other");
        let pair = named(&Files { certificate: own.certificate.clone(), key: other.key });
        let fault = pair.load(&[]).unwrap_err().to_string();
        for part in ["own.pem", "other.key", "cannot be used together"] {
            assert!(fault.contains(part), "{fault}");
        }
        let key_is_certificate = named(&Files { certificate: own.certificate.clone(), key: own.certificate });
        assert!(key_is_certificate.load(&[]).unwrap_err().to_string().contains("no private key"));
        assert!(ListenerFiles::default().load(&[]).unwrap().is_none());
    }
}
