//! Who came, and who was refused, for metrics and the log. Attempts to get in that were refused are
//! counted by reason, and logged: a line names the caller's address and the path, and nothing of
//! what the request carries.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use access::{AccessCounts, Denied, LineLimit};
use axum::http::Request;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

/// The longest path in a line, in characters.
const MAX_PATH: usize = 200;

/// What a listener counts of its callers. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct AccessLog {
    refusals: Arc<Mutex<BTreeMap<&'static str, u64>>>,
    lines: Arc<LineLimit>,
    counts: AccessCounts,
}

impl AccessLog {
    /// What callers did that were let in.
    pub(crate) fn counts(&self) -> &AccessCounts {
        &self.counts
    }

    /// Counts a refused attempt, and logs it, unless there are too many.
    pub(crate) fn note_refusal<B>(
        &self,
        reason: &'static str,
        denied: &Denied,
        request: &Request<B>,
        peer: Option<SocketAddr>,
    ) {
        *self.refusals().entry(reason).or_default() += 1;
        if self.lines.admits(Instant::now()) {
            let path: String = request.uri().path().chars().take(MAX_PATH).collect();
            let peer = peer.map(|peer| peer.to_string());
            tracing::warn!(reason, peer, method = %request.method(), path, "refused: {denied}");
        }
    }

    fn refusals(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for AccessLog {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let refusals = self.refusals().clone();
        let meaning = "Requests that were refused before they were looked at, by reason";
        let mut family = encoder.encode_descriptor("refused_requests", meaning, None, MetricType::Counter)?;
        for (reason, count) in refusals {
            ConstCounter::new(count).encode(family.encode_family(&[("reason", reason)])?)?;
        }
        let meaning = "Requests with credentials that were let in, once for each role of their principal";
        let mut family = encoder.encode_descriptor("authenticated_requests", meaning, None, MetricType::Counter)?;
        for ((credentials, role), count) in self.counts.requests() {
            let labels = [("credentials", credentials.as_str()), ("role", role)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        for (name, meaning, count) in [
            (
                "disclosed_orders",
                "Orders whose personal data authenticated callers have read, counted for each request",
                self.counts.disclosures(),
            ),
            ("erasures", "Requests that erased the personal data of a customer", self.counts.erasures()),
            ("exports", "Histories of orders that were exported over HTTP", self.counts.exports()),
        ] {
            let counter = encoder.encode_descriptor(name, meaning, None, MetricType::Counter)?;
            ConstCounter::new(count).encode(counter)?;
        }
        Ok(())
    }
}
