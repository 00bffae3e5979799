//! One connection to one node: TCP, with TLS if the settings require it. An error names the reason
//! and the remedy.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tls::client::{ClientFiles, Trust};
use tls::{CertificateFault, FileFault};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, CertificateError, ClientConfig};

use super::error::ConnectError;
use super::fault::Fault;
use super::settings::{Endpoint, Settings};

/// A connection's stream of bytes.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// How to connect to any node of a cluster.
pub(super) struct Dialer {
    tls: Option<TlsConnector>,
    limit: Duration,
}

impl Dialer {
    /// Reads the files that the settings name. An error names a missing file.
    pub(super) fn new(settings: &Settings) -> Result<Self, ConnectError> {
        let tls = if settings.tls { Some(TlsConnector::from(Arc::new(client_config(settings)?))) } else { None };
        Ok(Self { tls, limit: settings.gossip_timeout })
    }

    /// Connects to a node: at this one of its addresses, or at the first address of its name.
    pub(super) async fn dial(&self, node: &Endpoint, at: Option<SocketAddr>) -> Result<Box<dyn Stream>, Fault> {
        let connecting = async {
            let tcp = connect(node, at).await?;
            match &self.tls {
                None => Ok(Box::new(tcp) as Box<dyn Stream>),
                Some(tls) => secure(tls, node, tcp).await,
            }
        };
        tokio::time::timeout(self.limit, connecting).await.unwrap_or_else(|_| Err(silent(node, self.limit)))
    }
}

pub(super) fn silent(node: &Endpoint, limit: Duration) -> Fault {
    Fault::broken(format!(
        "{node} does not answer within {} s; is it running, and does the network reach it?",
        limit.as_secs_f32()
    ))
}

/// The addresses of a name, in the system's order.
pub(super) async fn addresses(node: &Endpoint) -> Result<Vec<SocketAddr>, Fault> {
    let unknown = |reason: String| {
        Fault::broken(format!(
            "the host {} is not found ({reason}); correct its name in the connection string",
            node.host
        ))
    };
    let found = tokio::net::lookup_host((node.host.as_str(), node.port)).await;
    let found: Vec<_> = found.map_err(|error| unknown(error.to_string()))?.collect();
    if found.is_empty() { Err(unknown("its name has no address".into())) } else { Ok(found) }
}

async fn connect(node: &Endpoint, at: Option<SocketAddr>) -> Result<TcpStream, Fault> {
    let addresses = match at {
        Some(address) => vec![address],
        None => addresses(node).await?,
    };
    let tcp = TcpStream::connect(addresses.as_slice()).await.map_err(|error| unreachable(node, &error))?;
    // Otherwise the last of several small writes waits until the server acknowledges the first, for
    // 40 ms.
    tcp.set_nodelay(true).map_err(|error| unreachable(node, &error))?;
    Ok(tcp)
}

fn unreachable(node: &Endpoint, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Fault::broken(format!(
            "{node} refuses the connection: nothing listens there; start the server, or correct host and port"
        )),
        _ => Fault::broken(format!("{node} cannot be reached: {error}")),
    }
}

async fn secure(tls: &TlsConnector, node: &Endpoint, tcp: TcpStream) -> Result<Box<dyn Stream>, Fault> {
    let name = ServerName::try_from(node.host.clone())
        .map_err(|_| Fault::misconfigured(format!("{} is not a name that a certificate can have", node.host)))?;
    let stream = tls.connect(name, tcp).await.map_err(|error| insecure(node, &error))?;
    match stream.get_ref().1.alpn_protocol() {
        // A server that does not negotiate may still use HTTP/2. One that chose another protocol
        // does not.
        None | Some(b"h2") => Ok(Box::new(stream)),
        Some(other) => Err(Fault::misconfigured(format!(
            "{node} speaks {} and not HTTP/2: it is not an EventStoreDB or KurrentDB",
            String::from_utf8_lossy(other)
        ))),
    }
}

