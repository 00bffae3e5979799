//! The attempts to get in that were refused: counted by reason, and logged. A line names the
//! caller's address and the path, and nothing of what the request carries.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use access::Denied;
use axum::http::Request;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

/// How many lines a second are logged. Further attempts are counted only.
const LINES: u32 = 10;
/// The longest path in a line, in characters.
const MAX_PATH: usize = 200;

/// The refused attempts of a listener. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    by_reason: BTreeMap<&'static str, u64>,
    /// The second that is being logged, and the lines in it.
    second: Option<(Instant, u32)>,
}

impl Refusals {
    /// Counts and logs an attempt.
    pub(crate) fn note<B>(
        &self,
        reason: &'static str,
        denied: &Denied,
        request: &Request<B>,
        peer: Option<SocketAddr>,
    ) {
        if self.count(reason, Instant::now()) {
            let path: String = request.uri().path().chars().take(MAX_PATH).collect();
            let peer = peer.map(|peer| peer.to_string());
            tracing::warn!(reason, peer, method = %request.method(), path, "refused: {denied}");
        }
    }

    /// Counts an attempt. Returns whether it is logged, too.
    fn count(&self, reason: &'static str, now: Instant) -> bool {
        let mut counts = self.lock();
        *counts.by_reason.entry(reason).or_default() += 1;
        let (began, lines) = counts.second.unwrap_or((now, 0));
        let (began, lines) = if now.duration_since(began) < Duration::from_secs(1) { (began, lines) } else { (now, 0) };
        counts.second = Some((began, lines.saturating_add(1)));
        lines < LINES
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Refusals {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let by_reason = self.lock().by_reason.clone();
        let mut family = encoder.encode_descriptor(
            "refused_requests",
            "Requests that were refused before they were looked at, by reason",
            None,
            MetricType::Counter,
        )?;
        for (reason, count) in by_reason {
            ConstCounter::new(count).encode(family.encode_family(&[("reason", reason)])?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attempt_is_counted_and_only_some_in_a_second_are_logged() {
        let (refusals, begun) = (Refusals::default(), Instant::now());
        let logged = (0..100).filter(|_| refusals.count("host", begun)).count();
        assert_eq!(logged, 10);
        assert!(refusals.count("host", begun + Duration::from_secs(1)));
        assert_eq!(refusals.lock().by_reason["host"], 101);
    }
}
