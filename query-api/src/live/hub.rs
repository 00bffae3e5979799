//! One task of an instance reads the changes, once for all subscribers, and passes them on. It
//! begins with the first subscriber.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::filter::OrderFilter;
use sqlx::PgPool;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OnceCell, mpsc, oneshot};
use tokio::time::Instant;
use views::{ViewsError, checkpoint};

use super::subscription::{Ended, Interest, QUEUE};
use super::window::{Change, Watched, became_late, read};
use crate::error::QueryError;
use crate::view_position::{AnnouncedPosition, ViewPosition};

/// How many subscribers may join at once. Further ones wait.
const JOINING: usize = 1024;
/// The longest pause between two reads, in case an announcement was lost.
const PAUSE: Duration = Duration::from_secs(1);

/// The hub, which subscribers join. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    pub pool: PgPool,
    view_position: ViewPosition,
    joining: Arc<OnceCell<mpsc::Sender<Joining>>>,
}

struct Joining {
    interest: Interest,
    queue: Queue,
    joined: oneshot::Sender<()>,
}

/// The hub's end of a subscriber's queue.
struct Queue {
    changes: mpsc::Sender<Change>,
    too_slow: Arc<AtomicBool>,
}

/// A subscriber's end of its queue.
pub struct Membership {
    changes: mpsc::Receiver<Change>,
    too_slow: Arc<AtomicBool>,
}

impl Hub {
    pub fn new(pool: PgPool, view_position: ViewPosition) -> Self {
        Self { pool, view_position, joining: Arc::default() }
    }

    /// Joins. The hub passes on each change that the views do not have now: a caller that reads the
    /// views after this misses no change.
    pub async fn join(&self, interest: Interest) -> Result<Membership, QueryError> {
        let begin = async || begin(self.pool.clone(), self.view_position.listen().await);
        let joining = self.joining.get_or_init(begin).await;
        let (changes, taken) = mpsc::channel(QUEUE);
        let too_slow = Arc::<AtomicBool>::default();
        let (joined, answer) = oneshot::channel();
        let queue = Queue { changes, too_slow: too_slow.clone() };
        joining.send(Joining { interest, queue, joined }).await.map_err(|_| ViewsError::Internal)?;
        // No answer: the database cannot be reached.
        answer.await.map_err(|_| ViewsError::Unavailable)?;
        Ok(Membership { changes: taken, too_slow })
    }
}

impl Membership {
    /// The next change.
    pub async fn next(&mut self) -> Result<Change, Ended> {
        match self.changes.recv().await {
            Some(change) => Ok(change),
            None if self.too_slow.load(Ordering::Acquire) => Err(Ended::TooSlow),
            None => Err(Ended::Query(ViewsError::Unavailable.into())),
        }
    }
}

impl Queue {
    /// Passes a change on. Returns whether the subscriber stays.
    fn hand(&self, change: &Change) -> bool {
        match self.changes.try_send(change.clone()) {
            Ok(()) => true,
            Err(TrySendError::Closed(_)) => false,
            Err(TrySendError::Full(_)) => {
                self.too_slow.store(true, Ordering::Release);
                false
            }
        }
    }
}

fn begin(pool: PgPool, announced: AnnouncedPosition) -> mpsc::Sender<Joining> {
    let (sender, joining) = mpsc::channel(JOINING);
    let members = Members {
        pool,
        by_order: HashMap::new(),
        by_criteria: Vec::new(),
        through: 0,
        late_until: Utc::now(),
        looked_for_late: Instant::now(),
    };
    tokio::spawn(members.serve(joining, announced));
    sender
}

/// The subscribers, and the position up to which they have the changes.
struct Members {
    pool: PgPool,
    by_order: HashMap<String, Vec<Queue>>,
    by_criteria: Vec<(OrderFilter, Vec<Queue>)>,
    through: i64,
    /// The moment up to which they have the orders that became late.
    late_until: DateTime<Utc>,
    looked_for_late: Instant,
}

impl Members {
    async fn serve(mut self, mut joining: mpsc::Receiver<Joining>, mut announced: AnnouncedPosition) {
        let mut new = Vec::new();
        loop {
            let look = tokio::select! {
                count = joining.recv_many(&mut new, JOINING) => {
                    if count == 0 {
                        return;
                    }
                    false
                }
                Ok(()) = announced.changed(), if !self.is_empty() => true,
                () = tokio::time::sleep(PAUSE), if !self.is_empty() => true,
            };
            self.take_in(&mut new).await;
            if look {
                self.remove_those_who_left();
                self.read_on().await;
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.by_order.is_empty() && self.by_criteria.is_empty()
    }

    async fn take_in(&mut self, new: &mut Vec<Joining>) {
        if !new.is_empty() && self.is_empty() {
            match checkpoint::read(&self.pool).await {
                Ok(checkpoint) => {
                    self.through = checkpoint.map_or(0, |at| at.commit.cast_signed());
                    self.late_until = Utc::now();
                }
                Err(error) => {
                    tracing::warn!(%error, "the views cannot be read, and no client can subscribe");
                    new.clear();
                }
            }
        }
        for Joining { interest, queue, joined } in new.drain(..) {
            match interest {
                Interest::Order(order) => self.by_order.entry(order).or_default().push(queue),
                Interest::Matching(criteria) => match self.by_criteria.iter_mut().find(|known| known.0 == *criteria) {
                    Some((_, queues)) => queues.push(queue),
                    None => self.by_criteria.push((*criteria, vec![queue])),
                },
            }
            // A subscriber that has left is removed later.
            let _ = joined.send(());
        }
    }

    async fn read_on(&mut self) {
        let any = !self.by_criteria.is_empty();
        let watched = Watched {
            orders: (!any).then(|| self.by_order.keys().cloned().collect()),
            criteria: self.by_criteria.iter().map(|(criteria, _)| criteria.clone()).collect(),
        };
        loop {
            // Changes that cannot be read now are read later, at the latest after the pause.
            let Ok(window) = read(&self.pool, self.through, &watched).await else { return };
            for change in &window.changes {
                self.hand_on(change);
            }
            self.through = window.through;
            if window.is_last {
                return self.hand_on_late(&watched).await;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Time makes an order late, and no event: so this looks for such orders once in a while.
    async fn hand_on_late(&mut self, watched: &Watched) {
        if self.looked_for_late.elapsed() < PAUSE {
            return;
        }
        let Ok((changes, until)) = became_late(&self.pool, self.late_until, watched).await else { return };
        for change in &changes {
            self.hand_on(change);
        }
        self.late_until = until;
        self.looked_for_late = Instant::now();
    }

    fn hand_on(&mut self, change: &Change) {
        if let Some(queues) = self.by_order.get_mut(&change.order.row().id) {
            queues.retain(|queue| queue.hand(change));
        }
        for criterion in &change.meets {
            if let Some((_, queues)) = self.by_criteria.get_mut(*criterion) {
                queues.retain(|queue| queue.hand(change));
            }
        }
    }

    /// Not while a window is passed on: it names the criteria by their index.
    fn remove_those_who_left(&mut self) {
        let stays = |queues: &mut Vec<Queue>| {
            queues.retain(|queue| !queue.changes.is_closed());
            !queues.is_empty()
        };
        self.by_order.retain(|_, queues| stays(queues));
        self.by_criteria.retain_mut(|(_, queues)| stays(queues));
    }
}
