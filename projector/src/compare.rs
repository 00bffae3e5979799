//! Compares the views with the log, row for row.
//!
//! The projector's own fold and statements rebuild the rows of some orders in temporary tables.
//! These have the names of the views, and come first on their connection. Then each view is
//! compared with its rebuilt table, in one snapshot with the checkpoint: later events are left out,
//! so that the views may change meanwhile. No table that other connections see is written.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use domain::ids::OrderId;
use domain::stream_prefix;
use domain::wire::WORKFLOW_STREAM_PREFIX;
use domain::wire::webhooks::WEBHOOK_STREAM_PREFIX;
use event_store::{EventStore, Position, ReadError, RecordedEvent};
use sqlx::{PgConnection, PgPool};
use views::View;
use views::compare::Live;

pub use crate::reproject::ReprojectError as CompareError;
use crate::reproject::Reprojection;
pub use views::compare::{Compared, Difference, Range, ranges};

/// Events read from the log at a time.
const PAGE: usize = 500;
/// The size of a batch, in bytes and in events.
const BATCH_BYTES: usize = 8 << 20;
const BATCH_EVENTS: usize = 5_000;
/// The number of orders that [`everything`] compares in one snapshot.
const ORDERS: usize = 200;

/// A connection on which views are compared.
pub struct Comparison {
    db: PgConnection,
    live: Live,
    reprojection: Reprojection,
    log: EventStore,
}

impl Comparison {
    /// Creates the temporary tables.
    pub async fn open(pool: &PgPool, log: EventStore) -> Result<Self, CompareError> {
        let mut db = pool.acquire().await?.detach();
        let live = Live::shadowed(&mut db).await?;
        let reprojection = Reprojection::new(log.clone(), None, NonZeroUsize::MIN);
        Ok(Self { db, live, reprojection, log })
    }

    /// The checkpoint of the views.
    pub async fn checkpoint(&mut self) -> Result<Option<Position>, CompareError> {
        Ok(self.live.checkpoint(&mut self.db).await?)
    }

    /// Compares the rows of a range of orders with the log. `orders` are all orders that the log
    /// has in that range; the views may have others.
    pub async fn orders(&mut self, range: &Range, orders: &[OrderId]) -> Result<Compared, CompareError> {
        let Self { db, live, reprojection, log } = self;
        let mut snapshot = live.snapshot(db).await?;
        let checkpoint = live.checkpoint(&mut snapshot).await?;
        let known = live.orders(&mut snapshot, range).await?;
        let known = known.into_iter().filter_map(|id| OrderId::new(id).ok());
        let known: BTreeSet<OrderId> = known.chain(orders.iter().cloned()).collect();
        let mut streams: BTreeSet<String> = known.iter().map(OrderId::stream).collect();
        let metadata = live.metadata(&mut snapshot, &known).await?;
        let mut compared = Compared::default();
        reprojection.written = None;
        let mut reprojecting = Reprojecting { db: &mut snapshot, reprojection, log, checkpoint };
        reprojecting.all(&streams, &mut compared).await?;
        // These events mark orders, which are rebuilt by now.
        reprojecting.all(&metadata, &mut compared).await?;
        streams.extend(metadata);
        let unreadable = |order: &str| {
            let is_of = |stream: &String| stream.strip_prefix(stream_prefix::get()) == Some(order);
            compared.unreadable.iter().any(|(stream, _)| is_of(stream))
        };
        let mut differences = live.differing_orders(&mut snapshot, range, &streams).await?;
        differences.retain(|difference| !difference.order.as_deref().is_some_and(unreadable));
        compared.differences = differences;
        // This empties the temporary tables.
        snapshot.commit().await?;
        Ok(compared)
    }

