//! Handles the server of an earlier process: it still runs, is ending, or has ended without
//! cleaning up.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::{Doing, Error};

/// Fast shutdown, immediate shutdown, kill; and the limit for each.
pub(crate) const WAYS_TO_STOP: [(Signal, Duration); 3] = [
    (Signal::INT, Duration::from_secs(30)),
    (Signal::QUIT, Duration::from_secs(10)),
    (Signal::KILL, Duration::from_secs(5)),
];
const POLL: Duration = Duration::from_millis(20);

/// Stops any server on this data, and prepares the data for the next one. The caller holds the
/// cluster's lock.
pub(crate) async fn stop_leftover(data: &Path) -> Result<(), Error> {
    let Some(pid) = recorded(data) else { return Ok(()) };
    if runs_on(pid, data) {
        tracing::info!(pid = pid.as_raw_pid(), "stopping the server that an earlier process left behind");
        stop(pid, data).await?;
    }
    disown(data)
}

async fn stop(pid: Pid, data: &Path) -> Result<(), Error> {
    for (signal, patience) in WAYS_TO_STOP {
        // It may end by itself meanwhile, so the next check decides, not the signal's result.
        let _ = kill_process(pid, signal);
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if !runs_on(pid, data) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Err(Error::LeftoverStays { pid: pid.as_raw_pid() })
}

/// The server's process, as the data name it.
fn recorded(data: &Path) -> Option<Pid> {
    let file = std::fs::read_to_string(pid_file(data)).ok()?;
    Pid::from_raw(file.lines().next()?.trim().parse().ok()?)
}

/// Whether that process is a server of this data: another process may have its id now. An ended
/// process that was not reaped has an empty command line, so it does not count.
fn runs_on(pid: Pid, data: &Path) -> bool {
    let data = data.as_os_str().as_encoded_bytes();
    let pid = pid.as_raw_pid().to_string();
    if Path::new("/proc/self/cmdline").exists() {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        return arguments.split(|byte| *byte == 0).any(|argument| argument == data);
    }
    let listed = Command::new("ps").args(["-o", "command=", "-p", &pid]).output();
    listed.is_ok_and(|listed| listed.stdout.windows(data.len()).any(|part| part == data))
}

/// Prevents a reused process id from stopping the next server. A server ignores the process that
/// started it, so this writes our own id. Without the file, the server could not see by its shared
/// memory that old backends still run.
fn disown(data: &Path) -> Result<(), Error> {
    let path = pid_file(data);
    let Ok(file) = std::fs::read_to_string(&path) else { return Ok(()) };
    let Some((_, rest)) = file.split_once('\n') else { return Ok(()) };
    std::fs::write(&path, format!("{}\n{rest}", std::process::id())).doing(|| format!("write {}", path.display()))
}

fn pid_file(data: &Path) -> PathBuf {
    data.join("postmaster.pid")
}
