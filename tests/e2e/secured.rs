//! Each role in a separate process, with TLS on every way between them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use postgres_cluster::testing::{OwnCluster, TlsFiles, loopback_address};
use reqwest::{Certificate, Client, Identity};
use serde_json::{Value, json};
use tempfile::TempDir;
use tls::testing::{Authority, Files};

use crate::process::{Process, until};
use crate::world::order;

/// One authority, and the files that it has issued.
struct Certificates {
    authority: Authority,
    folder: TempDir,
    root: PathBuf,
    listener: Files,
    client: Files,
}

impl Certificates {
    fn new() -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let root = authority.file(folder.path());
        let listener = authority.issue("listener", &["127.0.0.1", "localhost"]).files(folder.path(), "listener");
        let client = authority.issue("tenuto", &[]).files(folder.path(), "client");
        Self { authority, folder, root, listener, client }
    }

    /// A client of HTTP that trusts only this authority, and shows a certificate.
    fn client(&self, root: &Path) -> Client {
        let identity = [&self.client.certificate, &self.client.key].map(|file| std::fs::read(file).unwrap()).concat();
        Client::builder()
            .tls_built_in_root_certs(false)
            .add_root_certificate(Certificate::from_pem(&std::fs::read(root).unwrap()).unwrap())
            .identity(Identity::from_pem(&identity).unwrap())
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A role with the listener's certificate. It trusts only the authority of the test.
fn role(certificates: &Certificates, arguments: &[&str], environment: &[(&str, &str)]) -> Process {
    let Files { certificate, key } = &certificates.listener;
    let own = [
        ("TENUTO_TLS_CERTIFICATE", text(certificate)),
        ("TENUTO_TLS_KEY", text(key)),
        ("SSL_CERT_FILE", text(&certificates.root)),
    ];
    Process::start(&[arguments, &["--listen", "127.0.0.1:0"]].concat(), &[&own[..], environment].concat())
}

/// Starts a server that has a certificate for this address, and asks for none.
async fn postgres(certificates: &Certificates) -> (OwnCluster, String) {
    let address = loopback_address();
    let issued = certificates.authority.issue("postgres", &[&address.to_string()]);
    let client_ca = certificates.authority.certificate().to_owned();
    let files = TlsFiles { certificate: issued.certificate, key: issued.key, client_ca };
    let access = "local all all trust\nhostssl all all all trust clientcert=verify-full\n";
    let server = OwnCluster::on_the_network(&[address], Some(&files), access).await.unwrap();
    let Files { certificate, key } = &certificates.client;
    let url = format!(
        "postgres://tenuto@{address}/test?sslmode=verify-full&sslrootcert={}&sslcert={}&sslkey={}",
        text(&certificates.root),
        text(certificate),
        text(key),
    );
    (server, url)
}

async fn posted(client: &Client, url: &str, body: &Value) -> u16 {
    client.post(url).json(body).send().await.unwrap().status().as_u16()
}

async fn queried(client: &Client, url: &str, query: &str) -> Value {
    let answer = client.post(url).json(&json!({ "query": query })).send().await.unwrap();
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_comes_to_its_end_with_tls_on_every_way() {
    let certificates = Certificates::new();
    let (_postgres, postgres) = postgres(&certificates).await;
    let data = certificates.folder.path().join("log");
    let password = certificates.folder.path().join("password");
    std::fs::write(&password, "s3cret\n").unwrap();
    let node = ["event-store", "--data", text(&data), "--admin-password-file", text(&password)];
    let node = role(&certificates, &node, &[]);
    let log = node.line_after("the log at ");
    assert!(log.ends_with("?tls=true"), "{log}");
    let log = log.replacen("://", "://admin:s3cret@", 1);
    let log = format!("{log}&tlsCAFile={}", text(&certificates.root));
    let servers = [("TENUTO_POSTGRES", postgres.as_str()), ("TENUTO_EVENTSTORE", log.as_str())];

    let clients = ["--tls-client-ca", text(&certificates.root), "--tls-client-certificates", "required"];
    let participants = role(&certificates, &[&["participants"], &clients[..]].concat(), &servers);
    let services = participants.line_after("notifications at ");
    let _projector = role(&certificates, &["projector"], &servers);
    let queries_of = role(&certificates, &["query-api"], &servers);
    let urls = ["orders", "payments", "shipping", "notifications"]
        .map(|name| (format!("{}_URL", name.to_uppercase()), format!("{services}/{name}")));
    let urls = urls.each_ref().map(|(name, url)| (name.as_str(), url.as_str()));
    let Files { certificate, key } = &certificates.client;
    let shown = ["--participants-certificate", text(certificate), "--participants-key", text(key)];
    let trusted = ["--participants-ca-file", text(&certificates.root)];
    let handler =
        role(&certificates, &[&["command-handler"], &shown[..], &trusted].concat(), &[&servers[..], &urls].concat());
    let (orders, queries) = (handler.line_after("commands at "), queries_of.line_after("queries at "));

    let client = certificates.client(&certificates.root);
    for url in [&services, &orders, &queries] {
        assert!(url.starts_with("https://"), "{url}");
        let plain = client.get(url.replacen("https", "http", 1)).send().await.unwrap();
        assert_eq!(plain.status().as_u16(), 400, "{url}");
    }
    let stock = json!([{ "sku": "11", "quantity": 5 }]);
    assert!(posted(&client, &format!("{services}/shipping/stock"), &stock).await < 300);
    assert_eq!(posted(&client, &orders, &order("A", "order-fulfilment", "11", 2)).await, 202);
    until("the order is completed", async || {
        let answer = queried(&client, &queries, "{ order(id: \"A\") { status state } }").await;
        answer["data"]["order"] == json!({ "status": "Shipped", "state": "COMPLETED" })
    })
    .await;

    let next = Authority::new();
    let renewed = next.issue("listener", &["127.0.0.1"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let only_next = certificates.client(&next.file(elsewhere.path()));
    assert!(only_next.get(&queries).send().await.is_err(), "another authority is trusted");
    std::fs::write(&certificates.listener.certificate, &renewed.certificate).unwrap();
    std::fs::write(&certificates.listener.key, &renewed.key).unwrap();
    until("the renewed certificate is shown", async || only_next.get(&queries).send().await.is_ok()).await;
}
