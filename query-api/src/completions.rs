//! Waits for the end of orders: `GET /orders/{id}?wait=30`.
//!
//! The projector announces which orders have ended. One task receives this, and reads those orders
//! that callers wait for in one statement. So waiting costs the database little, whatever the
//! number of callers. The task begins with the first caller.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, OnceCell, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use views::{Listening, ViewsError, channels, connect_to_look_up, ended_orders};

use crate::error::QueryError;
use crate::order_status::OrderStatus;

/// How many callers may wait at once, each with less than 1 KiB. Further ones get 503.
const MAX_WAITERS: usize = 10_000;
/// How many callers may wait for the first look at their orders. Further ones get 503.
const QUEUE: usize = 1024;
/// How many announced orders are kept until they are read. Beyond that, each order is read that a
/// caller waits for.
const MAX_ANNOUNCED: usize = 10_000;
/// How long new callers are collected, so that one statement reads their orders. An announcement
/// does not wait for this.
const GATHER: Duration = Duration::from_millis(3);
/// The longest pause between two reads, in case an announcement was lost.
const PAUSE: Duration = Duration::from_secs(1);

/// Waits for the end of orders. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Completions {
    pool: PgPool,
    waiters: Arc<OnceCell<mpsc::Sender<Waiter>>>,
    places: Arc<Semaphore>,
}

struct Waiter {
    order: String,
    answer: Answer,
}

/// Where a caller waits. It holds the caller's place, so a caller that leaves frees it only once
/// its answer is not kept any more.
struct Answer {
    to: oneshot::Sender<OrderStatus>,
    _place: OwnedSemaphorePermit,
}

impl Completions {
    pub fn new(pool: PgPool) -> Self {
        Self::bounded(pool, MAX_WAITERS)
    }

    fn bounded(pool: PgPool, max_waiters: usize) -> Self {
        Self { pool, waiters: Arc::default(), places: Arc::new(Semaphore::new(max_waiters)) }
    }

    /// The order when it has ended, or is stuck; `None`: not within that time.
    pub async fn wait(&self, order: String, most: Duration) -> Result<Option<OrderStatus>, QueryError> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| QueryError::TooManyWaiting)?;
        let waiters = self.waiters.get_or_init(async || begin(self.pool.clone())).await;
        let (to, answered) = oneshot::channel();
        let waiter = Waiter { order, answer: Answer { to, _place: place } };
        waiters.try_send(waiter).map_err(|error| match error {
            TrySendError::Full(_) => QueryError::TooManyWaiting,
            TrySendError::Closed(_) => ViewsError::Unavailable.into(),
        })?;
        match timeout(most, answered).await {
            Ok(answered) => answered.map(Some).map_err(|_| ViewsError::Unavailable.into()),
            Err(_) => Ok(None),
        }
    }
}

fn begin(pool: PgPool) -> mpsc::Sender<Waiter> {
    let (sender, waiters) = mpsc::channel(QUEUE);
    let announced = Arc::new(Announced::default());
    let listening = tokio::spawn(listen(pool.clone(), announced.clone()));
    tokio::spawn(async move {
        Watch { pool, db: None, waiting: HashMap::new() }.run(waiters, &announced).await;
        listening.abort();
    });
    sender
}

/// The orders that were announced since the last read.
#[derive(Default)]
struct Announced {
    ended: Mutex<HashSet<String>>,
    news: Notify,
    /// An announcement may have been missed.
    missed: Notify,
}

