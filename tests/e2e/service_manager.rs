//! What systemd receives from each role, over a socket like its own.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use reqwest::StatusCode;
use tempfile::TempDir;

use crate::parts::Parts;
use crate::process::{Address, LIMIT, Process, until};

/// How long the service manager waits for a sign of life, in microseconds.
const PATIENCE_USEC: &str = "600000";
const READY: &str = "READY=1";
const RELOADING: &str = "RELOADING=1";
const STOPPING: &str = "STOPPING=1";
const ALIVE: &str = "WATCHDOG=1";

/// The socket of a service manager.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    _folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Self { socket, path, _folder: folder }
    }

    /// What it sets in the environment of a process.
    fn environment(&self) -> [(&str, &str); 2] {
        [("NOTIFY_SOCKET", self.path.to_str().unwrap()), ("WATCHDOG_USEC", PATIENCE_USEC)]
    }

    /// The messages up to and with the one that has this line.
    fn messages_until(&self, line: &str) -> Vec<String> {
        let mut messages = Vec::new();
        loop {
            let mut message = [0; 1024];
            let length = self.socket.recv(&mut message).unwrap_or_else(|error| panic!("{line}: {error}: {messages:?}"));
            messages.push(String::from_utf8(message[..length].to_vec()).unwrap());
            if has(&messages[messages.len() - 1..], line) {
                return messages;
            }
        }
    }
}

fn has(messages: &[String], line: &str) -> bool {
    messages.iter().flat_map(|message| message.lines()).any(|found| found == line)
}

/// Reads what a role sends from its start to its end, and returns the messages until it is ready.
fn life(manager: &Manager, role: &str, process: Process) -> Vec<String> {
    let starting = manager.messages_until(READY);
    assert!(!has(&starting, ALIVE), "{role}: no sign of life is due before the role is ready: {starting:?}");
    for _ in 0..3 {
        let living = manager.messages_until(ALIVE);
        assert!(!has(&living, STOPPING), "{role}: {living:?}");
    }
    process.signal(rustix::process::Signal::HUP);
    let reloading = manager.messages_until(RELOADING);
    let last = reloading.last().unwrap();
    assert!(last.contains("\nMONOTONIC_USEC="), "{role}: the type notify-reload needs the time: {last}");
    manager.messages_until(READY);
    process.signal(rustix::process::Signal::TERM);
    manager.messages_until(STOPPING);
    let mut process = process;
    assert!(process.ended().success(), "{role}");
    starting
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_reports_its_start_its_life_and_its_end() {
    let parts = Parts::without_projector().await;
    let data = parts.folder.path().join("of dev");
    let log = parts.folder.path().join("another log");
    for arguments in [
        &["projector"][..],
        &["command-handler", "--listen", "127.0.0.1:0", "--drain-seconds", "0"],
        &["query-api", "--listen", "127.0.0.1:0"],
        &["participants", "--listen", "127.0.0.1:0"],
        &["dev", "--listen", "127.0.0.1:0", "--no-samples", "--data", data.to_str().unwrap()],
    ] {
        let manager = Manager::new();
        let starting = life(&manager, arguments[0], parts.start_in(arguments, &manager.environment()));
        let waits = |message: &String| message.starts_with("STATUS=starting: waits for ");
        assert!(starting.iter().any(waits), "{}: {starting:?}", arguments[0]);
    }
    let manager = Manager::new();
    let node = ["event-store", "--listen", "127.0.0.1:0", "--data", log.to_str().unwrap()];
    life(&manager, "event-store", parts.start_in(&node, &manager.environment()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_waits_for_its_log_is_not_ready() {
    let (parts, manager, address) = (Parts::without_projector().await, Manager::new(), Address::new());
    let nowhere = [("TENUTO_EVENTSTORE", "esdb://127.0.0.1:9?tls=false")];
    let environment = [&manager.environment()[..], &nowhere].concat();
    let process = parts.start_in(&["command-handler", "--listen", address.as_str()], &environment);
    manager.messages_until("STATUS=starting: waits for the log and Postgres");
    let http = reqwest::Client::new();
    until("it reports that it starts", async || {
        let probed = http.get(format!("{}/readyz", address.url())).send().await;
        probed.is_ok_and(|probed| probed.status() == StatusCode::SERVICE_UNAVAILABLE)
    })
    .await;
    process.stop();
    let messages = manager.messages_until(STOPPING);
    assert!(!has(&messages, READY) && !has(&messages, ALIVE), "{messages:?}");
}
