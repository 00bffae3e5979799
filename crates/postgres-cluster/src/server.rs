//! The server's process: start, log, watch and stop.
//!
//! The kernel's "stop when the parent dies" follows the thread that started the server, not the
//! process. So one thread starts the server and lives until the server has ended.

use std::{
    collections::VecDeque,
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

use crate::{exit::Exit, leftover::WAYS_TO_STOP};

/// How much of the log is kept for the report of an end.
const LOG_LINES_MAX: usize = 30;
const LOG_LINE_BYTES_MAX: u64 = 2000;
/// The limit for the last log lines after the process has ended.
const LOG_END_LIMIT: Duration = Duration::from_secs(1);

/// A running server. Dropping it signals the server to stop, and does not wait.
#[derive(Debug)]
pub(crate) struct Server {
    process: Arc<Process>,
    exit: watch::Receiver<Option<Exit>>,
}

#[derive(Debug)]
struct Process {
    /// `None` once reaped: after that, its id may belong to another process, and must not get a
    /// signal.
    child: Mutex<Option<Child>>,
    stopping: AtomicBool,
    log: Mutex<VecDeque<String>>,
}

impl Server {
    /// Starts the server and its threads.
    pub(crate) async fn spawn(command: Command) -> io::Result<Self> {
        let (started, start) = oneshot::channel();
        thread::Builder::new().name("postgres-keeper".into()).spawn(move || keep(command, started))?;
        start.await.map_err(io::Error::other)?
    }

    /// Waits until the server has ended, for any reason.
    pub(crate) async fn exited(&self) -> Exit {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await;
        let exit = ended.ok().and_then(|exit| exit.clone());
        exit.unwrap_or_else(|| Exit { status: None, log: self.log() })
    }

    /// Stops it, with stronger signals if needed.
    pub(crate) async fn stop(&self) {
        self.process.stopping.store(true, Ordering::Relaxed);
        for (signal, patience) in WAYS_TO_STOP {
            self.process.signal(signal);
            if timeout(patience, self.exited()).await.is_ok() {
                return;
            }
        }
    }

    /// The end of its log so far.
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
            // It was not reaped, so the signal reaches it or has no effect.
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    fn log(&self) -> String {
        locked(&self.log).iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// The thread that starts the server and waits for its end.
fn keep(mut command: Command, started: oneshot::Sender<io::Result<Server>>) {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    // In another process group: a Ctrl-C is for our process, which may need the server until its
    // own end.
    command.process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            // The caller may be gone.
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
    // If the caller is gone, the server is dropped here, which stops it.
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

/// Waits for the end without reaping, so that signals stay possible, and none reaches another
/// process.
fn reap(pid: Pid, process: &Process) -> Option<ExitStatus> {
    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {}
    let mut child = locked(&process.child).take()?;
    child.wait().ok()
}

/// Reads the server's log in another thread. The receiver gets a message after the last line.
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

/// A line, or as much of it as the limit allows; the rest is the next line.
fn next_line(lines: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    let read = lines.take(LOG_LINE_BYTES_MAX).read_until(b'\n', &mut line).ok()?;
    (read > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// A panic while these locks are held leaves complete data.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
