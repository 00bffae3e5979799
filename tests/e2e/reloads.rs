//! Roles that read their configuration again on SIGHUP, while clients use them.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use postgres_cluster::testing::database;
use reqwest::{Client, StatusCode, header};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tls::testing::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::parts::{Parts, SERVICES};
use crate::process::{Process, binary, ends, until};
use crate::world::order;

const RELOADED: &str = "the configuration is reloaded";
const REFUSED: &str = "the configuration is not reloaded";

/// A role that has a configuration file.
struct Role {
    process: Process,
    base: String,
    folder: TempDir,
    http: Client,
}

impl Role {
    /// Starts it with this file. `printed` is what it prints before its URL.
    fn start(arguments: &[&str], printed: &str, environment: &[(&str, &str)], file: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), arguments, printed, environment, file)
    }

    fn start_in(folder: TempDir, arguments: &[&str], printed: &str, environment: &[(&str, &str)], file: &str) -> Self {
        let config = folder.path().join("tenuto.toml");
        std::fs::write(&config, file).unwrap();
        let mut command = binary();
        // The file says what is logged, and how.
        command.env_remove("TENUTO_LOG").env_remove("TENUTO_LOG_FORMAT").current_dir(folder.path());
        command.args(arguments).args(["--listen", "127.0.0.1:0", "--config", config.to_str().unwrap()]);
        command.envs(environment.iter().copied()).stderr(File::create(folder.path().join("errors")).unwrap());
        let process = Process::of(command);
        let url = process.line_after(printed);
        let url = url.replacen("esdb://", "http://", 1);
        let base: Vec<&str> = url.splitn(4, '/').collect();
        let base = format!("{}//{}", base[0], base[2].split('?').next().unwrap());
        Self { process, base, folder, http: Client::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn errors(&self) -> String {
        std::fs::read_to_string(self.path("errors")).unwrap()
    }

    async fn logs(&self, part: &str) {
        let waiting = async || self.errors().contains(part);
        let found = tokio::time::timeout(std::time::Duration::from_mins(1), until(part, waiting)).await;
        assert!(found.is_ok(), "{part:?} is not in\n{}", self.errors());
    }

    /// Replaces the file, and reloads it. Waits until it is reloaded, or refused.
    async fn reload(&self, file: &str, told: &str) {
        let before = self.errors().matches(told).count();
        std::fs::write(self.path("tenuto.toml"), file).unwrap();
        self.process.signal(Signal::HUP);
        until(told, async || self.errors().matches(told).count() > before).await;
    }

    async fn counts(&self, result: &str, times: u64) {
        let counted = format!("tenuto_config_reloads_total{{result=\"{result}\"}} {times}\n");
        assert!(self.metrics().await.contains(&counted), "{}", self.metrics().await);
    }

    /// Sends something that is not HTTP: the listener logs that as a detail only.
    async fn disturb(&self) {
        let mut stream = TcpStream::connect(self.base.trim_start_matches("http://")).await.unwrap();
        stream.write_all(b"nonsense\r\n\r\n").await.unwrap();
        // However the listener ends the connection.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }

    async fn metrics(&self) -> String {
        self.http.get(format!("{}/metrics", self.base)).send().await.unwrap().text().await.unwrap()
    }

    async fn status(&self, path: &str, host: Option<&str>) -> StatusCode {
        let request = self.http.get(format!("{}{path}", self.base));
        let request = match host {
            Some(host) => request.header(header::HOST, host),
            None => request,
        };
        request.send().await.unwrap().status()
    }
}

/// Clients that send requests all the time.
struct Load {
    clients: JoinSet<Vec<String>>,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
}

impl Load {
    fn on(url: &str) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut clients = JoinSet::new();
        for _ in 0..4 {
            let (stop, answered, http, url) = (stop.clone(), answered.clone(), Client::new(), url.to_owned());
            clients.spawn(async move {
                let mut failed = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    match http.get(&url).send().await {
                        Ok(answer) if answer.status().is_success() => {}
                        Ok(answer) => failed.push(answer.status().to_string()),
                        Err(error) => failed.push(format!("{error:?}")),
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                failed
            });
        }
        Self { clients, stop, answered }
    }

    /// Some requests later, none may have failed.
    async fn ends_without_a_failure(self) {
        let so_far = self.answered.load(Ordering::Relaxed);
        until("requests are answered", async || self.answered.load(Ordering::Relaxed) > so_far + 20).await;
        self.stop.store(true, Ordering::Relaxed);
        let failed = self.clients.join_all().await.concat();
        assert!(failed.is_empty(), "{failed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_reloads_under_load_keeps_what_was_with_a_fault_and_names_what_needs_a_restart() {
    let parts = Parts::without_projector().await;
    let servers = [("TENUTO_POSTGRES", parts.postgres()), ("TENUTO_EVENTSTORE", parts.log.as_str())];
    let environment = [&servers[..], &SERVICES].concat();
    for (arguments, printed) in [
        (&["command-handler"][..], "commands at "),
        (&["projector"], "probes at "),
        (&["query-api"], "queries at "),
        (&["participants"], "notifications at "),
        (&["dev", "--no-samples", "--data", "data"], "commands   POST "),
        (&["event-store", "--data", "data"], "the log at "),
    ] {
        let (name, is_node) = (arguments[0], arguments[0] == "event-store");
        let role = Role::start(arguments, printed, &environment, "log = \"info\"\nlog-format = \"human\"\n");
        let alive = if is_node { "/health/live" } else { "/livez" };
        until("it is alive", async || role.status(alive, None).await.is_success()).await;
        let load = Load::on(&format!("{}{alive}", role.base));
        if !is_node {
            assert_ne!(role.status(alive, Some("shop.internal")).await, StatusCode::OK, "{name}");
        }
        // A detail, as a library and as a role log it.
        let detail = if is_node { "TRACE tonic" } else { "DEBUG http_server: a connection has failed" };
        role.disturb().await;
        assert!(!role.errors().contains(detail), "{name}: {}", role.errors());

        let changed = "log = \"debug,tonic=trace\"\nallowed-hosts = [\"shop.internal\"]\nlog-format = \"json\"\n";
        role.reload(changed, RELOADED).await;
        role.counts("ok", 1).await;
        role.logs("options that take effect at the next start: log-format").await;
        role.disturb().await;
        role.logs(detail).await;
        if !is_node {
            assert_eq!(role.status(alive, Some("shop.internal")).await, StatusCode::OK, "{name}");
        }

        role.reload("log = \"off\"\n\nmax-calz = 3\n", REFUSED).await;
        role.counts("failed", 1).await;
        role.logs("tenuto.toml:3:1: max-calz: there is no such setting").await;
        let errors = role.errors();
        let told: Vec<_> = errors.lines().filter(|line| line.contains("ERROR")).collect();
        assert!(told.len() == 1 && told[0].contains("nothing has changed"), "{name}: {told:?}");
        assert!(role.metrics().await.contains("tenuto_config_last_reload_failed 1\n"), "{name}");
        if !is_node {
            assert_eq!(role.status(alive, Some("shop.internal")).await, StatusCode::OK, "{name}");
        }

        role.reload("log = \"info\"\nlog-format = \"human\"\n", RELOADED).await;
        role.counts("ok", 2).await;
        assert!(role.metrics().await.contains("tenuto_config_last_reload_failed 0\n"), "{name}");
        if !is_node {
            assert_ne!(role.status(alive, Some("shop.internal")).await, StatusCode::OK, "{name}");
        }
        load.ends_without_a_failure().await;
        assert!(role.process.stop().success(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_a_command_handler_count_from_the_reload_on() {
    let parts = Parts::without_projector().await;
    let servers = [("TENUTO_POSTGRES", parts.postgres()), ("TENUTO_EVENTSTORE", parts.log.as_str())];
    let environment = [&servers[..], &SERVICES].concat();
    let role = Role::start(&["command-handler"], "commands at ", &environment, "max-active-orders = 0\n");
    let place = async |id: &str| {
        let body = order(id, "order-fulfilment", "11", 1);
        role.http.post(format!("{}/orders", role.base)).json(&body).send().await.unwrap().status()
    };
    assert_eq!(place("A").await, StatusCode::SERVICE_UNAVAILABLE);
    let load = Load::on(&format!("{}/circuits", role.base));
    role.reload("[command-handler]\nmax-active-orders = 10\n", RELOADED).await;
    assert_eq!(place("A").await, StatusCode::ACCEPTED);
    load.ends_without_a_failure().await;
    role.reload("max-active-orders = 10\nmax-request-rate = 1\n", RELOADED).await;
    until("a client is limited", async || role.status("/circuits", None).await == StatusCode::TOO_MANY_REQUESTS).await;
    role.reload("max-active-orders = 0\n", RELOADED).await;
    assert_eq!(role.status("/circuits", None).await, StatusCode::OK);
    assert_eq!(place("B").await, StatusCode::SERVICE_UNAVAILABLE, "an order is under way, and none may be");
}

/// An API key.
fn generated() -> String {
    let output = binary().args(["key", "generate"]).output().unwrap();
    ends(&output, 0);
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_taken_out_of_the_access_file_is_refused_after_the_reload() {
    let (parts, folder) = (Parts::without_projector().await, tempfile::tempdir().unwrap());
    let (earlier, later) = (generated(), generated());
    std::fs::write(folder.path().join("key"), &earlier).unwrap();
    let access = format!("admin-key-file = {:?}\n", folder.path().join("key"));
    std::fs::write(folder.path().join("access.toml"), &access).unwrap();
    let file = format!("access = {:?}\n", folder.path().join("access.toml"));
    let servers = [("TENUTO_POSTGRES", parts.postgres()), ("TENUTO_EVENTSTORE", parts.log.as_str())];
    let environment = [&servers[..], &SERVICES].concat();
    let role = Role::start_in(folder, &["query-api"], "queries at ", &environment, &file);
    let asked = async |key: &str| {
        let request = role.http.get(format!("{}/me", role.base)).bearer_auth(key);
        request.send().await.unwrap().status()
    };
    assert_eq!((asked(&earlier).await, asked(&later).await), (StatusCode::OK, StatusCode::UNAUTHORIZED));

    std::fs::write(role.path("key"), &later).unwrap();
    role.reload(&file, RELOADED).await;
    assert_eq!((asked(&earlier).await, asked(&later).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));

    std::fs::write(role.path("access.toml"), "admin-key-fil = \"\"\n").unwrap();
    role.reload(&file, REFUSED).await;
    assert_eq!((asked(&earlier).await, asked(&later).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));
    // Without the file, everyone would get in: that waits for a start.
    role.reload("", RELOADED).await;
    assert_eq!(asked(&earlier).await, StatusCode::UNAUTHORIZED);
    role.logs("at the next start: access").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_in_another_file_is_shown_after_the_reload() {
    let database = database().await;
    for (arguments, printed) in
        [(&["event-store", "--data", "data"][..], "the log at "), (&["participants"], "notifications at ")]
    {
        let folder = tempfile::tempdir().unwrap();
        let files = ["earlier", "later"].map(|name| {
            let (authority, of) = (Authority::new(), folder.path().join(name));
            std::fs::create_dir(&of).unwrap();
            let issued = authority.issue("listener", &["127.0.0.1"]).files(&of, "listener");
            (authority, format!("tls-certificate = {:?}\ntls-key = {:?}\n", issued.certificate, issued.key))
        });
        let [(earlier, of_earlier), (later, of_later)] = files;
        let environment = [("TENUTO_POSTGRES", database.url())];
        let role = Role::start_in(folder, arguments, printed, &environment, &of_earlier);
        let url = role.base.replacen("http://", "https://", 1) + "/metrics";
        let trusting = |authority: &Authority| {
            let root = reqwest::Certificate::from_pem(authority.certificate().as_bytes()).unwrap();
            Client::builder().tls_built_in_root_certs(false).add_root_certificate(root).build().unwrap()
        };
        let reaches = async |authority: &Authority| trusting(authority).get(&url).send().await.is_ok();
        assert!(reaches(&earlier).await && !reaches(&later).await, "{printed}");
        std::fs::write(role.path("tenuto.toml"), &of_later).unwrap();
        role.process.signal(Signal::HUP);
        until("the other certificate is shown", async || reaches(&later).await).await;
        assert!(!reaches(&earlier).await, "{printed}");
    }
}

#[test]
fn options_of_the_logs_stand_before_the_command_and_after_it_and_others_only_after() {
    let run = |arguments: &[&str]| {
        let mut command = binary();
        command.env_remove("TENUTO_LOG").env_remove("TENUTO_LOG_FORMAT").args(arguments);
        command.output().unwrap()
    };
    for arguments in [
        &["--log", "debug", "--log-format", "json", "config", "schema"][..],
        &["config", "--log", "debug", "--log-format", "json", "schema"],
        &["config", "schema", "--log", "debug", "--log-format", "json"],
        &["--log=debug", "config", "schema", "--log-format=json"],
        &["--config", "/dev/null", "--log", "debug", "config", "schema"],
    ] {
        ends(&run(arguments), 0);
        let wrong: Vec<&str> = arguments.iter().map(|argument| argument.trim()).collect();
        let wrong: Vec<String> = wrong.into_iter().map(|argument| argument.replace("debug", "loud")).collect();
        let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
        assert!(ends(&run(&wrong), 2).contains("loud"), "{wrong:?}");
    }
    for (arguments, option) in [
        (&["--listen", "127.0.0.1:0", "projector"][..], "--listen"),
        (&["--no-samples", "config", "schema"], "--no-samples"),
        (&["projector", "--listen", "127.0.0.1:0", "parked"], "--listen"),
    ] {
        let told = ends(&run(arguments), 2);
        assert!(told.contains(&format!("{option} stands before the command")), "{told}");
    }
}

#[test]
fn what_a_reload_changes_is_declared_once_and_told_everywhere() {
    let out = |arguments: &[&str]| ends(&binary().args(arguments).output().unwrap(), 0);
    let schema: Value = serde_json::from_str(&out(&["config", "schema"])).unwrap();
    let properties = schema["properties"].as_object().unwrap();
    let reloaded: Vec<&str> =
        properties.iter().filter(|(_, of)| of["reload"] == true).map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        reloaded,
        [
            "access",
            "allowed-hosts",
            "allowed-origins",
            "log",
            "max-active-orders",
            "max-calls",
            "max-concurrent-requests",
            "max-lag-seconds",
            "max-overdue",
            "max-request-rate",
            "participant-hosts",
            "tls-certificate",
            "tls-client-ca",
            "tls-client-certificates",
            "tls-key",
            "webhook-hosts",
            "webhook-timeout-seconds",
        ]
    );
    let example = out(&["config", "example"]);
    assert_eq!(example.matches("\n# Reload: yes\n#").count(), reloaded.len());
    let shown: Value = serde_json::from_str(&out(&["config", "show", "command-handler", "--json"])).unwrap();
    let settings = shown["settings"]["command-handler"].as_array().unwrap();
    let of = |name: &str| settings.iter().find(|setting| setting["name"] == name).unwrap()["reload"].clone();
    assert_eq!((of("max-calls"), of("listen")), (true.into(), false.into()));
    let help = out(&["command-handler", "--help"]);
    assert!(help.contains("Options that a running role reads again on SIGHUP:"), "{help}");
}
