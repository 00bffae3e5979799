//! What secures a system in tests: certificates of one authority, users of the node, keys of
//! callers, and secrets that sign requests.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postgres_cluster::testing::{OwnCluster, TlsFiles, loopback_address};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Certificate, Client, ClientBuilder, Identity};
use tempfile::TempDir;
use tls::testing::{Authority, Files};

use crate::process::binary;

/// Settings of a process.
pub type Settings = Vec<(String, String)>;

/// The participants that have a secret.
const PARTICIPANTS: [&str; 4] = ["orders", "payments", "shipping", "notifications"];
const PASSWORD: &str = "s3cret";

/// One authority, and the files that it has issued.
pub struct Certificates {
    pub authority: Authority,
    pub folder: TempDir,
    pub root: PathBuf,
    pub listener: Files,
    pub client: Files,
}

impl Certificates {
    pub fn new() -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let root = authority.file(folder.path());
        let listener = authority.issue("listener", &["127.0.0.1", "localhost"]).files(folder.path(), "listener");
        let client = authority.issue("tenuto", &[]).files(folder.path(), "client");
        Self { authority, folder, root, listener, client }
    }

    /// A client of HTTP that trusts only this authority, and shows a certificate.
    pub fn client(&self, root: &Path) -> Client {
        self.client_builder(root).build().unwrap()
    }

    fn client_builder(&self, root: &Path) -> ClientBuilder {
        let identity = [&self.client.certificate, &self.client.key].map(|file| std::fs::read(file).unwrap()).concat();
        Client::builder()
            .tls_built_in_root_certs(false)
            .add_root_certificate(Certificate::from_pem(&std::fs::read(root).unwrap()).unwrap())
            .identity(Identity::from_pem(&identity).unwrap())
            .tcp_nodelay(true)
            .timeout(Duration::from_secs(30))
    }

    /// Starts a server that has a certificate, and asks for one.
    pub async fn postgres(&self) -> (OwnCluster, String) {
        let address = loopback_address();
        let issued = self.authority.issue("postgres", &[&address.to_string()]);
        let client_ca = self.authority.certificate().to_owned();
        let files = TlsFiles { certificate: issued.certificate, key: issued.key, client_ca };
        let access = "local all all trust\nhostssl all all all trust clientcert=verify-full\n";
        let server = OwnCluster::on_the_network(&[address], Some(&files), access).await.unwrap();
        let Files { certificate, key } = &self.client;
        let url = format!(
            "postgres://tenuto@{address}/test?sslmode=verify-full&sslrootcert={}&sslcert={}&sslkey={}",
            text(&self.root),
            text(certificate),
            text(key),
        );
        (server, url)
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub fn borrowed(settings: &Settings) -> Vec<(&str, &str)> {
    settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// TLS on every way, a user of the node, an access file, and secrets of participants.
pub struct Security {
    certificates: Certificates,
    /// The key of an administrator.
    key: String,
}

impl Security {
    pub fn new() -> Self {
        let certificates = Certificates::new();
        let generated = binary().args(["key", "generate"]).output().unwrap();
        assert!(generated.status.success());
        let security = Self { key: String::from_utf8(generated.stdout).unwrap().trim().to_owned(), certificates };
        let secret = || format!("whsec_{}", STANDARD.encode(rand::random::<[u8; 32]>()));
        let secrets: String = PARTICIPANTS.map(|name| format!("{name}: [{}]\n", secret())).concat();
        let access = format!("admin-key-file = {:?}\n", security.path("admin.key"));
        for (name, content) in [
            ("admin.key", security.key.as_str()),
            ("access.toml", &access),
            ("password", PASSWORD),
            ("secrets.yaml", &secrets),
        ] {
            std::fs::write(security.certificates.folder.path().join(name), content).unwrap();
        }
        security
    }

    fn path(&self, name: &str) -> String {
        text(&self.certificates.folder.path().join(name)).to_owned()
    }

    /// A server that speaks TLS with clients that have a certificate.
    pub async fn postgres(&self) -> (OwnCluster, String) {
        self.certificates.postgres().await
    }

    /// The node's connection string, as an administrator, from the one that it prints.
    pub fn log(&self, printed: &str) -> String {
        assert!(printed.ends_with("?tls=true"), "{printed}");
        let log = printed.replacen("://", &format!("://admin:{PASSWORD}@"), 1);
        format!("{log}&tlsCAFile={}", text(&self.certificates.root))
    }

    /// A client without a key.
    pub fn transport(&self) -> Client {
        self.certificates.client(&self.certificates.root)
    }

    /// A client with the key of an administrator.
    pub fn client(&self) -> Client {
        let bearer = HeaderValue::from_str(&format!("Bearer {}", self.key)).unwrap();
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
        self.certificates.client_builder(&self.certificates.root).default_headers(headers).build().unwrap()
    }

    fn of_listener(&self) -> Settings {
        let Certificates { root, listener: Files { certificate, key }, .. } = &self.certificates;
        settings(&[
            ("TENUTO_TLS_CERTIFICATE", text(certificate)),
            ("TENUTO_TLS_KEY", text(key)),
            ("SSL_CERT_FILE", text(root)),
            ("TENUTO_PARTICIPANT_SECRETS_FILE", &self.path("secrets.yaml")),
        ])
    }

    /// Of the node.
    pub fn of_node(&self) -> Settings {
        [self.of_listener(), settings(&[("TENUTO_EVENTSTORE_ADMIN_PASSWORD_FILE", &self.path("password"))])].concat()
    }

    /// Of the reference services, which serve only clients with a certificate.
    pub fn of_services(&self) -> Settings {
        let clients =
            [("TENUTO_TLS_CLIENT_CA", text(&self.certificates.root)), ("TENUTO_TLS_CLIENT_CERTIFICATES", "required")];
        [self.of_listener(), settings(&clients)].concat()
    }

    /// Of any other role.
    pub fn of_role(&self) -> Settings {
        let Certificates { root, client: Files { certificate, key }, .. } = &self.certificates;
        let access = self.path("access.toml");
        let role = [
            ("TENUTO_ACCESS", access.as_str()),
            ("TENUTO_PARTICIPANTS_CA_FILE", text(root)),
            ("TENUTO_PARTICIPANTS_CERTIFICATE", text(certificate)),
            ("TENUTO_PARTICIPANTS_KEY", text(key)),
        ];
        [self.of_listener(), settings(&role)].concat()
    }

    /// Of a client command.
    pub fn of_command(&self) -> Settings {
        settings(&[("SSL_CERT_FILE", text(&self.certificates.root)), ("TENUTO_TOKEN_FILE", &self.path("admin.key"))])
    }
}

fn settings(pairs: &[(&str, &str)]) -> Settings {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