impl Announced {
    fn add(&self, ids: &str) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.extend(ids.split_whitespace().map(str::to_owned));
        if ended.len() > MAX_ANNOUNCED {
            ended.clear();
            self.missed.notify_one();
        }
        self.news.notify_one();
    }

    fn take(&self) -> HashSet<String> {
        std::mem::take(&mut self.ended.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Receives the announcements.
async fn listen(pool: PgPool, announced: Arc<Announced>) {
    let mut listening = Listening::to(channels::ENDED, pool);
    loop {
        match listening.next().await {
            Some(ids) => announced.add(&ids),
            None => announced.missed.notify_one(),
        }
    }
}

struct Watch {
    pool: PgPool,
    /// A separate connection, because the pool checks a connection each time that it lends it.
    db: Option<PgConnection>,
    /// By order.
    waiting: HashMap<String, Vec<Answer>>,
}

impl Watch {
    async fn run(mut self, mut waiters: mpsc::Receiver<Waiter>, announced: &Announced) {
        let (mut new, mut gathered, mut look_at) = (Vec::new(), Vec::new(), Instant::now());
        let mut pause = interval(PAUSE);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let orders = tokio::select! {
                count = waiters.recv_many(&mut new, QUEUE) => {
                    if count == 0 {
                        return;
                    }
                    if gathered.is_empty() {
                        look_at = Instant::now() + GATHER;
                    }
                    gathered.extend(self.take_in(&mut new));
                    continue;
                }
                () = sleep_until(look_at), if !gathered.is_empty() => std::mem::take(&mut gathered),
                () = announced.news.notified() => {
                    announced.take().into_iter().filter(|order| self.waiting.contains_key(order)).collect()
                }
                () = announced.missed.notified() => self.all(),
                _ = pause.tick(), if !self.waiting.is_empty() => self.all(),
            };
            if !orders.is_empty() {
                self.answer(orders).await;
            }
        }
    }

    /// Adds new callers. Returns their orders.
    fn take_in(&mut self, new: &mut Vec<Waiter>) -> Vec<String> {
        let orders = new.iter().map(|waiter| waiter.order.clone()).collect();
        for Waiter { order, answer } in new.drain(..) {
            self.waiting.entry(order).or_default().push(answer);
        }
        orders
    }

    /// Each order that a caller still waits for.
    fn all(&mut self) -> Vec<String> {
        self.waiting.retain(|_, answers| {
            answers.retain(|answer| !answer.to.is_closed());
            !answers.is_empty()
        });
        self.waiting.keys().cloned().collect()
    }

    async fn answer(&mut self, orders: Vec<String>) {
        // Orders that cannot be read now are read again, at the latest after the pause.
        let Ok(ended) = self.ended(&orders).await.map_err(QueryError::from) else { return };
        for status in ended {
            for answer in self.waiting.remove(&status.order_id).into_iter().flatten() {
                // A caller that has left needs no answer.
                let _ = answer.to.send(status.clone());
            }
        }
    }

    async fn ended(&mut self, orders: &[String]) -> Result<Vec<OrderStatus>, sqlx::Error> {
        let mut db = match self.db.take() {
            Some(db) => db,
            None => connect_to_look_up(&self.pool).await?,
        };
        let ended = ended_orders(&mut db, orders).await?;
        self.db = Some(db);
        Ok(ended.into_iter().map(OrderStatus::from).collect())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use std::time::Duration;

    use sqlx::postgres::PgPoolOptions;
    use tokio::time::{sleep, timeout};

    use super::*;

    const SOON: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn past_its_bound_a_caller_is_refused_until_others_have_left() {
        // No Postgres: nothing ends.
        let patience = Duration::from_millis(20);
        let nowhere = PgPoolOptions::new().acquire_timeout(patience).connect_lazy("postgres://127.0.0.1:1/none");
        let completions = Completions::bounded(nowhere.unwrap(), 2);
        let wait = |order: &str| {
            let (completions, order) = (completions.clone(), order.to_owned());
            tokio::spawn(async move { completions.wait(order, SOON).await })
        };
        let (first, second) = (wait("1"), wait("1"));
        timeout(SOON, async {
            while completions.places.available_permits() > 0 {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
        assert_eq!(completions.wait("2".to_owned(), SOON).await, Err(QueryError::TooManyWaiting));
        first.abort();
        second.abort();
        let again = async {
            while completions.wait("2".to_owned(), Duration::ZERO).await == Err(QueryError::TooManyWaiting) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(SOON, again).await.expect("the places of those who left are free again");
    }
}
