//! Each role in a separate process, with TLS on every way between them.

use postgres_cluster::testing::database;
use reqwest::{Certificate, Client, Identity};
use serde_json::{Value, json};
use tls::testing::{Authority, Files};

use crate::process::{Process, until};
use crate::security::{Certificates, text};
use crate::world::order;

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
    let (_postgres, postgres) = certificates.postgres().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_certificate_is_a_principal_with_the_roles_of_the_access_file() {
    let (certificates, database) = (Certificates::new(), database().await);
    let folder = certificates.folder.path();
    let (access, data) = (folder.join("access.toml"), folder.join("data"));
    std::fs::write(&access, "[client-certificates]\ntenuto = [\"shop\"]\n").unwrap();
    let arguments = ["dev", "--no-samples", "--data", text(&data), "--access", text(&access)];
    let clients = ["--tls-client-ca", text(&certificates.root)];
    let postgres = [("TENUTO_POSTGRES", database.url())];
    let process = role(&certificates, &[&arguments[..], &clients].concat(), &postgres);
    let orders = process.line_after("commands   POST ");
    let base = orders.trim_end_matches("/orders");

    let trusting = |identity: Option<Files>| {
        let root = Certificate::from_pem(certificates.authority.certificate().as_bytes()).unwrap();
        let client = Client::builder().tls_built_in_root_certs(false).add_root_certificate(root);
        match identity {
            None => client.build().unwrap(),
            Some(Files { certificate, key }) => {
                let pem = [certificate, key].map(|file| std::fs::read(file).unwrap()).concat();
                client.identity(Identity::from_pem(&pem).unwrap()).build().unwrap()
            }
        }
    };
    let guest = certificates.authority.issue("guest", &["tenuto.example"]).files(folder, "guest");
    let (shop, guest, nobody) = (certificates.client(&certificates.root), trusting(Some(guest)), trusting(None));
    until("it is ready", async || shop.get(format!("{base}/readyz")).send().await.unwrap().status() == 200).await;
    assert_eq!(posted(&shop, &orders, &order("A", "order-fulfilment", "11", 1)).await, 202);
    for (client, said) in [(&guest, "[client-certificates]"), (&nobody, "has no credentials")] {
        let refused = client.post(&orders).json(&order("B", "order-fulfilment", "11", 1)).send().await.unwrap();
        assert_eq!((refused.status().as_u16(), refused.headers().contains_key("www-authenticate")), (401, true));
        let refused = refused.text().await.unwrap();
        assert!(refused.contains(said), "{refused}");
    }
    let forbidden = shop.post(format!("{base}/workflows")).body("x").send().await.unwrap();
    assert_eq!(forbidden.status(), 403);
    assert!(forbidden.text().await.unwrap().contains("tenuto@certificate may not register workflows"));
    // A token that is sent counts, and this one is none.
    let rejected = shop.get(format!("{base}/orders/A")).bearer_auth("e30.e30.e30").send().await.unwrap();
    assert_eq!(rejected.status(), 401);
    until("the order has the name of the certificate", async || {
        let answer = queried(&shop, &format!("{base}/graphql"), "{ order(id: \"A\") { placedBy } }").await;
        answer["data"]["order"]["placedBy"] == "tenuto@certificate"
    })
    .await;
}
