//! Tokens of callbacks: who has the address of a callback may answer that request, and no other.
//!
//! A token is bound to order, step and direction. No event has it, and no log line: the instance
//! that sends a request computes it, and any instance checks it. All instances of a database have
//! the same secrets, without configuration ([`stored`]), or those of one file.

mod stored;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use access::LineLimit;
use chrono::{DateTime, Utc};
use domain::ids::OrderId;
use domain::order::Direction;
use signing::SecretFile;
use signing::callback::{CallbackScope, CallbackSecrets, Rejected};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::participants::ActionRequest;

use stored::LEEWAY;
pub use stored::{CallbackSecretsError, rotate_callback_secrets};

/// How often secrets are read: every instance notices a rotation within ten seconds.
const EVERY: Duration = Duration::from_secs(5);
/// How often the first reading is tried while the database is away, with a second in between.
const TRIES: usize = 60;

/// The tokens of callbacks. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Callbacks {
    secrets: Secrets,
    rejections: Arc<Rejections>,
}

/// Where the secrets come from.
#[derive(Debug, Clone)]
enum Secrets {
    /// The database, with what was read last.
    Database(PgPool, Arc<watch::Sender<Arc<CallbackSecrets>>>),
    File(SecretFile<CallbackSecrets>),
}

/// How many tokens were refused, by reason.
#[derive(Debug, Default)]
struct Rejections {
    by_reason: [AtomicU64; Rejected::ALL.len()],
    lines: LineLimit,
}

impl Callbacks {
    /// With the secrets of the file, or else with those of the database. If the database has no
    /// secret, this makes the first one.
    pub async fn start(pool: &PgPool, file: Option<SecretFile<CallbackSecrets>>) -> Result<Self, CallbackSecretsError> {
        let secrets = match file {
            Some(file) => Secrets::File(file),
            None => Secrets::Database(pool.clone(), Arc::new(watch::Sender::new(Arc::new(first(pool).await?)))),
        };
        Ok(Self { secrets, rejections: Arc::default() })
    }

    /// Follows rotations, until `stop`. While the database cannot be read, the secrets that were
    /// read last stay in use.
    pub async fn watch(self, stop: CancellationToken) {
        // A file is read again where it is used.
        let Secrets::Database(pool, current) = &self.secrets else { return stop.cancelled().await };
        stop.run_until_cancelled(follow(pool, current)).await;
    }

    fn secrets(&self) -> Arc<CallbackSecrets> {
        match &self.secrets {
            Secrets::Database(_, current) => current.borrow().clone(),
            Secrets::File(file) => file.current(),
        }
    }

    /// The token for the answer to a request.
    pub(crate) fn token(&self, request: &ActionRequest) -> String {
        let attempt = &request.attempt;
        let validity = (request.time_to_answer + LEEWAY).as_secs();
        let expires = attempt.deadline.timestamp().saturating_add_unsigned(validity);
        self.secrets().issue(scope(&request.order_id, &attempt.step, attempt.direction), expires)
    }

    /// Accepts the token of an answer.
    pub(crate) fn verify(
        &self,
        token: &str,
        (order, step, direction): (&OrderId, &str, Direction),
        now: DateTime<Utc>,
    ) -> Result<(), Rejected> {
        self.secrets().check(token, scope(order, step, direction), now.timestamp())
    }

    /// Counts an answer that was refused because of its token. Returns whether it is logged, too.
    pub(crate) fn count_rejection(&self, reason: Rejected) -> bool {
        self.rejections.count(reason);
        self.rejections.lines.admits(Instant::now())
    }

    /// How many tokens this instance has refused, by reason.
    pub(crate) fn rejections(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.rejections.by_reason.iter().map(|count| count.load(Ordering::Relaxed));
        Rejected::ALL.map(Rejected::as_str).into_iter().zip(counts.collect::<Vec<_>>())
    }
}

impl Rejections {
    fn count(&self, reason: Rejected) {
        for (possible, count) in Rejected::ALL.iter().zip(&self.by_reason) {
            if *possible == reason {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn scope<'a>(order: &'a OrderId, step: &'a str, direction: Direction) -> CallbackScope<'a> {
    CallbackScope { order: order.as_str(), step, direction: direction.as_str() }
}

async fn follow(pool: &PgPool, current: &watch::Sender<Arc<CallbackSecrets>>) -> Infallible {
    loop {
        sleep(EVERY).await;
        match stored::read(pool).await {
            Ok(secrets) => drop(current.send_replace(Arc::new(secrets))),
            Err(error) => warn!(%error, "the secrets of callbacks cannot be read: the last ones stay in use"),
        }
    }
}

/// The secrets of the database, which may be away for a moment.
async fn first(pool: &PgPool) -> Result<CallbackSecrets, CallbackSecretsError> {
    for _ in 1..TRIES {
        match stored::read(pool).await {
            Err(error) if error.is_outage() => {
                warn!(%error, "the secrets of callbacks cannot be read yet");
                sleep(Duration::from_secs(1)).await;
            }
            read => return read,
        }
    }
    stored::read(pool).await
}
