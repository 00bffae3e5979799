//! What an instance counts of webhooks, for `/metrics`.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use chrono::Utc;
use domain::Timestamp;
use domain::webhook::WebhookId;
use metrics::{Counters, DescriptorEncoder, Metric};

use crate::lock::lock;

metrics::metrics! {
    ATTEMPTS: 2 = Metric::counter(
        "tenuto_webhook_attempts",
        ["webhook", "result"],
        "Requests to endpoints of webhooks, by the answer: 2xx, 3xx, 4xx, 5xx or no_answer",
    );
    DELIVERIES: 2 = Metric::counter(
        "tenuto_webhook_deliveries",
        ["webhook", "result"],
        "Notifications of webhooks that came to an end: delivered or given_up",
    );
    OPEN: 1 = Metric::gauge(
        "tenuto_webhook_open_deliveries",
        ["webhook"],
        "Notifications that were read from the log and are not delivered; only the instance that delivers has any",
    );
    LAG: 1 = Metric::gauge(
        "tenuto_webhook_lag_seconds",
        ["webhook"],
        "How long ago the event of the oldest open notification was recorded; 0: none is open",
    );
    FAILING: 1 = Metric::gauge(
        "tenuto_webhook_failing",
        ["webhook"],
        "1 while the endpoint takes no notification, so that only one at a time is tried",
    );
    DEAD_LETTERS: 0 = Metric::gauge(
        "tenuto_webhook_dead_letters",
        [],
        "Notifications that were given up and not replayed, by the views; NaN: not known",
    );
    DISABLED: 0 = Metric::gauge("tenuto_webhooks_disabled", [], "Webhooks that are disabled, by the views; NaN: not known");
}

/// Counts of the webhooks of an instance. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct WebhookFigures(Arc<Counts>);

struct Counts {
    attempts: Counters<2>,
    deliveries: Counters<2>,
    standings: Mutex<HashMap<WebhookId, Standing>>,
}

/// How the delivery of a webhook stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub open: usize,
    pub oldest: Option<Timestamp>,
    pub is_failing: bool,
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counts").finish_non_exhaustive()
    }
}

impl Default for WebhookFigures {
    fn default() -> Self {
        let counts = Counts {
            attempts: Counters::new(&ATTEMPTS),
            deliveries: Counters::new(&DELIVERIES),
            standings: Mutex::default(),
        };
        Self(Arc::new(counts))
    }
}

impl WebhookFigures {
    pub(super) fn attempted(&self, webhook: WebhookId, result: &str) {
        self.0.attempts.add_one([&webhook.to_string(), result]);
    }

    pub(super) fn ended(&self, webhook: WebhookId, result: &str) {
        self.0.deliveries.add_one([&webhook.to_string(), result]);
    }

    pub(super) fn stands(&self, webhook: WebhookId, standing: Standing) {
        lock(&self.0.standings).insert(webhook, standing);
    }

    /// This instance no longer delivers it.
    pub(super) fn left(&self, webhook: WebhookId) {
        lock(&self.0.standings).remove(&webhook);
    }

    /// Writes them. `counted` are the dead letters and the disabled webhooks of the views.
    pub(crate) fn encode(&self, encoder: &mut DescriptorEncoder<'_>, counted: (f64, f64)) -> fmt::Result {
        self.0.attempts.encode(encoder)?;
        self.0.deliveries.encode(encoder)?;
        let standings: Vec<(String, Standing)> =
            lock(&self.0.standings).iter().map(|(id, standing)| (id.to_string(), *standing)).collect();
        let now = Utc::now();
        let mut samples = OPEN.samples(encoder)?;
        standings.iter().try_for_each(|(id, standing)| samples.add([id], standing.open as u64))?;
        let mut samples = LAG.samples(encoder)?;
        standings.iter().try_for_each(|(id, standing)| {
            let lag = standing.oldest.map_or(0.0, |oldest| (now - oldest).as_seconds_f64().max(0.0));
            samples.add([id], lag)
        })?;
        let mut samples = FAILING.samples(encoder)?;
        standings.iter().try_for_each(|(id, standing)| samples.add([id], standing.is_failing))?;
        DEAD_LETTERS.write(encoder, counted.0)?;
        DISABLED.write(encoder, counted.1)
    }
}
