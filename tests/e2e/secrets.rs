//! Secrets come from the environment and from files, and appear nowhere else: not in logs at their
//! finest level, answers, metrics, errors, or on a command line.

use std::fs::File;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postgres_cluster::testing::database;
use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::process::{Address, Process, binary, ends, output_text, until};
use crate::world::order;

/// What every planted secret contains.
const PLANTED: &str = "pl4nted";

/// A workflow with one participant.
fn calls(name: &str, url: &str) -> String {
    format!(
        "workflow: {name}\nversion: 1\nparticipants:\n  p: {{ url: '{url}' }}\nsteps:\n  \
         a: {{ call: p.a, retry: {{ attempts: 2, initial: 100ms }} }}"
    )
}

/// A server that answers each line it receives, and keeps what it received.
#[derive(Clone)]
struct Listener {
    port: u16,
    received: Arc<Mutex<String>>,
}

impl Listener {
    async fn start(greeting: &'static str, answer: fn(&str) -> &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(String::new()));
        let seen = received.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = seen.clone();
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let _ = stream.write_all(greeting.as_bytes()).await;
                    let mut line = Vec::new();
                    while stream.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
                        let text = String::from_utf8_lossy(&line).into_owned();
                        seen.lock().unwrap().push_str(&text);
                        let _ = stream.write_all(answer(&text).as_bytes()).await;
                        line.clear();
                    }
                });
            }
        });
        Self { port, received }
    }

    fn has(&self, text: &str) -> bool {
        self.received.lock().unwrap().contains(text)
    }
}

/// A participant that refuses its caller's password.
fn refuses(line: &str) -> &'static str {
    if line == "\r\n" { "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" } else { "" }
}

/// A mail server that refuses its client's password.
fn mail(line: &str) -> &'static str {
    match line.get(..4) {
        Some("EHLO") => "250-mail\r\n250 AUTH PLAIN\r\n",
        Some("AUTH") => "535 refused\r\n",
        _ => "250 fine\r\n",
    }
}

/// Whether a text has a secret, or one as HTTP and SMTP send it.
#[track_caller]
fn assert_has_none(text: &str, place: &str) {
    let encoded = [format!("u:{PLANTED}"), format!("\0u\0{PLANTED}"), format!("admin:{PLANTED}")];
    let forms = encoded.map(|form| STANDARD.encode(form).trim_end_matches('=').to_owned());
    for form in forms.iter().map(|form| &form[..form.len() - 1]).chain([PLANTED]) {
        let line = text.lines().find(|line| line.contains(form));
        assert!(line.is_none(), "{place} has a secret: {}", line.unwrap_or_default());
    }
}

fn command_line(pid: u32) -> String {
    String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).into_owned()
}

