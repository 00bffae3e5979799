//! The server's process: started, listened to, watched and stopped.
//!
//! The kernel's "stop it when its parent dies" follows the thread that started it, not the process. So a thread of its
//! own starts the server and lives until the server has ended.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};

use crate::leftover::WAYS_TO_STOP;

/// How much of the log is kept for the report of an end.
const LOG_LINES_MAX: usize = 30;
const LOG_LINE_BYTES_MAX: u64 = 2000;
/// How long the last lines may take after the process has ended.
const LOG_END_LIMIT: Duration = Duration::from_secs(1);

/// How the server ended.
#[derive(Debug, Clone)]
pub struct Exit {
    /// Its exit status, when it could be had.
    pub status: Option<ExitStatus>,
    /// The end of its log.
    pub log: String,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "ended ({status})")?,
            None => write!(f, "ended")?,
        }
        if self.log.is_empty() { Ok(()) } else { write!(f, "; it said: {}", self.log) }
    }
}

/// A running server. Dropping it tells the server to stop, and does not wait.
#[derive(Debug)]
pub(crate) struct Server {
    process: Arc<Process>,
    exit: watch::Receiver<Option<Exit>>,
}

#[derive(Debug)]
struct Process {
    /// `None` once reaped: from then on its number may be somebody else's, and must not be signalled.
    child: Mutex<Option<Child>>,
    stopping: AtomicBool,
    log: Mutex<VecDeque<String>>,
}

impl Server {
    /// Starts the server and the threads that watch it.
    pub(crate) async fn spawn(command: Command) -> io::Result<Self> {
        let (started, start) = oneshot::channel();
        thread::Builder::new().name("postgres-keeper".into()).spawn(move || keep(command, started))?;
        start.await.map_err(io::Error::other)?
    }

    /// Waits until the server has ended, for whatever reason.
    pub(crate) async fn exited(&self) -> Exit {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await;
        let exit = ended.ok().and_then(|exit| exit.clone());
        exit.unwrap_or_else(|| Exit { status: None, log: self.log() })
    }

    /// Stops it: politely, then less so.
    pub(crate) async fn stop(&self) {
        self.process.stopping.store(true, Ordering::Relaxed);
        for (signal, patience) in WAYS_TO_STOP {
            self.process.signal(signal);
            if timeout(patience, self.exited()).await.is_ok() {
                return;
            }
        }
    }

    /// The end of what it said so far.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        locked(&self.process.child).as_ref().map(Child::id)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.stopping.store(true, Ordering::Relaxed);
        self.process.signal(Signal::INT);
    }
}

impl Process {
    fn signal(&self, signal: Signal) {
        if let Some(child) = &*locked(&self.child) {
            // It cannot have been reaped, so the signal reaches it or comes to nothing.
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    fn log(&self) -> String {
        locked(&self.log).iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// The life of the keeper's thread.
fn keep(mut command: Command, started: oneshot::Sender<io::Result<Server>>) {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    // In a group of its own: a Ctrl-C is for us, who may need the server until our own end.
    command.process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            // Whoever asked may have gone away.
            let _ = started.send(Err(error));
            return;
        }
    };
    let pid = Pid::from_child(&child);
    let stderr = child.stderr.take();
    let process =
        Arc::new(Process { child: Mutex::new(Some(child)), stopping: AtomicBool::new(false), log: Mutex::default() });
    let log_end = stderr.map(|stderr| listen(stderr, Arc::clone(&process)));
    let (exit_seen, exit) = watch::channel(None);
    // When nobody receives the server, it is dropped here, and thereby told to stop.
    drop(started.send(Ok(Server { process: Arc::clone(&process), exit })));

    let status = reap(pid, &process);
    if let Some(log_end) = log_end {
        let _ = log_end.recv_timeout(LOG_END_LIMIT);
    }
    let exit = Exit { status, log: process.log() };
    if process.stopping.load(Ordering::Relaxed) {
        tracing::debug!("postgres {exit}");
    } else {
        tracing::error!("postgres {exit}");
    }
    exit_seen.send_replace(Some(exit));
}

/// Waits for the end without reaping, so that nobody is kept from sending signals meanwhile, and none goes astray.
fn reap(pid: Pid, process: &Process) -> Option<ExitStatus> {
    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {}
    let mut child = locked(&process.child).take()?;
    child.wait().ok()
}

/// Reads what the server says, on a thread of its own; the receiver hears when there is no more to come.
fn listen(stderr: ChildStderr, process: Arc<Process>) -> mpsc::Receiver<()> {
    let (ended, end) = mpsc::channel();
    let listener = thread::Builder::new().name("postgres-log".into()).spawn(move || {
        let mut lines = BufReader::new(stderr);
        while let Some(line) = next_line(&mut lines) {
            tracing::debug!(target: "postgres", "{line}");
            let mut log = locked(&process.log);
            if log.len() == LOG_LINES_MAX {
                log.pop_front();
            }
            log.push_back(line);
        }
        drop(ended);
    });
    if let Err(error) = listener {
        tracing::warn!("what postgres says is not listened to: {error}");
    }
    end
}

/// A line, or as much of it as the limit allows; the rest comes as the next.
fn next_line(lines: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    let read = lines.take(LOG_LINE_BYTES_MAX).read_until(b'\n', &mut line).ok()?;
    (read > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// A panic while holding these locks leaves nothing half-done behind them.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
