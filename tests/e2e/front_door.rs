//! One address for the whole API: either role serves all of it, and so does a proxy before both
//! that knows no paths.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ::access::routes::ROUTES;
use reqwest::{Certificate, Client, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tls::testing::{Authority, Files};

use crate::parts::Parts;
use crate::process::{Address, Process, until};
use crate::socket::Socket;
use crate::world::order;

/// Reference services, a command handler and a query API that forward to each other, and a
/// projector.
struct Roles {
    handler: String,
    queries: String,
    /// Where the stock of the shipping service is set.
    stock: String,
    _parts: Parts,
    _processes: [Process; 3],
}

impl Roles {
    /// Starts them. `public`: where the services deliver their later answers, and the authority
    /// that they trust there.
    async fn start(public: Option<(&str, &Path)>) -> Self {
        let (parts, handler_at, queries_at) = (Parts::new().await, Address::new(), Address::new());
        let trusted = public.map(|(_, authority)| ("SSL_CERT_FILE", authority.to_str().unwrap()));
        let services = parts.start_in(&["participants", "--listen", "127.0.0.1:0"], trusted.as_slice());
        let services_at = services.line_after("notifications at ");
        let urls = ["orders", "payments", "shipping", "notifications"]
            .map(|name| (format!("{}_URL", name.to_uppercase()), format!("{services_at}/{name}")));
        let urls = urls.each_ref().map(|(name, url)| (name.as_str(), url.as_str()));
        let (handler, queries) = (handler_at.url(), queries_at.url());
        let public = public.map_or(queries.as_str(), |(url, _)| url);
        let arguments = ["command-handler", "--listen", handler_at.as_str(), "--query-url", &queries];
        let of_handler = parts.start_in(&[&arguments[..], &["--public-url", public]].concat(), &urls);
        let arguments = ["query-api", "--listen", queries_at.as_str(), "--command-url", &handler];
        let of_queries = parts.start_in(&arguments, &[]);
        of_handler.line_after("commands at ");
        of_queries.line_after("queries at ");
        let stock = format!("{services_at}/shipping/stock");
        Self { handler, queries, stock, _parts: parts, _processes: [services, of_handler, of_queries] }
    }
}

async fn posted(http: &Client, url: &str, body: &Value) -> Response {
    http.post(url).json(body).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn either_role_answers_every_route_of_the_api() {
    let roles = Roles::start(None).await;
    let http = Client::new();
    for (method, path, _) in ROUTES {
        let path = path.replace("{*path}", "orders").replace(['{', '}'], "");
        let mut answers = Vec::new();
        for base in [&roles.handler, &roles.queries] {
            let answer = http.request(method.parse().unwrap(), format!("{base}{path}")).send().await.unwrap();
            let status = answer.status().as_u16();
            let policy = answer.headers().get("content-security-policy").cloned();
            let text = answer.text().await.unwrap();
            assert!(status != 405 && !text.contains("no such path"), "{method} {base}{path}: {status} {text}");
            answers.push((status, policy, text));
        }
        let changes_nothing = *method == "GET" && path != "/metrics" && path != "/readyz";
        assert!(!changes_nothing || answers[0] == answers[1], "{method} {path}: {answers:?}");
    }
    for base in [&roles.handler, &roles.queries] {
        let unknown = http.get(format!("{base}/nowhere")).send().await.unwrap();
        assert_eq!(unknown.status().as_u16(), 404);
        let other = http.put(format!("{base}/orders/batch")).send().await.unwrap();
        assert_eq!(
            (other.status().as_u16(), &other.headers()["allow"]),
            (405, &"GET, POST".parse().unwrap()),
            "{base}"
        );
    }
}

/// What clients and participants do, through one address.
async fn an_order_lives(roles: &Roles, http: &Client, base: &str) {
    let stock = posted(http, &roles.stock, &json!([{ "sku": "11", "quantity": 10 }])).await;
    assert!(stock.status().is_success());
    let fields = "status state timeline { nodes { type } }";
    let subscription = json!({ "query": format!("subscription {{ order(id: \"A\") {{ {fields} }} }}") });
    // As a page of this address sends it.
    let place = http.post(format!("{base}/orders")).header("origin", base);
    let placed = place.json(&order("A", "order-fulfilment", "11", 2)).send().await.unwrap();
    assert_eq!(placed.status().as_u16(), 202, "{}", placed.text().await.unwrap());
    let graphql = format!("{base}/graphql");
    let events = http.post(&graphql).header("accept", "text/event-stream").json(&subscription);
    let mut events = events.send().await.unwrap();
    assert_eq!(events.headers()["content-type"].to_str().unwrap().split(';').next(), Some("text/event-stream"));
    let mut seen = String::new();
    while !seen.contains("\"COMPLETED\"") {
        let chunk = events.chunk().await.unwrap().unwrap_or_else(|| panic!("the events ended: {seen}"));
        seen.push_str(&String::from_utf8_lossy(&chunk));
    }
    let query = json!({ "query": format!("{{ order(id: \"A\") {{ {fields} }} }}") });
    let answer: Value = posted(http, &graphql, &query).await.json().await.unwrap();
    let order = &answer["data"]["order"];
    assert_eq!((&order["status"], &order["state"]), (&json!("Shipped"), &json!("COMPLETED")), "{answer}");
    let events = order["timeline"]["nodes"].as_array().unwrap();
    let has = |kind: &str| events.iter().any(|event| event["type"] == kind);
    assert!(has("OrderPlaced") && has("OrderCompleted"), "{answer}");
    let console = http.get(format!("{base}/")).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!((console.status().as_u16(), &console.headers()["content-encoding"]), (200, &"gzip".parse().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_lives_through_the_command_handler_alone_and_over_its_web_socket() {
    let roles = Roles::start(None).await;
    an_order_lives(&roles, &Client::new(), &roles.handler).await;
    a_web_socket_opens(&roles.handler).await;
}

async fn a_web_socket_opens(base: &str) {
    let mut socket = Socket::open(&format!("{}/graphql", base.replacen("http", "ws", 1))).await;
    socket.subscribe("a", "subscription { order(id: \"A\") { state } }").await;
    assert_eq!(socket.order("a").await, json!({ "state": "COMPLETED" }));
}

/// A proxy. It is killed when the value is dropped.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Proxy {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }
}

/// A program of the system; the search path of a user may lack the folder of servers.
fn program(name: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap();
    let folders = path.split(':').chain(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"]);
    let found = folders.map(|folder| Path::new(folder).join(name)).find(|file| file.exists());
    found.unwrap_or_else(|| panic!("this test needs {name}: tests/run installs it"))
}

/// An example in `deploy/`, with the values of a test. Each of them must stand in it.
fn example(file: &str, values: &[(&str, &str)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file);
    values.iter().fold(fs::read_to_string(path).unwrap(), |text, (from, to)| {
        assert!(text.contains(from), "deploy/{file} has no {from:?}");
        text.replace(from, to)
    })
}

async fn answers(http: &Client, base: &str) {
    until("the proxy answers", async || http.get(format!("{base}/livez")).send().await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_lives_through_nginx_as_the_example_has_it() {
    let (folder, at, plain) = (tempfile::tempdir().unwrap(), Address::new(), Address::new());
    let authority = Authority::new();
    let Files { certificate, key } = authority.issue("proxy", &["127.0.0.1"]).files(folder.path(), "proxy");
    let base = format!("https://{}", at.as_str());
    let roles = Roles::start(Some((&base, &authority.file(folder.path())))).await;
    let server = example(
        "nginx.conf",
        &[
            ("10.0.0.7:7007", host(&roles.handler)),
            ("10.0.0.7:7008", host(&roles.queries)),
            ("server 10.0.0.8:7007 fail_timeout=1s;\n", "\n"),
            ("server 10.0.0.8:7008 fail_timeout=1s;\n", "\n"),
            ("listen 443 ssl", &format!("listen {} ssl", at.as_str())),
            ("listen 80;", &format!("listen {};", plain.as_str())),
            ("/etc/ssl/tenuto.pem", certificate.to_str().unwrap()),
            ("/etc/ssl/tenuto.key", key.to_str().unwrap()),
        ],
    );
    let nginx = in_folder(&folder, "nginx.conf", &nginx_with(&folder, &server));
    let prefix = folder.path();
    let _proxy =
        Proxy::start(Command::new(program("nginx")).args(["-e", "stderr", "-p"]).arg(prefix).arg("-c").arg(nginx));
    let trusted = Certificate::from_pem(authority.certificate().as_bytes()).unwrap();
    let http = Client::builder().tls_built_in_root_certs(false).add_root_certificate(trusted).build().unwrap();
    answers(&http, &base).await;
    an_order_lives(&roles, &http, &base).await;
}

/// The whole configuration, of a process in the foreground without rights, around that of the
/// example.
fn nginx_with(folder: &TempDir, server: &str) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|of| format!("{of}_temp_path {}/{of};", folder.path().display()))
        .join(" ");
    let pid = folder.path().join("pid");
    let main = format!("daemon off; master_process off; pid {}; events {{}}", pid.display());
    format!("{main}\nhttp {{ access_log off; {temporary}\n{server}\n}}\n")
}

fn host(url: &str) -> &str {
    url.trim_start_matches("http://")
}

fn in_folder(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let file = folder.path().join(name);
    fs::write(&file, text).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_lives_through_caddy_as_the_example_has_it() {
    let (folder, at) = (tempfile::tempdir().unwrap(), Address::new());
    let roles = Roles::start(None).await;
    let site = example(
        "Caddyfile",
        &[
            ("orders.example {", &format!("{} {{", at.url())),
            ("10.0.0.7:7007", host(&roles.handler)),
            ("10.0.0.7:7008", host(&roles.queries)),
            (" 10.0.0.8:7007", ""),
            (" 10.0.0.8:7008", ""),
        ],
    );
    let file = in_folder(&folder, "Caddyfile", &format!("{{\n\tadmin off\n\tauto_https off\n}}\n{site}"));
    let mut caddy = Command::new(program("caddy"));
    caddy.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
    caddy.envs(["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"].map(|name| (name, folder.path())));
    let (_proxy, http) = (Proxy::start(caddy.stderr(Stdio::null())), Client::new());
    answers(&http, &at.url()).await;
    an_order_lives(&roles, &http, &at.url()).await;
    a_web_socket_opens(&at.url()).await;
}
