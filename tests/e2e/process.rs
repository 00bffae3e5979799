//! The binary as a process, and helpers for its tests and benchmarks: reserved addresses, and
//! waiting for conditions.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpSocket;

/// The longest that a test waits for an expected change.
pub const LIMIT: Duration = Duration::from_mins(5);

/// A process of the binary. It is killed when the value is dropped.
pub struct Process {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Process {
    /// Starts `tenuto` with these arguments, and without settings from the environment.
    pub fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::with_errors_to(arguments, environment, Stdio::inherit())
    }

    /// The same, with its standard error sent there.
    pub fn with_errors_to(arguments: &[&str], environment: &[(&str, &str)], errors: Stdio) -> Self {
        let mut command = binary();
        command.args(arguments).envs(environment.iter().copied()).stderr(errors);
        Self::of(command)
    }

    /// Starts this command.
    pub fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The rest of the first line of output that has `before`, after it.
    pub fn line_after(&self, before: &str) -> String {
        self.line_after_unless_ended(before).unwrap_or_else(|| panic!("the process ended without printing {before:?}"))
    }

    /// The same. `None`: the process ended before it printed the line.
    pub fn line_after_unless_ended(&self, before: &str) -> Option<String> {
        let start = Instant::now();
        loop {
            match self.lines.recv_timeout(LIMIT.saturating_sub(start.elapsed())) {
                Ok(line) => {
                    if let Some((_, after)) = line.split_once(before) {
                        return Some(after.trim().to_owned());
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("process {} did not print {before:?}", self.id()),
            }
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its resident memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Sends a signal. Until the process is waited for, no other process can get its id.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether it has not ended. A stopped process has not.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Sends SIGTERM, and waits for the end of the process.
    pub fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that a test keeps while a process restarts. This socket is bound to it but does not
/// listen: so the system gives the port to no other process, and the process can still listen there
/// with the usual options.
pub struct Address {
    text: String,
    _bound: TcpSocket,
}

impl Address {
    pub fn new() -> Self {
        let bound = TcpSocket::new_v4().unwrap();
        bound.set_reuseaddr(true).unwrap();
        bound.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self { text: bound.local_addr().unwrap().to_string(), _bound: bound }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.text)
    }
}

/// The binary, without settings from the environment.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenuto"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TENUTO_") && name != "TENUTO_LOG") {
        command.env_remove(name);
    }
    if std::env::var_os("TENUTO_LOG").is_none() {
        // When a test kills a process, the others log errors, which would drown the output of the
        // tests.
        command.env("TENUTO_LOG", "error,eventstore=off");
    }
    command.env("TENUTO_LOG_FORMAT", "human");
    command
}

/// Runs a command with these servers, and waits for its end.
pub fn tenuto(postgres: &str, log: &str, arguments: &[&str]) -> Output {
    let servers = [("TENUTO_POSTGRES", postgres), ("TENUTO_EVENTSTORE", log)];
    binary().args(arguments).envs(servers).env("TENUTO_KEYS_PASSPHRASE", "correct horse battery").output().unwrap()
}

/// The standard output of a command, followed by its standard error.
pub fn output_text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// The output of a command, which must have ended with this code.
#[track_caller]
pub fn ends(output: &Output, code: i32) -> String {
    let reported = output_text(output);
    assert_eq!(output.status.code(), Some(code), "{reported}");
    reported
}

/// Waits until a condition holds, with a limit.
pub async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < LIMIT, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A number that the environment may set.
pub fn from_environment(name: &str, otherwise: u64) -> u64 {
    let set = |text: String| text.parse().unwrap_or_else(|_| panic!("{name} must be a number, and is {text:?}"));
    std::env::var(name).map_or(otherwise, set)
}
