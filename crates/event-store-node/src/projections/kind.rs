//! The kinds of system projections, which of them are switched on, and their state.

use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot, watch};

use super::links::{BY_CATEGORY, BY_CORRELATION, BY_TYPE, STREAMS};
use crate::change::Failure;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    ByCategory,
    ByCorrelation,
    ByEventType,
    Streams,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::ByCategory, Self::ByCorrelation, Self::ByEventType, Self::Streams];

    /// The name that clients use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ByCategory => "$by_category",
            Self::ByCorrelation => "$by_correlation_id",
            Self::ByEventType => "$by_event_type",
            Self::Streams => "$streams",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The projection that writes this stream of links.
    pub(super) fn that_writes(stream: &str) -> Self {
        let begins =
            [(BY_CATEGORY, Self::ByCategory), (BY_CORRELATION, Self::ByCorrelation), (BY_TYPE, Self::ByEventType)];
        let written = begins.into_iter().find(|(prefix, _)| stream.starts_with(prefix));
        debug_assert!(written.is_some() || stream == STREAMS);
        written.map_or(Self::Streams, |(_, kind)| kind)
    }
}

/// The projections that are switched off, each with the position up to which it has written its
/// links.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Off([Option<u64>; 4]);

impl Off {
    pub(super) fn at(self, kind: Kind) -> Option<u64> {
        self.0[kind as usize]
    }

    pub(super) fn set(&mut self, kind: Kind, at: Option<u64>) {
        self.0[kind as usize] = at;
    }

    pub(super) fn written(self) -> Map<String, Value> {
        let off = |kind: Kind| Some((kind.name().to_owned(), self.at(kind)?.into()));
        Kind::ALL.into_iter().filter_map(off).collect()
    }

    pub(super) fn read(written: &Value) -> Self {
        let mut off = Self::default();
        for kind in Kind::ALL {
            off.set(kind, written[kind.name()].as_u64());
        }
        off
    }
}

/// The state of the projections.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    pub(crate) checkpoint: u64,
    /// Events that were examined since the node started.
    pub(crate) processed: u64,
    pub(super) after: u64,
    pub(super) off: Off,
}

impl Standing {
    pub(crate) fn is_on(&self, kind: Kind) -> bool {
        self.off.at(kind).is_none()
    }

    /// The position up to which the projection has written its links.
    pub(crate) fn position_of(&self, kind: Kind) -> u64 {
        self.off.at(kind).unwrap_or(self.after)
    }
}

/// A request to switch a projection on or off.
pub(super) struct Switch {
    pub(super) kind: Kind,
    pub(super) on: bool,
    pub(super) answer: oneshot::Sender<Result<(), Failure>>,
}

/// Sends requests to the running projections.
#[derive(Clone)]
pub(crate) struct Control {
    pub(super) switches: mpsc::Sender<Switch>,
    pub(super) standing: watch::Receiver<Standing>,
    pub(super) head: watch::Receiver<u64>,
}

impl Control {
    /// Returns when the switch is recorded in the log.
    pub(crate) async fn switch(&self, kind: Kind, on: bool) -> Result<(), Failure> {
        let (answer, answered) = oneshot::channel();
        self.switches.send(Switch { kind, on, answer }).await.map_err(|_| Failure::Closed)?;
        answered.await.unwrap_or(Err(Failure::Closed))
    }

    pub(crate) fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// The log's last position.
    pub(crate) fn head(&self) -> u64 {
        *self.head.borrow()
    }
}
