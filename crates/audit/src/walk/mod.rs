//! One pass through the whole log, from the first event. It follows each order's hash chain. At
//! some positions it builds the tree over all orders in their state at that position.
//!
//! Of an order it stores only the id and the head of the chain. So memory grows with the number of
//! orders and not with their events. The log is read once, and the chains are followed on all
//! cores.

mod operators;
mod reader;
mod shard;

use std::collections::BTreeSet;

use domain::ids::OrderId;
use domain::proof::Hash;
use domain::proof::chain::follow;
use domain::proof::merkle::{self, Inclusion};
use domain::stream_prefix;
use domain::wire::WORKFLOW_STREAM_PREFIX;
use domain::wire::webhooks::WEBHOOK_STREAM_PREFIX;

use super::error::AuditError;
use super::findings::{Finding, Findings};
use super::histories::raw;
use command_line::progress::{Counts, Progress};
use operators::Operators;
pub(super) use operators::in_words;
use reader::{Damaged, Next, Reader};
use servers::log::Log;
use shard::{Leaves, Shards};
pub(super) use shard::{Standing, cores};

/// The progress is reported after this many events.
const EVENTS_PER_REPORT: u64 = 512;

/// All orders in their state at a position.
pub(super) struct Tree {
    pub position: u64,
    leaves: Vec<(OrderId, Hash)>,
    /// How many orders have a difference.
    pub faulty: u64,
}

impl Tree {
    /// How many orders there were.
    pub fn orders(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// Their ids, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &OrderId> {
        self.leaves.iter().map(|(order, _)| order)
    }

    /// The leaf of an order.
    pub fn leaf(&self, order: &OrderId) -> Option<Hash> {
        self.index(order).map(|index| self.leaves[index].1)
    }

    /// The root over them.
    pub fn root(&self) -> Hash {
        merkle::root(&self.hashes())
    }

    /// The proof that an order was one of them.
    pub fn prove(&self, order: &OrderId) -> Option<Inclusion> {
        Inclusion::prove(&self.hashes(), self.index(order)?)
    }

    fn index(&self, order: &OrderId) -> Option<usize> {
        self.leaves.binary_search_by(|(id, _)| id.cmp(order)).ok()
    }

    fn hashes(&self) -> Vec<Hash> {
        self.leaves.iter().map(|(_, hash)| *hash).collect()
    }
}

/// The result of the pass.
pub(super) struct Walked {
    /// Every order, sorted by id.
    pub orders: Vec<(OrderId, Standing)>,
    /// How many events of orders there are.
    pub events: u64,
    /// The log's identity. `None`: the log has no order.
    pub log: Option<Hash>,
    /// The streams of workflows and of webhooks.
    pub definitions: BTreeSet<String>,
    pub findings: Findings,
}

/// Reads up to a position. `stops` are sorted positions before it. `at_stop` receives the tree at
/// each. `progress` has the counts meanwhile.
pub(super) async fn walk(
    log: &Log,
    to: u64,
    stops: &[u64],
    progress: &Progress<Walking>,
    mut at_stop: impl FnMut(Tree),
) -> Result<Walked, AuditError> {
    progress.change(|walking| walking.to = to);
    let mut walk = Walk { shards: Shards::start(), seen: Seen::default() };
    let mut reader = Reader::new(log, to);
    let mut stops = stops.iter().copied().peekable();
    loop {
        let event = match reader.next().await? {
            Next::Event(event) => event,
            Next::Damaged(damaged) => {
                walk.seen.findings.add(unreadable(&damaged));
                continue;
            }
            Next::End => break,
        };
        let position = event.position.commit;
        while let Some(stop) = stops.next_if(|stop| *stop < position) {
            at_stop(walk.tree(stop).await?);
        }
        walk.take(event).await?;
        if walk.seen.events.is_multiple_of(EVENTS_PER_REPORT) {
            progress.change(|walking| (walking.position, walking.events) = (position, walk.seen.events));
        }
    }
    for stop in stops {
        at_stop(walk.tree(stop).await?);
    }
    progress.finish();
    walk.finish().await
}

fn unreadable(Damaged { from, to, reason }: &Damaged) -> Finding {
    let place = if from == to { format!("position {from}") } else { format!("positions {from} to {to}") };
    Finding::Log { reason: format!("{place}: cannot be read: {reason}") }
}

struct Walk {
    shards: Shards,
    seen: Seen,
}

#[derive(Default)]
struct Seen {
    events: u64,
    log: Option<Hash>,
    definitions: BTreeSet<String>,
    operators: Operators,
    findings: Findings,
}

impl Walk {
    async fn take(&mut self, event: event_store::RecordedEvent) -> Result<(), AuditError> {
        if self.seen.operators.take(&event) {
            return Ok(());
        }
        if event.stream.starts_with(stream_prefix::get()) {
            self.seen.events += 1;
            if self.seen.log.is_none()
                && let Some(order) = OrderId::from_stream(&event.stream)
            {
                self.seen.log = follow(&order, None, &raw(&event)).0.hash;
            }
            self.shards.add(event).await?;
        } else if [WORKFLOW_STREAM_PREFIX, WEBHOOK_STREAM_PREFIX].iter().any(|prefix| event.stream.starts_with(prefix))
        {
            self.seen.definitions.insert(event.stream);
        }
        Ok(())
    }

    async fn tree(&mut self, position: u64) -> Result<Tree, AuditError> {
        let Leaves { leaves, faulty } = self.shards.leaves().await?;
        Ok(Tree { position, leaves, faulty })
    }

    async fn finish(self) -> Result<Walked, AuditError> {
        let Seen { events, log, definitions, operators, mut findings } = self.seen;
        findings.extend(operators.findings());
        let mut orders = Vec::new();
        for found in self.shards.finish().await? {
            orders.extend(found.standings);
            findings.join(found.findings);
        }
        orders.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(Walked { orders, events, log, definitions, findings })
    }
}

/// The progress of the pass.
#[derive(Debug, Default, Clone)]
pub(super) struct Walking {
    pub position: u64,
    /// The position of the last event to read.
    pub to: u64,
    /// How many events of orders were read.
    pub events: u64,
}

impl Counts for Walking {
    fn total(&self) -> Option<u64> {
        Some(self.to)
    }

    fn done(&self) -> u64 {
        self.position
    }

    fn in_words(&self) -> String {
        format!("log: {} events of orders, up to position {} of {}", self.events, self.position, self.to)
    }
}
