//! Outboxes: items queued by a transaction are delivered after it, until the receiver accepts them,
//! also across restarts.
//!
//! One worker at a time delivers: the one that holds a lock in the database ([`Leader`]). It reads
//! its queues over the connection that holds the lock, so a worker without the lock reads nothing
//! more. Deliveries in flight are known in memory only: the next worker resumes where a dead one
//! stopped. So an item may be delivered twice; idempotency keys and message ids make that harmless.

use std::collections::VecDeque;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use sqlx::postgres::PgRow;
use sqlx::postgres::types::PgInterval;
use sqlx::{Connection, FromRow, PgConnection, PgPool};
use tokio::sync::{Mutex, MutexGuard, watch};

use crate::options::{Bell, Options, Retry};

/// How often the worker polls a queue without a wake-up.
pub(crate) const POLL: Duration = Duration::from_millis(500);

/// How many items one query reads.
const BATCH: i64 = 64;

/// The key of the delivering worker's lock.
const LEADER_LOCK: i64 = 0x7465_6e75_746f_0001;

/// The right to deliver.
pub(crate) struct Leader(Mutex<PgConnection>);

impl Leader {
    /// Waits for the right to deliver; `None`: `stop` came first.
    pub(crate) async fn elect(pool: &PgPool, stop: &mut watch::Receiver<bool>) -> Result<Option<Self>, sqlx::Error> {
        // Detached from the pool, because closing the connection releases the lock.
        let mut connection = pool.acquire().await?.detach();
        while !*stop.borrow() {
            let lock = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LEADER_LOCK);
            if lock.fetch_one(&mut connection).await? {
                return Ok(Some(Self(Mutex::new(connection))));
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                _ = stop.changed() => {}
            }
        }
        Ok(None)
    }

    pub(crate) async fn connection(&self) -> MutexGuard<'_, PgConnection> {
        self.0.lock().await
    }

    /// Lets another worker deliver at once.
    pub(crate) async fn resign(self) -> Result<(), sqlx::Error> {
        self.0.into_inner().close().await
    }
}

/// The statements on the table of one outbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queue {
    pub(crate) due: &'static str,
    pub(crate) settle: &'static str,
    pub(crate) postpone: &'static str,
}

/// The [`Queue`] of a table. Of each order only the oldest item is due, so answers about an order
/// keep their order.
macro_rules! queue_in {
    ($table:literal) => {
        $crate::outbox::Queue {
            due: concat!(
                "SELECT item.*,
                        (extract(epoch FROM now() - queued_at) * 1000)::bigint AS age_ms,
                        greatest(0, ceil(extract(epoch FROM next_attempt_at - clock_timestamp()) * 1000))::bigint AS wait_ms
                 FROM ", $table, " item
                 WHERE settled_at IS NULL AND id <> ALL($1)
                   AND NOT EXISTS (SELECT FROM ", $table, " earlier
                                   WHERE earlier.order_id = item.order_id AND earlier.id < item.id
                                     AND earlier.settled_at IS NULL)
                 ORDER BY next_attempt_at LIMIT $2"
            ),
            settle: concat!(
                "UPDATE ", $table, " SET settled_at = now(), settlement = $2, last_error = $3, attempts = attempts + 1
                 WHERE id = $1"
            ),
            postpone: concat!(
                "UPDATE ", $table, " SET next_attempt_at = clock_timestamp() + $2, last_error = $3, attempts = attempts + 1
                 WHERE id = $1"
            ),
        }
    };
}
pub(crate) use queue_in;

/// The worker's columns of a queued item.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Ticket {
    id: i64,
    attempts: i32,
    age_ms: i64,
    wait_ms: i64,
}

