//! How a projector is doing, for readiness checks, metrics and people.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use event_store::Position;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::sync::watch;

/// A window onto a running projector. Clones look at the same one.
#[derive(Debug, Clone)]
pub struct Health {
    current: Arc<watch::Sender<Snapshot>>,
}

/// How things stood at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What this projector is doing.
    pub role: Role,
    /// The last position that is in the views and committed.
    pub position: Option<Position>,
    /// When the last event in the views was recorded.
    pub last_event_at: Option<DateTime<Utc>>,
    /// Whether the views have had everything that there was since this projector became active; what follows is new.
    pub caught_up: bool,
    /// How old the last batch's last event was when it was committed: how far behind the log the views were then.
    pub lag: Duration,
    /// Events set aside.
    pub parked: u64,
    /// Streams that this projector came upon that are named like orders' and are another application's.
    pub foreign_streams: u64,
    /// Why it last had to start again, until it has committed something since.
    pub trouble: Option<String>,
}

/// What a projector is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// Another one is active, or the database cannot be reached.
    #[default]
    Standby,
    /// Writing the views.
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
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let now = self.now();
        let is_active = now.role == Role::Active;
        let parked = if is_active { now.parked } else { 0 };
        let mut gauge = |name, help, value: u64| {
            ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
        };
        gauge("projector_active", "1 while this projector writes the views.", is_active.into())?;
        let help = "Events that could not be projected and are set aside; 0 on a projector that is not active.";
        gauge("parked_events", help, parked)?;
        let help = "Streams named like orders' that this projector came upon and that are another application's.";
        gauge("foreign_streams", help, now.foreign_streams)
    }
}

impl Default for Health {
    fn default() -> Self {
        Self { current: Arc::new(watch::Sender::default()) }
    }
}

impl Health {
    /// How things stand.
    pub fn now(&self) -> Snapshot {
        self.current.borrow().clone()
    }

    /// Waits until things stand so.
    pub async fn wait_for(&self, mut so: impl FnMut(&Snapshot) -> bool) -> Snapshot {
        let mut receiver = self.current.subscribe();
        match receiver.wait_for(|snapshot| so(snapshot)).await {
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

    /// Counts streams of others. Returns how many were counted before.
    pub(crate) fn came_upon_foreign(&self, streams: usize) -> u64 {
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