    /// Compares the definitions of workflows, and webhooks. These are the streams that the log has
    /// of them.
    pub async fn definitions(&mut self, streams: &BTreeSet<String>) -> Result<Compared, CompareError> {
        let Self { db, live, reprojection, log } = self;
        let mut snapshot = live.snapshot(db).await?;
        let checkpoint = live.checkpoint(&mut snapshot).await?;
        let mut compared = Compared::default();
        reprojection.written = None;
        Reprojecting { db: &mut snapshot, reprojection, log, checkpoint }.all(streams, &mut compared).await?;
        for view in [View::Workflows, View::Webhooks, View::DeadLetters] {
            compared.differences.extend(live.differing_view(&mut snapshot, view).await?);
        }
        snapshot.commit().await?;
        Ok(compared)
    }

    /// Compares the counts of orders with the rows of the orders, in one snapshot. This proves
    /// something only if these rows are correct.
    pub async fn counts(&mut self) -> Result<Compared, CompareError> {
        let Self { db, live, .. } = self;
        let mut snapshot = live.snapshot(db).await?;
        let differences = live.differing_counts(&mut snapshot).await?;
        snapshot.commit().await?;
        Ok(Compared { differences, ..Compared::default() })
    }
}

/// Compares all views with the log.
pub async fn everything(log: &EventStore, pool: &PgPool) -> Result<Compared, CompareError> {
    let (mut orders, mut definitions) = (BTreeSet::new(), BTreeSet::new());
    let mut history = log.history(None);
    while let Some(record) = history.next().await? {
        let stream = record.event.stream;
        if let Some(order) = OrderId::from_stream(&stream) {
            orders.insert(order);
        } else if [WORKFLOW_STREAM_PREFIX, WEBHOOK_STREAM_PREFIX].iter().any(|prefix| stream.starts_with(prefix)) {
            definitions.insert(stream);
        }
    }
    let mut comparison = Comparison::open(pool, log.clone()).await?;
    let mut all = comparison.definitions(&definitions).await?;
    let orders: Vec<OrderId> = orders.into_iter().collect();
    for (range, orders) in ranges(&orders, ORDERS) {
        let compared = comparison.orders(&range, orders).await?;
        all.differences.extend(compared.differences);
        all.unreadable.extend(compared.unreadable);
    }
    if all.has_orders_right() {
        all.differences.extend(comparison.counts().await?.differences);
    }
    Ok(all)
}

/// Rebuilds the views of some streams in the temporary tables.
struct Reprojecting<'a> {
    db: &'a mut PgConnection,
    reprojection: &'a mut Reprojection,
    log: &'a EventStore,
    /// Later events are left out.
    checkpoint: Option<Position>,
}

impl Reprojecting<'_> {
    async fn all(&mut self, streams: &BTreeSet<String>, compared: &mut Compared) -> Result<(), CompareError> {
        let mut events = Vec::new();
        let mut bytes = 0;
        for stream in streams {
            let mut from = 0;
            loop {
                let page = match self.page(stream, from).await {
                    Ok(page) => page,
                    Err(error @ ReadError::Unavailable(_)) => return Err(error.into()),
                    Err(error) => {
                        compared.unreadable.push((stream.clone(), error.to_string()));
                        break;
                    }
                };
                let whole = page.len() == PAGE;
                from = page.last().map_or(0, |last| last.revision + 1);
                bytes += page.iter().map(|event| event.data.len() + event.metadata.len()).sum::<usize>();
                events.extend(page);
                if bytes > BATCH_BYTES || events.len() > BATCH_EVENTS {
                    self.reprojection.write(self.db, &std::mem::take(&mut events)).await?;
                    bytes = 0;
                }
                if !whole {
                    break;
                }
            }
        }
        self.reprojection.write(self.db, &events).await
    }

    /// Events of a stream up to the checkpoint.
    async fn page(&self, stream: &str, from: u64) -> Result<Vec<RecordedEvent>, ReadError> {
        let mut page = self.log.read_stream(stream, from, PAGE).await?;
        page.retain(|event| Some(event.position) <= self.checkpoint);
        Ok(page)
    }
}
