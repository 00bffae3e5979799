//! The open spans of orders: from memory if the order changed recently, otherwise from the log.

use std::num::NonZeroUsize;

use domain::ids::OrderId;
use domain::replay::Recorded;
use domain::trace::{SampleRatio, Span, TraceContext, Tracer};
use event_store::{EventStore, ReadError, RecordedEvent};
use lru::LruCache;
use order_stream::{OrderEvent, OrderStream, StreamError};

/// How many open orders are kept in memory.
const MAX_RECENT: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// A bounded memory of open orders, in front of the log.
pub struct OpenOrders {
    log: EventStore,
    ratio: SampleRatio,
    recent: LruCache<OrderId, Known>,
}

/// An order after some of its events.
struct Known {
    /// The last of them.
    revision: u64,
    tracer: Tracer,
}

impl OpenOrders {
    pub fn new(log: EventStore, ratio: SampleRatio) -> Self {
        Self { log, ratio, recent: LruCache::new(MAX_RECENT) }
    }

    /// The spans that an event of an order ends. An event that is folded already ends none.
    pub async fn ended_by(
        &mut self,
        order: &OrderId,
        recorded: &Recorded,
    ) -> Result<Vec<Span>, StreamError<ReadError>> {
        if !TraceContext::of_order(order, recorded.metadata.traceparent.as_deref(), self.ratio).is_sampled {
            return Ok(Vec::new());
        }
        let known = match self.recent.pop(order) {
            Some(known) if known.revision >= recorded.revision => {
                self.recent.put(order.clone(), known);
                return Ok(Vec::new());
            }
            Some(known) if known.revision + 1 == recorded.revision => Some(known.tracer),
            Some(_) | None => self.before(order, recorded.revision).await?,
        };
        let (ended, tracer) = match known {
            Some(mut tracer) => (tracer.apply(recorded), Some(tracer)),
            None => (Vec::new(), Tracer::begin(recorded, self.ratio)),
        };
        if let Some(tracer) = tracer.filter(|tracer| !tracer.has_ended()) {
            self.recent.put(order.clone(), Known { revision: recorded.revision, tracer });
        }
        Ok(ended)
    }

    /// The order before its event of this revision; `None`: that is its first one.
    async fn before(&self, order: &OrderId, revision: u64) -> Result<Option<Tracer>, StreamError<ReadError>> {
        let stream = order.stream();
        let read = |from, most| self.log.read_stream(&stream, from, most);
        let mut events = OrderStream::new(read).before(revision);
        let mut tracer: Option<Tracer> = None;
        while let Some(OrderEvent { recorded, decoded }) = events.next().await? {
            let recorded = as_recorded(&recorded, decoded);
            match &mut tracer {
                // Their spans have ended before this event.
                Some(tracer) => drop(tracer.apply(&recorded)),
                None => tracer = Tracer::begin(&recorded, self.ratio),
            }
        }
        Ok(tracer)
    }
}

/// An event as `domain` has it.
pub fn as_recorded(event: &RecordedEvent, decoded: domain::wire::Decoded) -> Recorded {
    Recorded { id: event.id, revision: event.revision, event: decoded.event, metadata: decoded.metadata }
}
