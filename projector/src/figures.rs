//! The figures of a projector for `/metrics`.

use std::fmt;
use std::time::Duration;

use metrics::{Counters, DescriptorEncoder, FAST, Histograms, Metric, SIZES};

metrics::metrics! {
    ACTIVE: 0 = Metric::gauge("tenuto_projector_active", [], "1 while this projector writes the views");
    PARKED: 0 = Metric::gauge(
        "tenuto_parked_events",
        [],
        "Events that could not be projected and are set aside; 0 on a projector that is not active",
    );
    FOREIGN_STREAMS: 0 = Metric::gauge(
        "tenuto_foreign_streams",
        [],
        "Streams named like orders' that this projector came upon and that are another application's",
    );
    EVENTS: 0 = Metric::counter("tenuto_projected_events", [], "Events that this projector has applied to the views");
    BATCH_SIZE: 0 = Metric::histogram("tenuto_projector_batch_events", [], "Events that were applied together");
    BATCH_TIME: 0 = Metric::histogram(
        "tenuto_projector_batch_duration_seconds",
        [],
        "Time to fold a batch of events, and to write and commit the views",
    );
}

/// What a projector counts of its batches.
#[derive(Debug)]
pub(crate) struct Figures {
    events: Counters<0>,
    batch_size: Histograms<0>,
    batch_time: Histograms<0>,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            events: Counters::new(&EVENTS),
            batch_size: Histograms::new(&BATCH_SIZE, SIZES),
            batch_time: Histograms::new(&BATCH_TIME, FAST),
        }
    }
}

impl Figures {
    /// A batch of so many events took that long.
    pub fn applied(&self, events: usize, took: Duration) {
        self.events.add([], events as u64);
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        self.batch_size.observe([], events as f64);
        self.batch_time.observe([], took.as_secs_f64());
    }

    pub fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        self.events.encode(encoder)?;
        self.batch_size.encode(encoder)?;
        self.batch_time.encode(encoder)
    }
}
