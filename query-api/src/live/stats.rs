//! The number of connections and subscriptions, for metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Collector, DescriptorEncoder};

use crate::figures::{CONNECTIONS, LET_GO, QueryFigures, SUBSCRIPTIONS};

/// The connections and subscriptions of an instance. Clones show the same numbers.
#[derive(Debug, Clone, Default)]
pub struct LiveStats(Arc<Figures>);

#[derive(Debug, Default)]
struct Figures {
    connections: AtomicU64,
    subscriptions: AtomicU64,
    let_go: AtomicU64,
    queries: QueryFigures,
}

/// Counted for as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted {
    stats: LiveStats,
    of: fn(&Figures) -> &AtomicU64,
}

impl Counted {
    /// It ends because its client was too slow.
    pub fn lets_go(&self) {
        self.stats.count_let_go();
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.of)(&self.stats.0).fetch_sub(1, Ordering::Relaxed);
    }
}

impl LiveStats {
    /// Connections that are open, over WebSocket and for server-sent events.
    pub fn connections(&self) -> u64 {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// Subscriptions that are open.
    pub fn subscriptions(&self) -> u64 {
        self.0.subscriptions.load(Ordering::Relaxed)
    }

    /// Subscriptions and connections that were ended because their clients were too slow.
    pub fn let_go(&self) -> u64 {
        self.0.let_go.load(Ordering::Relaxed)
    }

    /// What is counted of operations.
    pub(crate) fn queries(&self) -> &QueryFigures {
        &self.0.queries
    }

    pub(crate) fn connection(&self) -> Counted {
        self.count(|figures| &figures.connections)
    }

    pub(crate) fn subscription(&self) -> Counted {
        self.count(|figures| &figures.subscriptions)
    }

    pub(crate) fn count_let_go(&self) {
        self.0.let_go.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self, of: fn(&Figures) -> &AtomicU64) -> Counted {
        of(&self.0).fetch_add(1, Ordering::Relaxed);
        Counted { stats: self.clone(), of }
    }
}

impl Collector for LiveStats {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        CONNECTIONS.write(&mut encoder, self.connections())?;
        SUBSCRIPTIONS.write(&mut encoder, self.subscriptions())?;
        LET_GO.write(&mut encoder, self.let_go())?;
        self.0.queries.encode(&mut encoder)
    }
}
