//! The health of a projector, for readiness checks, metrics and operators.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use event_store::Position;
use metrics::{Collector, DescriptorEncoder};
use tokio::sync::watch;

use crate::figures::{ACTIVE, FOREIGN_STREAMS, Figures, PARKED};

/// The health of a running projector. Clones show the same one.
#[derive(Debug, Clone)]
pub struct Health {
    current: Arc<watch::Sender<Snapshot>>,
    figures: Arc<Figures>,
}

/// The health at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Whether this projector writes.
    pub role: Role,
    /// The committed checkpoint of the views.
    pub position: Option<Position>,
    /// When the last event in the views was recorded.
    pub last_event_at: Option<DateTime<Utc>>,
    /// Whether the views have had every event of the log since this projector became active.
    pub caught_up: bool,
    /// The age of the last batch's last event at its commit: how far the views were behind the log.
    pub lag: Duration,
    /// The number of events that are set aside.
    pub parked: u64,
    /// The number of streams that are named like orders' and belong to another application.
    pub foreign_streams: u64,
    /// Why it last had to start again; `None` after the next commit.
    pub trouble: Option<String>,
}

/// Whether a projector writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// Another projector is active, or the database cannot be reached.
    #[default]
    Standby,
    /// This projector writes the views.
    Active,
}

/// For people: the role, and why a projector stands by.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.role, &self.trouble) {
            (Role::Active, _) => f.write_str("active"),
            (Role::Standby, None) => f.write_str("stands by"),
            (Role::Standby, Some(trouble)) => write!(f, "stands by, since it was interrupted: {trouble}"),
        }
    }
}

impl Collector for Health {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let now = self.now();
        let is_active = now.role == Role::Active;
        ACTIVE.write(&mut encoder, is_active)?;
        PARKED.write(&mut encoder, if is_active { now.parked } else { 0 })?;
        FOREIGN_STREAMS.write(&mut encoder, now.foreign_streams)?;
        self.figures.encode(&mut encoder)
    }
}

impl Default for Health {
    fn default() -> Self {
        Self { current: Arc::new(watch::Sender::default()), figures: Arc::default() }
    }
}

impl Health {
    /// The present health.
    pub fn now(&self) -> Snapshot {
        self.current.borrow().clone()
    }

    /// Waits until the health meets a condition.
    pub async fn wait_for(&self, mut condition: impl FnMut(&Snapshot) -> bool) -> Snapshot {
        let mut receiver = self.current.subscribe();
        match receiver.wait_for(|snapshot| condition(snapshot)).await {
            Ok(snapshot) => snapshot.clone(),
            // The sender lives in `self`, so the channel cannot close while this waits.
            Err(_) => self.now(),
        }
    }

    pub(crate) fn stand_by(&self, trouble: Option<String>) {
        self.current.send_modify(|snapshot| {
            snapshot.role = Role::Standby;
            snapshot.caught_up = false;
            snapshot.trouble = trouble;
        });
    }

    pub(crate) fn activate(&self, position: Option<Position>, parked: u64) {
        self.current.send_modify(|snapshot| {
            snapshot.role = Role::Active;
            snapshot.position = position;
            snapshot.parked = parked;
        });
    }

    /// A batch of so many events took that long, from the first to the commit.
    pub(crate) fn applied(&self, events: usize, took: Duration) {
        self.figures.applied(events, took);
    }

    pub(crate) fn committed(&self, position: Position, last_event_at: Option<DateTime<Utc>>, more_parked: i64) {
        self.current.send_modify(|snapshot| {
            snapshot.position = Some(position);
            snapshot.parked = snapshot.parked.saturating_add_signed(more_parked);
            snapshot.trouble = None;
            if let Some(at) = last_event_at {
                snapshot.last_event_at = Some(at);
                snapshot.lag = (Utc::now() - at).max(TimeDelta::zero()).to_std().unwrap_or_default();
            }
        });
    }

    /// Counts streams of another application. Returns how many were counted before.
    pub(crate) fn add_foreign_streams(&self, streams: usize) -> u64 {
        let mut before = 0;
        self.current.send_modify(|snapshot| {
            before = snapshot.foreign_streams;
            snapshot.foreign_streams += streams as u64;
        });
        before
    }

    pub(crate) fn caught_up(&self) {
        self.current.send_modify(|snapshot| snapshot.caught_up = true);
    }
}