/// Why the TLS handshake failed, and what to do about it.
fn insecure(node: &Endpoint, error: &io::Error) -> Fault {
    let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match reason {
        Some(rustls::Error::InvalidCertificate(wrong)) => Fault::misconfigured(bad_certificate(node, wrong)),
        Some(rustls::Error::InvalidMessage(_)) => Fault::misconfigured(format!(
            "{node} does not speak TLS; add tls=false to the connection string, or enable TLS on the server"
        )),
        Some(rustls::Error::AlertReceived(alert)) => Fault::misconfigured(format!(
            "{node} refuses the TLS handshake ({alert:?}); where it demands a certificate, name one with userCertFile and \
             userKeyFile"
        )),
        Some(other) => Fault::misconfigured(format!("TLS with {node} fails: {other}")),
        None => Fault::broken(format!(
            "{node} ends the TLS handshake ({error}); if it does not speak TLS, add tls=false to the connection string"
        )),
    }
}

fn bad_certificate(node: &Endpoint, wrong: &CertificateError) -> String {
    match CertificateFault::from(wrong) {
        CertificateFault::UnknownAuthority => format!(
            "the certificate of {node} is signed by an authority that is not trusted; name the authority's certificate with \
             tlsCAFile=FILE in the connection string"
        ),
        CertificateFault::Expired => format!("the certificate of {node} has expired; renew it on the server"),
        CertificateFault::NotYetValid => {
            format!("the certificate of {node} is not valid yet; compare the clocks of both machines")
        }
        CertificateFault::OtherName => format!(
            "the certificate of {node} is not for the name {}; connect by a name that it has, or renew it with this one",
            node.host
        ),
        CertificateFault::Other(other) => format!("the certificate of {node} is refused: {other}"),
    }
}

fn client_config(settings: &Settings) -> Result<ClientConfig, ConnectError> {
    let trust = match &settings.ca_file {
        _ if !settings.verify_certificate => Trust::Anyone,
        Some(file) => Trust::Only(file.into()),
        None => Trust::Machine,
    };
    let pair = settings.user_certificate.as_ref().map(|(certificate, key)| (certificate.into(), key.into()));
    let mut config = ClientFiles { trust, pair }.load().map_err(|fault| unusable(settings, &fault))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// Names the option of the file that cannot be used.
fn unusable(settings: &Settings, fault: &FileFault) -> ConnectError {
    if matches!(fault, FileFault::NoAuthorities) {
        return ConnectError(format!(
            "{fault} with tlsCAFile=FILE, or use tls=false with a server that does not use TLS"
        ));
    }
    let is = |file: &str| fault.path() == Some(Path::new(file));
    let option = match (&settings.ca_file, &settings.user_certificate) {
        (Some(ca), _) if is(ca) => "tlsCAFile",
        (_, Some((certificate, _))) if is(certificate) => "userCertFile",
        (_, Some((_, key))) if is(key) => "userKeyFile",
        _ => return ConnectError(fault.to_string()),
    };
    ConnectError(format!("{option}: {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_sends_small_writes_at_once() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let node = Endpoint { host: "127.0.0.1".into(), port: address.port() };
        assert!(connect(&node, None).await.unwrap().nodelay().unwrap());
        assert!(connect(&node, Some(address)).await.unwrap().nodelay().unwrap());
    }

    #[test]
    fn the_error_names_a_file_that_is_missing_or_invalid() {
        let other = tempfile::NamedTempFile::new().unwrap();
        let other = other.path().to_str().unwrap();
        for (option, file) in [("tlsCAFile", "/missing/ca.pem"), ("tlsCAFile", other)] {
            let settings = Settings::parse(&format!("esdb://a?{option}={file}")).unwrap();
            let error = Dialer::new(&settings).err().unwrap().to_string();
            assert!(error.contains(option) && error.contains(file), "{error}");
        }
        let pair = format!("esdb://a?tlsVerifyCert=false&userCertFile={other}&userKeyFile={other}");
        let error = Dialer::new(&Settings::parse(&pair).unwrap()).err().unwrap().to_string();
        assert!(error.contains("userCertFile"), "{error}");
    }
}
