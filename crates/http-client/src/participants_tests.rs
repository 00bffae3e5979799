//! Requests to a server with a private authority, which may demand a certificate.

use std::time::Duration;

use tls::testing::{Authority, Files};
use tls::{ListenerFiles, Secured};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::mistake::mistake;
use super::{ParticipantFiles, builder};
use tls::listener::ClientCertificates;

/// A server that answers with the names of the client's certificate.
async fn server(own: Files, clients: &std::path::Path, required: ClientCertificates) -> u16 {
    let files = ListenerFiles {
        tls_certificate: Some(own.certificate),
        tls_key: Some(own.key),
        tls_client_ca: Some(clients.to_owned()),
        tls_client_certificates: Some(required),
    };
    let tls = files.load(&["http/1.1"]).unwrap().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let Ok(Secured { mut stream, certificate }) = tls.accept(stream).await else { return };
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let names = certificate.map_or("-".to_owned(), |certificate| certificate.names.join(","));
                let length = names.len();
                let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{names}");
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    port
}

/// The answer, or the mistake that a person must correct.
async fn ask(files: &ParticipantFiles, port: u16) -> Result<String, String> {
    let client = files.load().unwrap().of(builder().unwrap()).timeout(Duration::from_secs(30)).build().unwrap();
    match client.get(format!("https://localhost:{port}/")).send().await {
        Ok(answer) => Ok(answer.text().await.unwrap()),
        Err(error) => Err(mistake(&error).unwrap()),
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_and_a_certificate_is_shown() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let trusted = authority.file(folder.path());
    let own = authority.issue("participant", &["localhost"]).files(folder.path(), "participant");
    let Files { certificate, key } = authority.issue("tenuto", &[]).files(folder.path(), "tenuto");
    let nothing = ParticipantFiles::default();
    let with_authority = ParticipantFiles { participants_ca_file: Some(trusted.clone()), ..nothing.clone() };
    let with_certificate = ParticipantFiles {
        participants_certificate: Some(certificate),
        participants_key: Some(key),
        ..with_authority.clone()
    };
    for (required, without) in [(ClientCertificates::Optional, Ok("-")), (ClientCertificates::Required, Err(()))] {
        let port = server(own.clone(), &trusted, required).await;
        assert_eq!(ask(&with_certificate, port).await.unwrap(), "tenuto", "{required:?}");
        assert!(ask(&nothing, port).await.unwrap_err().contains("--participants-ca-file"), "{required:?}");
        match (ask(&with_authority, port).await, without) {
            (Ok(names), Ok(expected)) => assert_eq!(names, expected),
            (Err(mistake), Err(())) => assert!(mistake.contains("--participants-certificate"), "{mistake}"),
            (answered, _) => panic!("{required:?}: {answered:?}"),
        }
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_with_its_option() {
    let files =
        ParticipantFiles { participants_ca_file: Some("/missing/ca.pem".into()), ..ParticipantFiles::default() };
    let fault = files.load().unwrap_err().to_string();
    assert!(fault.contains("/missing/ca.pem") && fault.contains("--participants-ca-file"), "{fault}");
}
