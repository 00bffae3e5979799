//! Orders whose end somebody waits for: `GET /orders/{id}?wait=30`.
//!
//! The projector tells which orders have ended. One task hears it, and looks at those of them that are waited for in one
//! statement; so waiting costs the database next to nothing, however many wait. It begins with the first who does.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, OnceCell, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use views::{Listening, channels, connect_to_look_up, ended_orders};

use crate::error::StoreError;
use crate::order_status::OrderStatus;

/// Callers that wait at once, each with less than 1 KiB here; past it the next gets 503.
const MAX_WAITERS: usize = 10_000;
/// Those whose orders have not been looked at yet; past it the next gets 503.
const QUEUE: usize = 1024;
/// Ends that were heard of and not looked at yet; past it all orders are looked at that are waited for.
const MAX_HEARD: usize = 10_000;
/// How long those who come are gathered, to be looked at together. Who comes before the end hears of it without this.
const GATHER: Duration = Duration::from_millis(3);
/// The longest between two looks, were a notification lost.
const PAUSE: Duration = Duration::from_secs(1);

/// Where to wait for an order's end. Cheap to clone.
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

/// Where a caller waits. It holds the caller's place, so a caller that leaves frees it only once its
/// answer is not kept any more.
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

    /// The order as it ended, or got stuck; `None`: not within that time.
    pub async fn wait(&self, order: String, most: Duration) -> Result<Option<OrderStatus>, StoreError> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| StoreError::TooManyWaiting)?;
        let waiters = self.waiters.get_or_init(async || begin(self.pool.clone())).await;
        let (to, answered) = oneshot::channel();
        let waiter = Waiter { order, answer: Answer { to, _place: place } };
        waiters.try_send(waiter).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::TooManyWaiting,
            TrySendError::Closed(_) => StoreError::Unavailable,
        })?;
        match timeout(most, answered).await {
            Ok(answered) => answered.map(Some).map_err(|_| StoreError::Unavailable),
            Err(_) => Ok(None),
        }
    }
}

fn begin(pool: PgPool) -> mpsc::Sender<Waiter> {
    let (sender, waiters) = mpsc::channel(QUEUE);
    let heard = Arc::new(Heard::default());
    let listening = tokio::spawn(listen(pool.clone(), heard.clone()));
    tokio::spawn(async move {
        Watch { pool, db: None, waiting: HashMap::new() }.run(waiters, &heard).await;
        listening.abort();
    });
    sender
}

/// Which orders have ended since somebody looked.
#[derive(Default)]
struct Heard {
    ended: Mutex<HashSet<String>>,
    news: Notify,
    /// Something may have been missed.
    missed: Notify,
}

impl Heard {
    fn add(&self, ids: &str) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.extend(ids.split_whitespace().map(str::to_owned));
        if ended.len() > MAX_HEARD {
            ended.clear();
            self.missed.notify_one();
        }
        self.news.notify_one();
    }

    fn take(&self) -> HashSet<String> {
        std::mem::take(&mut self.ended.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Hears of ends.
async fn listen(pool: PgPool, heard: Arc<Heard>) {
    let mut listening = Listening::to(channels::ENDED, pool);
    loop {
        match listening.next().await {
            Some(ids) => heard.add(&ids),
            None => heard.missed.notify_one(),
        }
    }
}

struct Watch {
    pool: PgPool,
    /// Its own, because the pool asks a connection whether it lives each time that it gives it out.
    db: Option<PgConnection>,
    /// By order.
    waiting: HashMap<String, Vec<Answer>>,
}

impl Watch {
    async fn run(mut self, mut waiters: mpsc::Receiver<Waiter>, heard: &Heard) {
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
                () = heard.news.notified() => {
                    heard.take().into_iter().filter(|order| self.waiting.contains_key(order)).collect()
                }
                () = heard.missed.notified() => self.all(),
                _ = pause.tick(), if !self.waiting.is_empty() => self.all(),
            };
            if !orders.is_empty() {
                self.answer(orders).await;
            }
        }
    }

    /// Their orders.
    fn take_in(&mut self, new: &mut Vec<Waiter>) -> Vec<String> {
        let orders = new.iter().map(|waiter| waiter.order.clone()).collect();
        for Waiter { order, answer } in new.drain(..) {
            self.waiting.entry(order).or_default().push(answer);
        }
        orders
    }

    /// Every order that is still waited for.
    fn all(&mut self) -> Vec<String> {
        self.waiting.retain(|_, answers| {
            answers.retain(|answer| !answer.to.is_closed());
            !answers.is_empty()
        });
        self.waiting.keys().cloned().collect()
    }

    async fn answer(&mut self, orders: Vec<String>) {
        // What cannot be read now is looked at again, at the latest after the pause.
        let Ok(ended) = self.ended(&orders).await.map_err(StoreError::from) else { return };
        for status in ended {
            for answer in self.waiting.remove(&status.order_id).into_iter().flatten() {
                // Whoever has left has no use for it.
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
        assert_eq!(completions.wait("2".to_owned(), SOON).await, Err(StoreError::TooManyWaiting));
        first.abort();
        second.abort();
        let again = async {
            while completions.wait("2".to_owned(), Duration::ZERO).await == Err(StoreError::TooManyWaiting) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(SOON, again).await.expect("the places of those who left are free again");
    }
}
