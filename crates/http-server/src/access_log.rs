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
use metrics::{Collector, DescriptorEncoder};
use tls::ListenerTls;

use crate::figures::{AUTHENTICATED, CERTIFICATE, DISCLOSED, ERASURES, EXPORTS, REFUSED, RequestFigures};

/// The longest path in a line, in characters.
const MAX_PATH: usize = 200;

/// What a listener counts of its callers. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct AccessLog {
    refusals: Arc<Mutex<BTreeMap<&'static str, u64>>>,
    lines: Arc<LineLimit>,
    counts: AccessCounts,
    requests: RequestFigures,
    /// Whose certificate expires.
    tls: Option<ListenerTls>,
}

impl AccessLog {
    /// That of a listener with this TLS.
    pub(crate) fn of(tls: Option<&ListenerTls>) -> Self {
        Self { tls: tls.cloned(), ..Self::default() }
    }

    /// What is counted of requests.
    pub(crate) fn requests(&self) -> &RequestFigures {
        &self.requests
    }

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
        self.requests.encode(&mut encoder)?;
        if let Some(expires) = self.tls.as_ref().and_then(ListenerTls::expires) {
            CERTIFICATE.write(&mut encoder, expires)?;
        }
        let mut samples = REFUSED.samples(&mut encoder)?;
        self.refusals().iter().try_for_each(|(reason, count)| samples.add([reason], *count))?;
        let mut samples = AUTHENTICATED.samples(&mut encoder)?;
        for ((credentials, role), count) in self.counts.requests() {
            samples.add([credentials.as_str(), role], count)?;
        }
        DISCLOSED.write(&mut encoder, self.counts.disclosures())?;
        ERASURES.write(&mut encoder, self.counts.erasures())?;
        EXPORTS.write(&mut encoder, self.counts.exports())
    }
}