fn file(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

fn stderr_to(path: &Path) -> Stdio {
    File::create(path).unwrap().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_planted_secret_appears_in_logs_answers_metrics_or_command_lines() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let tax = Listener::start("", refuses).await;
    let smtp = Listener::start("220 mail\r\n", mail).await;
    let postgres = database.url().replace("postgres://tenuto@", &format!("postgres://tenuto:{PLANTED}@"));
    let far = format!("http://u:{PLANTED}@127.0.0.1:1");
    let (address, log) = (Address::new(), folder.path().join("log"));
    let data = folder.path().join("data");
    let arguments = ["dev", "--listen", address.as_str(), "--data", data.to_str().unwrap(), "--no-samples"];
    let environment = [
        ("TENUTO_POSTGRES_FILE", file(folder.path(), "postgres", &format!("{postgres}\n"))),
        ("TENUTO_SMTP_FILE", file(folder.path(), "smtp", &format!("smtp://u:{PLANTED}@127.0.0.1:{}", smtp.port))),
        ("TAX_URL_FILE", file(folder.path(), "tax", &format!("http://u:{PLANTED}@127.0.0.1:{}/tax", tax.port))),
        ("FAR_URL", far),
        ("TENUTO_KEYS_PASSPHRASE", format!("passphrase {PLANTED}")),
        ("TENUTO_LOG", "trace".to_owned()),
        ("RUST_BACKTRACE", "full".to_owned()),
    ];
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let process = Process::with_errors_to(&arguments, &environment, stderr_to(&log));
    let http = reqwest::Client::new();
    let get =
        async |path: &str| http.get(format!("{}{path}", address.url())).send().await.unwrap().text().await.unwrap();
    let post = async |path: &str, kind: &str, body: String| {
        let request = http.post(format!("{}{path}", address.url())).header("content-type", kind).body(body);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    let mut seen = process.line_after("commands   POST ");
    until("it is ready", async || get("/readyz").await.starts_with("ready")).await;
    for (name, url) in [("taxed", "${TAX_URL}/v1"), ("far", "${FAR_URL}")] {
        assert_eq!(post("/workflows", "application/yaml", calls(name, url)).await.0, StatusCode::CREATED);
    }
    let stock = json!([{ "sku": "11", "quantity": 10 }]).to_string();
    post("/participants/shipping/stock", "application/json", stock).await;
    for (id, workflow) in [("s-1", "taxed"), ("s-2", "far"), ("s-3", "order-fulfilment")] {
        let placed = post("/orders", "application/json", order(id, workflow, "11", 1).to_string()).await;
        assert_eq!(placed.0, StatusCode::ACCEPTED, "{}", placed.1);
    }
    let fields = "state stuckReason steps { id lastError } timeline(first: 200) { nodes { summary } }";
    let query = format!("{{ a: order(id: \"s-1\") {{ {fields} }} b: order(id: \"s-2\") {{ {fields} }} }}");
    let query = json!({ "query": query }).to_string();
    let asked = async || post("/graphql", "application/json", query.clone()).await.1;
    until("the participants have failed", async || {
        let answer = asked().await;
        answer.contains("answered 401") && answer.contains("no connection")
    })
    .await;
    let basic = STANDARD.encode(format!("u:{PLANTED}"));
    until("the secrets were used", async || tax.has(&basic) && smtp.has("AUTH PLAIN")).await;
    until("the log says that mail is refused", async || std::fs::read_to_string(&log).unwrap().contains("535")).await;
    for path in
        ["/readyz", "/metrics", "/orders/s-1", "/orders/s-2", "/orders/s-3", "/participants/notifications/mailbox"]
    {
        seen += &get(path).await;
    }
    seen += &asked().await;
    seen += &command_line(process.id());
    assert!(process.stop().success());
    assert_has_none(&seen, "an answer");
    let logged = std::fs::read_to_string(&log).unwrap();
    assert!(logged.contains("TRACE"), "the finest level is logged");
    assert_has_none(&logged, "the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_of_the_log_is_sent_and_not_logged() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let silent = Listener::start("", |_| "").await;
    let log = folder.path().join("log");
    let url = format!("esdb://admin:{PLANTED}@127.0.0.1:{}?tls=false", silent.port);
    let environment = [
        ("TENUTO_EVENTSTORE", url.as_str()),
        ("TENUTO_POSTGRES", database.url()),
        ("TENUTO_LOG", "trace"),
        ("TENUTO_DRAIN_SECONDS", "0"),
    ];
    let process = Process::with_errors_to(&["query-api", "--listen", "127.0.0.1:0"], &environment, stderr_to(&log));
    until("a call is sent to the log", async || {
        silent.has("PRI * HTTP/2.0") && std::fs::read_to_string(&log).unwrap().contains("frame=Headers")
    })
    .await;
    drop(process);
    assert_has_none(&std::fs::read_to_string(&log).unwrap(), "the log");
}

#[test]
fn an_error_about_a_url_does_not_show_its_password() {
    let planted = |text: &str| text.replace("PW", PLANTED);
    for (command, variable, value) in [
        (&["query-api"][..], "TENUTO_POSTGRES", "postgres://u:PW@127.0.0.1:1/db"),
        (&["query-api"], "TENUTO_POSTGRES", "postgres://u:PW"),
        (&["query-api"], "TENUTO_POSTGRES", "postgres://u:PW@h:99999/db"),
        (&["query-api"], "TENUTO_POSTGRES", "u:PW"),
        (&["query-api"], "TENUTO_POSTGRES", "postgres://h/db?password=PW&sslmode=odd"),
        (&["query-api"], "TENUTO_EVENTSTORE", "esdb://admin:PW"),
        (&["query-api"], "TENUTO_EVENTSTORE", "esdb://admin:PW@h/x"),
        (&["query-api"], "TENUTO_EVENTSTORE", "esdb://admin:PW@h?odd=1"),
        (&["query-api"], "TENUTO_EVENTSTORE", "odd://admin:PW@h"),
        (&["query-api"], "TENUTO_EVENTSTORE", "admin:PW@h"),
        (&["participants"], "TENUTO_SMTP", "odd://u:PW@h"),
        (&["participants"], "TENUTO_SMTP", "smtp://u:PW@h:99999"),
        (&["participants"], "TENUTO_SMTP", "u:PW"),
        (&["show", "1"], "TENUTO_SERVER", "http://u:PW@127.0.0.1:1"),
        (&["show", "1"], "TENUTO_SERVER", "http://u:PW@127.0.0.1:1?x"),
        (&["show", "1"], "TENUTO_SERVER", "u:PW@h"),
        (&["keys", "export", "--to", "/nonexistent/keys"], "TENUTO_KEYS_PASSPHRASE", "PW"),
    ] {
        let mut run = binary();
        run.args(command).env("TENUTO_POSTGRES", "postgres://127.0.0.1:1/db").env("TENUTO_LOG", "trace");
        run.env("TENUTO_EVENTSTORE", "esdb://127.0.0.1:1?tls=false").env(variable, planted(value));
        let output = run.output().unwrap();
        let shown = output_text(&output);
        assert!(!output.status.success() && !shown.contains("panicked"), "{variable}={value}: {shown}");
        assert_has_none(&shown, value);
    }
}

#[test]
fn a_password_on_the_command_line_is_refused() {
    let url = format!("postgres://u:{PLANTED}@127.0.0.1:1/db");
    let esdb = format!("esdb://admin:{PLANTED}@127.0.0.1:1?tls=false");
    let server = format!("http://u:{PLANTED}@127.0.0.1:1");
    for (arguments, variable) in [
        (&["query-api", "--postgres", &url][..], "TENUTO_POSTGRES_FILE"),
        (&["dev", "--event-store", &esdb], "TENUTO_EVENTSTORE_FILE"),
        (&["--postgres", &url], "TENUTO_POSTGRES_FILE"),
        (&["audit", "verify", "--all", "--event-store", &esdb], "TENUTO_EVENTSTORE_FILE"),
        (&["event-store", "backup", "--from", &esdb, "--to", "/nonexistent"], "TENUTO_EVENTSTORE_FILE"),
        (&["show", "1", "--server", &server], "TENUTO_SERVER_FILE"),
    ] {
        let shown = ends(&binary().args(arguments).output().unwrap(), 2);
        assert!(shown.contains("command line") && shown.contains(variable), "{arguments:?}: {shown}");
        assert_has_none(&shown, "the refusal");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_closed_to_other_users() {
    // The database's own user has to reach the folder, where this is root.
    let parent = tempfile::Builder::new().prefix("tenuto-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(parent.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    std::fs::DirBuilder::new().mode(0o700).create(parent.path().join("out")).unwrap();
    let (data, out) = (parent.path().join("data"), parent.path().join("out"));
    let out = |name: &str| out.join(name).to_str().unwrap().to_owned();
    let address = Address::new();
    let arguments = ["dev", "--listen", address.as_str(), "--data", data.to_str().unwrap(), "--no-samples"];
    let process = Process::start(&arguments, &[]);
    process.line_after("commands   POST ");
    let http = reqwest::Client::new();
    let ready = async || http.get(format!("{}/readyz", address.url())).send().await.unwrap().status() == StatusCode::OK;
    until("it is ready", ready).await;
    let placed = http.post(format!("{}/orders", address.url())).json(&order("p-1", "order-fulfilment", "11", 1));
    assert_eq!(placed.send().await.unwrap().status(), StatusCode::ACCEPTED);
    let ended = async || {
        let state =
            http.get(format!("{}/orders/p-1?wait=30", address.url())).send().await.unwrap().text().await.unwrap();
        !state.contains("RUNNING")
    };
    until("it ends", ended).await;
    let (key, seal, heads) = (out("key.pem"), out("seal.json"), out("heads.json"));
    for arguments in [
        &["audit", "keygen", &key][..],
        &["audit", "seal", "--key", &key, "--out", &seal, "--heads", &heads],
        &["audit", "export", "p-1", "--out", &out("order.json")],
        &["keys", "export", "--to", &out("keys")],
        &["event-store", "backup", "--to", &out("backup")],
    ] {
        let mut run = binary();
        run.args(arguments).env("TENUTO_DATA", &data).env("TENUTO_KEYS_PASSPHRASE", "correct horse battery");
        ends(&run.output().unwrap(), 0);
    }
    let (mut open, mut files) = (Vec::new(), 0);
    let mut left = vec![data.clone(), parent.path().join("out")];
    while let Some(path) = left.pop() {
        let found = path.symlink_metadata().unwrap();
        files += usize::from(found.is_file());
        if found.is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        // As root, the database's own user enters the data folder.
        let allowed = if path == data { 0o711 } else { 0o700 };
        if found.permissions().mode() & 0o777 & !allowed != 0 {
            open.push((path, found.permissions().mode()));
        }
    }
    assert!(files > 100 && open.is_empty(), "{files} files; open to others: {open:?}");
    assert!(process.stop().success());
}
