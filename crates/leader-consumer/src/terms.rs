//! One term of leadership after another: each ends with an interruption, and the next begins after
//! a pause.

use std::fmt::Display;
use std::time::Duration;

use back_off::{BackOff, Limits};
use event_store::Position;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::alarm::LogAlarm;

/// The first pause after an interruption.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The leader's name, and how it reacts to an interruption.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The leader's name in log lines.
    pub name: &'static str,
    /// The longest pause after an interruption.
    pub max_pause: Duration,
    /// Raised while the checkpoint belongs to another log.
    pub alarm: &'a LogAlarm,
    /// What an operator does if the checkpoint belongs to another log.
    pub remedy: &'static str,
}

/// What an instance does while it leads.
pub trait Term: Send {
    /// Why a term ends before its time.
    type Interruption: Interrupted + Send;

    /// Stands by until this instance leads, and then leads until it has to stop.
    fn lead(&mut self) -> impl Future<Output = Result<(), Self::Interruption>> + Send;

    /// The position that it has reached. The first pause after progress is short.
    fn progress(&self) -> Option<Position> {
        None
    }

    /// Called after the leadership was lost, before the pause.
    fn interrupted(&mut self, _interruption: &Self::Interruption) {}
}

/// Why a term ended before its time.
pub trait Interrupted: Display {
    /// How to react.
    fn consequence(&self) -> Consequence;
}

/// How to react to an interruption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consequence {
    /// The next term begins at once.
    Again,
    /// The next term begins after a pause.
    Pause,
    /// The checkpoint belongs to another log, for this reason. The next term checks again, after a
    /// pause.
    WrongLog(String),
    /// Waiting cannot help: there is no next term.
    End,
}

/// Leads term by term until `stop`. While another instance leads, it stands by; while log or
/// database are down, it waits. It ends with an error only if waiting cannot help.
pub async fn lead<T: Term>(terms: Terms<'_>, mut term: T, stop: &CancellationToken) -> Result<(), T::Interruption> {
    let Terms { name, max_pause, alarm, remedy } = terms;
    let mut back_off = BackOff::new(Limits::new(FIRST_PAUSE, max_pause));
    while !stop.is_cancelled() {
        let (begun, progress) = (Instant::now(), term.progress());
        let Err(interruption) = term.lead().await else { return Ok(()) };
        if term.progress() != progress || begun.elapsed() > max_pause * 2 {
            back_off.reset();
        }
        let wrong_log = match interruption.consequence() {
            Consequence::End => return Err(interruption),
            Consequence::Again => {
                info!(name, "{interruption}");
                continue;
            }
            Consequence::WrongLog(reason) => Some(reason),
            Consequence::Pause => None,
        };
        let pause = back_off.next_pause();
        if let Some(reason) = wrong_log {
            alarm.raise(name, &format!("{reason}; {remedy}"));
        } else {
            warn!(name, %interruption, wait_ms = pause.as_millis(), "was interrupted, and starts again");
        }
        term.interrupted(&interruption);
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = sleep(pause) => {}
        }
    }
    Ok(())
}
