//! Connections that fail, over real sockets.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::mistake::mistake;
use super::names::SystemNames;
use super::proxies::Proxies;

const CERTIFICATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/certificates");

/// A server that answers each connection with these bytes, and closes it.
async fn server(answer: &'static [u8]) -> u16 {
    serve(move |mut stream: TcpStream| async move {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(answer).await;
    })
    .await
}

/// A TLS server with one of the certificates. It may require a client certificate. It answers 204.
async fn tls_server(certificate: &str, demands_one: bool) -> u16 {
    let file = |name: &str| format!("{CERTIFICATES}/{name}");
    let chain = CertificateDer::pem_file_iter(file(&format!("{certificate}.pem"))).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = if demands_one {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(file("authority.pem")).unwrap()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let config = builder.with_single_cert(chain.collect::<Result<_, _>>().unwrap(), key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    serve(move |stream: TcpStream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

async fn serve<F: Future<Output = ()> + Send + 'static>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    port
}

fn with_proxies(variable: impl Fn(&str) -> Option<String>) -> ClientBuilder {
    Proxies::of(variable).builder(Arc::new(SystemNames)).unwrap()
}

/// A client that trusts the tests' authority, with this proxy for TLS.
fn client(proxy: Option<u16>) -> Client {
    let pem = std::fs::read(format!("{CERTIFICATES}/authority.pem")).unwrap();
    let proxy = |name: &str| {
        let port = proxy.filter(|_| name == "https_proxy")?;
        Some(format!("http://127.0.0.1:{port}"))
    };
    let builder = with_proxies(proxy).add_root_certificate(Certificate::from_pem(&pem).unwrap());
    builder.timeout(Duration::from_secs(20)).build().unwrap()
}

async fn mistake_of(client: &Client, url: &str) -> Option<String> {
    mistake(&client.post(url).body("{}").send().await.expect_err(url))
}

fn assert_says(mistake: Option<&str>, parts: &[&str]) {
    let mistake = mistake.unwrap_or_else(|| panic!("no mistake is found, where {parts:?} was expected"));
    assert!(parts.iter().all(|part| mistake.contains(part)) && !mistake.contains('\n'), "{parts:?}: {mistake}");
}

#[tokio::test]
async fn a_trusted_certificate_for_the_name_is_accepted() {
    let port = tls_server("valid", false).await;
    assert_eq!(client(None).get(format!("https://localhost:{port}/")).send().await.unwrap().status(), 204);
}

#[tokio::test]
async fn each_fault_of_a_certificate_is_a_mistake_with_its_remedy() {
    for (certificate, parts) in [
        ("expired", ["has expired", "renew it"]),
        ("not-yet", ["is not valid yet", "compare the clocks"]),
        ("other-name", ["is for another name", "correct the host name"]),
    ] {
        let port = tls_server(certificate, false).await;
        let mistake_text = mistake_of(&client(None), &format!("https://localhost:{port}/")).await;
        assert_says(mistake_text.as_deref(), &parts);
        assert_says(mistake_text.as_deref(), &[&format!("localhost:{port}")]);
    }
    let port = tls_server("valid", false).await;
    let trusts_others = with_proxies(|_| None).build().unwrap();
    let mistake_text = mistake_of(&trusts_others, &format!("https://localhost:{port}/")).await;
    assert_says(mistake_text.as_deref(), &["an authority that is not trusted", "SSL_CERT_FILE"]);
}

#[tokio::test]
async fn a_server_that_demands_a_certificate_of_its_clients_is_a_mistake() {
    let port = tls_server("valid", true).await;
    let mistake_text = mistake_of(&client(None), &format!("https://localhost:{port}/")).await;
    assert_says(mistake_text.as_deref(), &["demands a certificate"]);
}

#[tokio::test]
async fn a_handshake_that_fails_is_a_mistake() {
    // The bytes are a TLS alert: fatal, handshake_failure.
    for (answer, part) in [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".as_slice(), "does not speak TLS"),
        (&[21, 3, 3, 0, 2, 2, 40], "refuses the TLS handshake (HandshakeFailure)"),
        (b"", "closes the connection in the TLS handshake"),
    ] {
        let port = server(answer).await;
        assert_says(mistake_of(&client(None), &format!("https://localhost:{port}/")).await.as_deref(), &[part]);
    }
}

#[tokio::test]
async fn an_unknown_host_is_a_mistake_and_its_url_s_password_is_not_shown() {
    for url in ["http://ann:s3cret@participant.invalid/pay", "https://ann:s3cret@participant.invalid/pay"] {
        let mistake_text = mistake_of(&client(None), url).await;
        assert_says(mistake_text.as_deref(), &["the host participant.invalid is not found", "correct the URL"]);
        assert!(!mistake_text.unwrap().contains("s3cret"));
    }
}

#[tokio::test]
async fn a_refusing_proxy_is_a_mistake_and_an_unreachable_one_is_not() {
    for (answer, part) in [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n".as_slice(), "demands a user and a password"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "the proxy opens no connection to shop.example:443"),
    ] {
        let client = client(Some(server(answer).await));
        assert_says(mistake_of(&client, "https://shop.example/").await.as_deref(), &[part, "NO_PROXY"]);
    }
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert_eq!(mistake_of(&client(Some(proxy)), "https://shop.example/").await, None);
}

#[tokio::test]
async fn a_passing_fault_and_a_sent_request_are_not_mistakes() {
    let closed_port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let closes = server(b"").await;
    for port in [closed_port, closes] {
        assert_eq!(mistake_of(&client(None), &format!("http://localhost:{port}/")).await, None);
    }
    assert_eq!(mistake_of(&client(None), &format!("https://localhost:{closed_port}/")).await, None);
}
