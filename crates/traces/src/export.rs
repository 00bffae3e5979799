//! The export of a process: from the events that the projector has committed to the collector.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use event_store::{EventStore, Position};
use projector::{ObservedEvent, Observer, ProjectorOptions};
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::collector::Collector;
use crate::figures::{Figures, Reason};
use crate::open_orders::OpenOrders;
use crate::options::{CollectorArgs, CollectorFault, Sampling};
use crate::sending::{Bounds, Sender};

/// How many events may wait until their spans are derived.
const MAX_EVENTS: usize = 16_384;
/// How many spans may wait to be sent: about 8 MiB.
const MAX_SPANS: usize = 8_192;
/// How many events are taken at a time.
const AT_A_TIME: usize = 256;
/// How long the rest may take when the process stops.
const LEAVING: Duration = Duration::from_secs(3);

/// Sends the spans of orders, if a collector is named.
pub struct Export {
    observer: Observer,
    /// `None`: nothing is sent.
    pub figures: Option<Figures>,
    work: Option<Work>,
}

/// What the export does in the background.
struct Work {
    events: Receiver<ObservedEvent>,
    orders: OpenOrders,
    sender: Sender,
}

impl Export {
    /// Sets it up. Nothing is sent before [`Export::run`].
    pub fn new(args: &CollectorArgs, sampling: Sampling, log: &EventStore) -> Result<Self, CollectorFault> {
        let Some(target) = args.target()? else {
            return Ok(Self { observer: Observer::default(), figures: None, work: None });
        };
        let figures = Figures::default();
        let (observer, events) = observed(figures.clone());
        let orders = OpenOrders::new(log.clone(), sampling.trace_sample_ratio);
        tracing::info!(collector = %target.url, "the spans of orders are sent");
        let sender = Sender { collector: Collector::new(target), figures: figures.clone(), bounds: Bounds::USUAL };
        Ok(Self { observer, figures: Some(figures), work: Some(Work { events, orders, sender }) })
    }

    /// A projector with these options hands over the events.
    pub fn observed(&mut self, options: ProjectorOptions) -> ProjectorOptions {
        ProjectorOptions { observer: std::mem::take(&mut self.observer), ..options }
    }

    /// What runs in the background. It ends after `stop`, when the rest is sent or takes too long.
    pub fn run(&mut self, stop: CancellationToken) -> impl Future<Output = ()> + Send + 'static {
        let work = self.work.take();
        async move {
            let Some(work) = work else { return stop.cancelled().await };
            let late = async {
                stop.cancelled().await;
                sleep(LEAVING).await;
            };
            tokio::select! {
                () = work.run() => stop.cancelled().await,
                () = late => tracing::warn!("the last spans were not sent in time"),
            }
        }
    }
}

/// An observer that never waits, and the events that it receives, each once: after a failure of
/// Postgres, a projector may project events again.
fn observed(figures: Figures) -> (Observer, Receiver<ObservedEvent>) {
    let (sender, events) = mpsc::channel(MAX_EVENTS);
    let through: Mutex<Option<Position>> = Mutex::default();
    let observer = Observer::new(move |batch: Vec<ObservedEvent>| {
        let mut through = through.lock().unwrap_or_else(PoisonError::into_inner);
        for event in batch {
            if through.is_some_and(|through| event.position <= through) {
                continue;
            }
            *through = Some(event.position);
            if sender.try_send(event).is_err() {
                figures.event_dropped();
            }
        }
    });
    (observer, events)
}

impl Work {
    /// Runs until the projector has let go of its observer.
    async fn run(self) {
        let Self { mut events, mut orders, sender } = self;
        let (spans, queue) = mpsc::channel(MAX_SPANS);
        let figures = sender.figures.clone();
        let derive = async move {
            let mut batch = Vec::with_capacity(AT_A_TIME);
            while events.recv_many(&mut batch, AT_A_TIME).await > 0 {
                for event in batch.drain(..) {
                    let ObservedEvent { order, recorded, .. } = event;
                    match orders.ended_by(&order, &recorded).await {
                        Ok(ended) => {
                            let full = ended.into_iter().filter_map(|span| spans.try_send(span).err()).count();
                            figures.dropped(Reason::QueueFull, full as u64);
                        }
                        Err(error) => {
                            figures.event_dropped();
                            tracing::debug!(%order, revision = recorded.revision, %error, "an event has no spans");
                        }
                    }
                }
            }
        };
        tokio::join!(derive, sender.run(queue));
    }
}
