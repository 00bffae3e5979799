//! What the service manager, systemd for example, receives about this process: what its start waits
//! for, that it is ready, that it is alive, that it stops (`sd_notify`).
//!
//! Where the environment has no `NOTIFY_SOCKET`, nothing is sent. Signs of life are sent where it
//! has `WATCHDOG_USEC`.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_server::door::Door;
use sd_notify::NotifyState::{self, Ready, Reloading, Status, Stopping, Watchdog};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often a process is checked until the service manager gives it up. More than one check may be
/// late.
const CHECKS: u32 = 3;

/// Whether this process has reported that it is ready.
static IS_READY: AtomicBool = AtomicBool::new(false);

/// Reports a role behind this door: what it waits for, that it is ready once the door is open, and
/// from then on that it is alive. It is alive while it answers `/livez`.
pub async fn report(door: Door) -> Infallible {
    let mut stages = door.stages();
    while let Some(what) = stages.next().await {
        send(&[Status(&format!("starting: waits for {what}"))]);
    }
    report_ready(|| door.is_live()).await
}

/// Reports that this process is ready, and that it is alive as long as it is.
pub async fn report_ready<F: Future<Output = bool>>(is_live: impl Fn() -> F) -> Infallible {
    send(&[Ready, Status("ready")]);
    IS_READY.store(true, Ordering::Relaxed);
    match sd_notify::watchdog_enabled() {
        None => pending().await,
        Some(patience) => keep_alive(patience, is_live, || send(&[Watchdog])).await,
    }
}

/// Reports that this process reads its configuration again. One that still starts reports nothing:
/// the end of a reload is reported as readiness.
pub fn reloading() {
    if !IS_READY.load(Ordering::Relaxed) {
        return;
    }
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[Reloading, now, Status("reloading")]),
        Err(error) => tracing::warn!(%error, "the reload cannot be reported to the service manager"),
    }
}

/// Reports the end of a reload.
pub fn reloaded() {
    if IS_READY.load(Ordering::Relaxed) {
        send(&[Ready, Status("ready")]);
    }
}

/// Reports that this process begins to stop.
pub fn stopping() {
    IS_READY.store(false, Ordering::Relaxed);
    send(&[Stopping, Status("leaving")]);
}

/// Reports each successful check. The service manager ends a process that it does not hear from for
/// as long as its `patience`.
async fn keep_alive<F: Future<Output = bool>>(
    patience: Duration,
    is_live: impl Fn() -> F,
    report: impl Fn(),
) -> Infallible {
    let every = patience / CHECKS;
    // The library's interval must not be zero.
    let mut checks = interval(every.max(Duration::from_millis(1)));
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        checks.tick().await;
        match timeout(every, is_live()).await {
            Ok(true) => report(),
            Ok(false) | Err(_) => {
                tracing::error!("this process does not answer its own probe: no sign of life is sent");
            }
        }
    }
}

/// A process that cannot report works all the same, until the service manager ends it.
fn send(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be reached: NOTIFY_SOCKET");
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);
    /// Just before the patience ends.
    const NEARLY: Duration = Duration::from_secs(29);

    /// How many signs of life are sent within a time.
    async fn signs<F: Future<Output = bool>>(within: Duration, is_live: impl Fn() -> F) -> u32 {
        let sent = Cell::new(0);
        let ended = timeout(within, keep_alive(PATIENCE, is_live, || sent.set(sent.get() + 1))).await;
        assert!(ended.is_err(), "it does not end");
        sent.get()
    }

    #[tokio::test(start_paused = true)]
    async fn a_live_process_sends_three_signs_of_life_within_the_patience_of_the_service_manager() {
        assert_eq!(signs(NEARLY, || ready(true)).await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_fails_its_check_or_does_not_end_it_sends_no_sign_of_life() {
        assert_eq!(signs(PATIENCE * 10, || ready(false)).await, 0);
        assert_eq!(signs(PATIENCE * 10, pending).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_lives_again_sends_signs_again() {
        let checks = Cell::new(0);
        let is_live = || {
            checks.set(checks.get() + 1);
            ready(checks.get() > 2)
        };
        assert_eq!(signs(NEARLY, is_live).await, 1);
    }
}
