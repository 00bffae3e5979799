//! Mistakes that a person must correct before a connection is possible. The server certainly did
//! not receive such a request.

use std::error::Error;
use std::io::{self, ErrorKind};

use reqwest::Url;
use tls::CertificateFault;
use tokio_rustls::rustls::{self, AlertDescription, CertificateError};

use super::destinations::NotPermitted;
use super::names::NotFound;

/// An error and its causes, one after another.
#[derive(Debug)]
pub struct Causes<'e>(Option<&'e (dyn Error + 'static)>);

/// The causes of an error, from the error itself to the deepest. Unlike `source`, this finds what
/// an `io::Error` wraps.
pub fn causes<'e>(error: &'e (dyn Error + 'static)) -> Causes<'e> {
    Causes(Some(error))
}

impl<'e> Iterator for Causes<'e> {
    type Item = &'e (dyn Error + 'static);

    fn next(&mut self) -> Option<Self::Item> {
        let error = self.0?;
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        self.0 = wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| error.source());
        Some(error)
    }
}

/// What a person must correct before any request gets a connection to this server, in one line.
/// `None` for a fault that may pass, such as a refused connection, or if the server may have
/// received the request.
pub fn mistake(error: &reqwest::Error) -> Option<String> {
    let server = error.url().map(server).unwrap_or_default();
    let refusal = causes(error).find_map(|cause| cause.downcast_ref());
    if !error.is_connect() {
        return of_a_refused_client(&server, refusal?);
    }
    if let Some(NotFound { host, cause }) = causes(error).find_map(|cause| cause.downcast_ref()) {
        return Some(format!("not sent: the host {host} is not found ({cause}); correct the URL, or the name service"));
    }
    let not_permitted = causes(error).find_map(|cause| cause.downcast_ref::<NotPermitted>());
    if let Some(not_permitted) = not_permitted {
        return Some(format!("not sent: {not_permitted}"));
    }
    if let Some(reason) = refusal {
        return Some(of_a_handshake(&server, reason));
    }
    causes(error).find_map(|cause| of_a_proxy(&server, cause)).or_else(|| of_a_closed_handshake(&server, error))
}

/// Host and port.
pub(super) fn server(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn of_a_handshake(server: &str, reason: &rustls::Error) -> String {
    match reason {
        rustls::Error::InvalidCertificate(wrong) => of_a_certificate(server, wrong),
        rustls::Error::InvalidMessage(_) => {
            format!("not sent: {server} does not speak TLS; use http:// in the URL, or enable TLS there")
        }
        rustls::Error::AlertReceived(alert) => format!(
            "not sent: {server} refuses the TLS handshake ({alert:?}); correct the host name in the URL, or the server's settings"
        ),
        other => format!("not sent: no TLS connection to {server}: {other}; correct the URL, or the server's settings"),
    }
}

fn of_a_certificate(server: &str, wrong: &CertificateError) -> String {
    match CertificateFault::from(wrong) {
        CertificateFault::UnknownAuthority => format!(
            "not sent: the certificate of {server} is signed by an authority that is not trusted; let this machine trust it, \
             or name its certificate in SSL_CERT_FILE and restart; for participants, --participants-ca-file names it too"
        ),
        CertificateFault::Expired => {
            format!("not sent: the certificate of {server} has expired; renew it there")
        }
        CertificateFault::NotYetValid => {
            format!("not sent: the certificate of {server} is not valid yet; compare the clocks of both machines")
        }
        CertificateFault::OtherName => format!(
            "not sent: the certificate of {server} is for another name; correct the host name in the URL, or renew the certificate with this one"
        ),
        CertificateFault::Other(other) => {
            format!("not sent: the certificate of {server} is refused: {other}; correct it there")
        }
    }
}

/// In TLS 1.3, a server refuses a client after the handshake has ended for the client. The server
/// has not read the request.
fn of_a_refused_client(server: &str, reason: &rustls::Error) -> Option<String> {
    use AlertDescription::{AccessDenied, BadCertificate, CertificateRequired, CertificateUnknown, UnknownCA};
    match reason {
        rustls::Error::AlertReceived(
            alert @ (AccessDenied | BadCertificate | CertificateRequired | CertificateUnknown | UnknownCA),
        ) => Some(format!(
            "not received: {server} demands a certificate of its clients ({alert:?}) that it trusts; for participants, name one with \
             --participants-certificate and --participants-key, or allow requests without one there"
        )),
        _ => None,
    }
}

/// Why a proxy opens no tunnel. The library hides the type of these errors, so only their text is
/// left.
fn of_a_proxy(server: &str, cause: &(dyn Error + 'static)) -> Option<String> {
    match cause.to_string().strip_prefix("tunnel error: ")? {
        "proxy authorization required" => Some(format!(
            "not sent: the proxy on the way to {server} demands a user and a password; give them in HTTPS_PROXY, or name the \
             host in NO_PROXY"
        )),
        "unsuccessful" => Some(format!(
            "not sent: the proxy opens no connection to {server}; allow it there, or name the host in NO_PROXY"
        )),
        _ => None,
    }
}

fn of_a_closed_handshake(server: &str, error: &reqwest::Error) -> Option<String> {
    let is_tls = error.url().is_some_and(|url| url.scheme() == "https");
    let closed = |cause: &io::Error| {
        matches!(
            cause.kind(),
            ErrorKind::UnexpectedEof
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
        )
    };
    let is_closed = causes(error).filter_map(|cause| cause.downcast_ref()).any(closed);
    (is_tls && is_closed).then(|| {
        format!(
            "not sent: {server} closes the connection in the TLS handshake; correct the URL, or the server's settings"
        )
    })
}
