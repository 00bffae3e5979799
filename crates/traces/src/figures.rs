//! What the export counts, for `/metrics`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Collector, Counters, DescriptorEncoder, FAST, Histograms, Metric};

metrics::metrics! {
    SENT: 0 = Metric::counter("tenuto_traces_spans_sent", [], "Spans of orders that the collector took");
    DROPPED: 1 = Metric::counter(
        "tenuto_traces_spans_dropped",
        ["reason"],
        "Spans that were not sent, or not taken: queue_full, undelivered (the collector was away for too long), refused \
         (by the whole request), rejected (single spans), unclear (no answer, so that they may have been taken)",
    );
    EVENTS_DROPPED: 0 = Metric::counter(
        "tenuto_traces_events_dropped",
        [],
        "Events of orders that the export had no room for, or could not read the history of; the spans that they end \
         are not sent",
    );
    SEND_TIME: 0 = Metric::histogram(
        "tenuto_traces_send_duration_seconds",
        [],
        "Time until the collector answered a request with spans",
    );
}

/// The figures of a running export. Clones count together.
#[derive(Debug, Clone)]
pub struct Figures(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    sent: Counters<0>,
    dropped: Counters<1>,
    events_dropped: Counters<0>,
    send_time: Histograms<0>,
}

/// Why spans were not sent, or not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    QueueFull,
    Undelivered,
    Refused,
    Rejected,
    Unclear,
}

impl Reason {
    const ALL: [Self; 5] = [Self::QueueFull, Self::Undelivered, Self::Refused, Self::Rejected, Self::Unclear];

    fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Undelivered => "undelivered",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
            Self::Unclear => "unclear",
        }
    }
}

impl Default for Figures {
    fn default() -> Self {
        let dropped = Counters::new(&DROPPED);
        for reason in Reason::ALL {
            dropped.add([reason.as_str()], 0);
        }
        Self(Arc::new(Counted {
            sent: Counters::new(&SENT),
            dropped,
            events_dropped: Counters::new(&EVENTS_DROPPED),
            send_time: Histograms::new(&SEND_TIME, FAST),
        }))
    }
}

impl Figures {
    pub(crate) fn sent(&self, spans: u64) {
        self.0.sent.add([], spans);
    }

    pub(crate) fn dropped(&self, reason: Reason, spans: u64) {
        self.0.dropped.add([reason.as_str()], spans);
    }

    pub(crate) fn event_dropped(&self) {
        self.0.events_dropped.add_one([]);
    }

    pub(crate) fn answered(&self, after: Duration) {
        self.0.send_time.observe([], after.as_secs_f64());
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.sent.encode(&mut encoder)?;
        self.0.dropped.encode(&mut encoder)?;
        self.0.events_dropped.encode(&mut encoder)?;
        self.0.send_time.encode(&mut encoder)
    }
}
