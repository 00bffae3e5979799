//! Orders whose end somebody waits for: `GET /orders/{id}?wait=30`.
//!
//! The projector notifies whenever the views have moved. One task hears it and then looks at all the orders that are waited for
//! in one statement, so that waiting costs the database next to nothing, however many wait. It begins with the first who does.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, OnceCell, mpsc, oneshot};

use crate::error::StoreError;
use crate::order_status::OrderStatus;
use crate::store::ended_orders;

/// The channel on which the projector notifies.
const VIEWS_MOVED: &str = "tenuto_views";
/// Those whose orders have not been looked at yet; past it the next is told to come later.
const QUEUE: usize = 1024;
/// How long to wait for a database that is away, and the longest between two looks, were a notification lost.
const PAUSE: Duration = Duration::from_secs(1);

/// Where to wait. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Ends {
    pool: PgPool,
    waiters: Arc<OnceCell<mpsc::Sender<Waiter>>>,
}

struct Waiter {
    order: String,
    answer: oneshot::Sender<OrderStatus>,
}

impl Ends {
    pub fn new(pool: PgPool) -> Self {
        Self { pool, waiters: Arc::default() }
    }

    /// The order as it ended, or got stuck; `None`: not within that time.
    pub async fn wait(&self, order: String, most: Duration) -> Result<Option<OrderStatus>, StoreError> {
        let waiters = self.waiters.get_or_init(async || begin(self.pool.clone())).await;
        let (answer, answered) = oneshot::channel();
        waiters.try_send(Waiter { order, answer }).map_err(|_| StoreError::Unavailable)?;
        match tokio::time::timeout(most, answered).await {
            Ok(answered) => answered.map(Some).map_err(|_| StoreError::Unavailable),
            Err(_) => Ok(None),
        }
    }
}

fn begin(pool: PgPool) -> mpsc::Sender<Waiter> {
    let (sender, waiters) = mpsc::channel(QUEUE);
    let moved = Arc::new(Notify::new());
    let listening = tokio::spawn(listen(pool.clone(), moved.clone()));
    tokio::spawn(async move {
        Watch { pool, waiting: HashMap::new() }.run(waiters, &moved).await;
        listening.abort();
    });
    sender
}

/// Passes on that the views have moved. While that cannot be heard, it is assumed.
async fn listen(pool: PgPool, moved: Arc<Notify>) {
    loop {
        if let Ok(mut listener) = PgListener::connect_with(&pool).await
            && listener.listen(VIEWS_MOVED).await.is_ok()
        {
            // What happened before is seen now. A lost connection is taken up again by the listener, and heard as a move.
            moved.notify_one();
            while listener.try_recv().await.is_ok() {
                moved.notify_one();
            }
        }
        moved.notify_one();
        tokio::time::sleep(PAUSE).await;
    }
}

struct Watch {
    pool: PgPool,
    /// By order.
    waiting: HashMap<String, Vec<oneshot::Sender<OrderStatus>>>,
}

impl Watch {
    async fn run(mut self, mut waiters: mpsc::Receiver<Waiter>, moved: &Notify) {
        let mut new = Vec::new();
        loop {
            let look_at_all = tokio::select! {
                count = waiters.recv_many(&mut new, QUEUE) => {
                    if count == 0 {
                        return;
                    }
                    false
                }
                () = moved.notified(), if !self.waiting.is_empty() => true,
                () = tokio::time::sleep(PAUSE), if !self.waiting.is_empty() => true,
            };
            let mut orders: Vec<String> = new.iter().map(|waiter: &Waiter| waiter.order.clone()).collect();
            for Waiter { order, answer } in new.drain(..) {
                self.waiting.entry(order).or_default().push(answer);
            }
            if look_at_all {
                self.forget_those_who_left();
                orders = self.waiting.keys().cloned().collect();
            }
            self.look_at(orders).await;
        }
    }

    async fn look_at(&mut self, orders: Vec<String>) {
        // What cannot be read now is looked at again, at the latest after the pause.
        let Ok(ended) = ended_orders(&self.pool, &orders).await.map_err(StoreError::from) else { return };
        for status in ended {
            for answer in self.waiting.remove(&status.order_id).into_iter().flatten() {
                // Whoever has left has no use for it.
                let _ = answer.send(status.clone());
            }
        }
    }

    fn forget_those_who_left(&mut self) {
        self.waiting.retain(|_, answers| {
            answers.retain(|answer| !answer.is_closed());
            !answers.is_empty()
        });
    }
}
