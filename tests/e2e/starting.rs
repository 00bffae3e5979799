//! Starting and stopping: what a process reports while it waits for another one, which signals end
//! it, and which failures it survives.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use reqwest::StatusCode;
use rustix::process::{Pid, Signal, kill_process};

use crate::process::{Address, Process, binary, until};

async fn get(url: &str) -> Option<(StatusCode, String)> {
    let response = reqwest::get(url).await.ok()?;
    Some((response.status(), response.text().await.ok()?))
}

/// No process listens at the address of the log, so the role waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_waits_for_the_log_answers_probes_reloads_and_obeys_signals_to_stop() {
    let database = postgres_cluster::testing::database().await;
    let log = Address::new();
    for signal in [Signal::TERM, Signal::INT] {
        let (own, folder) = (Address::new(), tempfile::tempdir().unwrap());
        let errors = folder.path().join("errors");
        let log = format!("esdb://{}?tls=false", log.as_str());
        let arguments =
            ["command-handler", "--listen", own.as_str(), "--event-store", &log, "--postgres", database.url()];
        let to = std::fs::File::create(&errors).unwrap().into();
        let mut process = Process::with_errors_to(&arguments, &[("TENUTO_LOG", "info")], to);
        let ready = format!("{}/readyz", own.url());
        until("it says that it waits for the log", async || {
            let answer = get(&ready).await;
            answer.is_some_and(|(status, text)| status == StatusCode::SERVICE_UNAVAILABLE && text.contains("the log"))
        })
        .await;
        assert_eq!(get(&format!("{}/livez", own.url())).await.unwrap().0, StatusCode::OK);
        process.signal(Signal::HUP);
        let is_reloaded = async || std::fs::read_to_string(&errors).unwrap().contains("the configuration is reloaded");
        until("it has reloaded", is_reloaded).await;
        assert_eq!(get(&format!("{}/livez", own.url())).await.unwrap().0, StatusCode::OK);
        process.signal(signal);
        assert!(process.ended().success(), "{signal:?} ends it in good order");
    }
}

struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_continues_when_its_output_is_closed_and_when_its_postgres_dies() {
    let folder = tempfile::tempdir().unwrap();
    let (own, data) = (Address::new(), folder.path().join("data"));
    let mut command = binary();
    command.arg("dev").arg("--data").arg(&data).args(["--listen", own.as_str(), "--no-samples"]);
    let mut child = Ends(command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap());
    drop(child.0.stdout.take());
    let ready = format!("{}/readyz", own.url());
    let is_ready = async || get(&ready).await.is_some_and(|(status, _)| status == StatusCode::OK);
    until("it is ready, with its output closed", is_ready).await;

    let pid_file = pid_file(&data).expect("a postmaster.pid");
    let pid = || -> Option<Pid> {
        Pid::from_raw(std::fs::read_to_string(&pid_file).ok()?.lines().next()?.trim().parse().ok()?)
    };
    let first = pid().unwrap();
    kill_process(first, Signal::KILL).unwrap();
    until("another Postgres runs in its place", async || pid().is_some_and(|pid| pid != first)).await;
    until("it is ready again", is_ready).await;

    kill_process(Pid::from_child(&child.0), Signal::TERM).unwrap();
    assert!(child.0.wait().unwrap().success());
}

/// The file with the process id of the private cluster. If the cluster's user cannot enter the
/// folder, the file `MOVED` has its place.
fn pid_file(data: &Path) -> Option<PathBuf> {
    let postgres = data.join("postgres");
    let moved = std::fs::read_to_string(postgres.join("MOVED")).ok().map(|text| PathBuf::from(text.trim()));
    let places = [Some(postgres), moved].into_iter().flatten();
    places.map(|place| place.join("data/postmaster.pid")).find(|file| file.exists())
}

/// The exit code of a command, and its standard error.
fn ended(command: &mut Command) -> (Option<i32>, String) {
    let output = command.stderr(Stdio::piped()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_role_that_may_open_too_few_files_reports_it_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 24; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tenuto")]);
    command.args(["dev", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path());
    let (code, reported) = ended(&mut command);
    assert_eq!(code, Some(2), "{reported}");
    assert!(reported.contains("may open 24 files") && reported.contains("ulimit -n 4096"), "{reported}");
}

#[test]
fn a_command_ends_the_same_if_its_output_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/workflows/order-fulfilment.yaml");
    let data = folder.path().to_str().unwrap();
    for (arguments, expected) in [
        (&["workflow", "schema"][..], 0),
        (&["workflow", "check", file], 0),
        (&["workflow", "diagram", file], 0),
        (&["event-store", "check", "--data", data], 2),
        (&["event-store", "check", "--json", "--data", data], 2),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (code, reported) = ended(binary().args(arguments).stdout(writer));
        assert_eq!(code, Some(expected), "{arguments:?}: {reported}");
    }
}
