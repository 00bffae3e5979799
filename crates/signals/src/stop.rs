//! When to stop: Ctrl-C, SIGTERM, or SIGHUP because the terminal has gone.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A token that is canceled by the first signal to stop; the second one ends the process. For a
/// command, which reads its configuration once.
pub fn token() -> io::Result<CancellationToken> {
    begin(None)
}

/// The same for a role, with what is notified of each SIGHUP that asks for a reload. One that comes
/// before the role waits for it is kept.
pub fn of_role() -> io::Result<(CancellationToken, Arc<Notify>)> {
    let reload = Arc::new(Notify::new());
    Ok((begin(Some(reload.clone()))?, reload))
}

fn begin(reload: Option<Arc<Notify>>) -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let hang_up = signal(SignalKind::hangup())?;
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = terminal_gone(hang_up, reload.as_deref()) => {}
        }
        service_manager::stopping();
        token.cancel();
        // A second signal ends the process at once. Acknowledged commands are in the log.
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(130);
    });
    Ok(stop)
}

/// Returns with the SIGHUP that the system sends when the terminal is closed. Every other one asks
/// for a reload.
async fn terminal_gone(mut hang_up: Signal, reload: Option<&Notify>) {
    let is_on_terminal = || io::stdin().is_terminal() || io::stderr().is_terminal();
    let had_terminal = is_on_terminal();
    while hang_up.recv().await.is_some() {
        match reload {
            Some(reload) if !had_terminal || is_on_terminal() => reload.notify_one(),
            Some(_) | None => return,
        }
    }
}