impl Ticket {
    /// How long ago it was queued.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.age_ms).unwrap_or(0))
    }

    /// How long until it is due.
    fn wait(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.wait_ms).unwrap_or(0))
    }

    /// How many attempts have failed, with the present one.
    fn attempts_failed(&self) -> u32 {
        u32::try_from(self.attempts).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// The result of a delivery.
#[derive(Debug)]
pub(crate) enum Verdict {
    Delivered,
    /// The receiver will never accept it.
    Refused(String),
    /// The receiver may accept it later, but not before the time that it asked for.
    Again {
        reason: String,
        after: Option<Duration>,
    },
}

/// Delivers the items of a queue.
pub(crate) trait Outbox: Sync {
    const QUEUE: Queue;
    type Item: AsRef<Ticket> + for<'r> FromRow<'r, PgRow> + Send + Sync + Unpin;

    fn deliver(&self, item: &Self::Item) -> impl Future<Output = Verdict> + Send;
}

/// Delivers until `stop`, then waits for deliveries in flight. Returns an error when the database
/// fails.
pub(crate) async fn empty<O: Outbox>(
    outbox: &O,
    bell: &Bell,
    leader: &Leader,
    pool: &PgPool,
    options: &Options,
    mut stop: watch::Receiver<bool>,
) -> Result<(), sqlx::Error> {
    let mut rung = bell.listen();
    let mut ready: VecDeque<O::Item> = VecDeque::new();
    let mut in_flight = FuturesUnordered::new();
    // The ids of both.
    let mut busy: Vec<i64> = Vec::new();
    while !*stop.borrow() {
        let mut pause = POLL;
        if ready.is_empty() {
            for item in due::<O>(leader, &busy).await? {
                let ticket = item.as_ref();
                if ticket.wait_ms > 0 {
                    pause = pause.min(ticket.wait());
                    break;
                }
                busy.push(ticket.id);
                ready.push_back(item);
            }
        }
        while in_flight.len() < options.deliveries_in_flight_max.max(1)
            && let Some(item) = ready.pop_front()
        {
            in_flight.push(attempt(outbox, pool, &options.retry, item));
        }
        tokio::select! {
            Some(ended) = in_flight.next() => {
                let ended: i64 = ended?;
                busy.retain(|id| *id != ended);
            }
            () = tokio::time::sleep(pause) => {}
            _ = rung.changed() => {}
            _ = stop.changed() => {}
        }
    }
    while let Some(ended) = in_flight.next().await {
        ended?;
    }
    Ok(())
}

/// The due items, and after them the later ones.
async fn due<O: Outbox>(leader: &Leader, busy: &[i64]) -> Result<Vec<O::Item>, sqlx::Error> {
    sqlx::query_as(O::QUEUE.due).bind(busy).bind(BATCH).fetch_all(&mut *leader.connection().await).await
}

/// Tries one delivery, and records its result. Returns the item's id.
async fn attempt<O: Outbox>(outbox: &O, pool: &PgPool, retry: &Retry, item: O::Item) -> Result<i64, sqlx::Error> {
    let verdict = outbox.deliver(&item).await;
    let ticket = item.as_ref();
    match verdict {
        Verdict::Delivered => settle::<O>(pool, ticket, "delivered", None).await?,
        Verdict::Refused(reason) => settle::<O>(pool, ticket, "refused", Some(reason)).await?,
        Verdict::Again { reason, .. } if ticket.age() >= retry.give_up_after => {
            settle::<O>(pool, ticket, "given_up", Some(reason)).await?;
        }
        Verdict::Again { reason, after } => {
            let pause = retry.pause(ticket.attempts_failed(), after);
            let postpone = sqlx::query(O::QUEUE.postpone).bind(ticket.id).bind(interval(pause)).bind(reason);
            postpone.execute(pool).await?;
        }
    }
    Ok(ticket.id)
}

async fn settle<O: Outbox>(
    pool: &PgPool,
    ticket: &Ticket,
    settlement: &str,
    reason: Option<String>,
) -> Result<(), sqlx::Error> {
    if let Some(reason) = &reason {
        tracing::warn!(id = ticket.id, settlement, reason, "a delivery will not be tried again");
    }
    sqlx::query(O::QUEUE.settle).bind(ticket.id).bind(settlement).bind(reason).execute(pool).await.map(drop)
}

/// A duration in the database's form.
pub(crate) fn interval(time: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(time.as_micros()).unwrap_or(i64::MAX) }
}
