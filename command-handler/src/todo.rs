//! The safe path: orders that are due come back by the to-do list, whoever drove them before.
//!
//! The projector keeps the list, as a view of the log: one row for every order with something to come, and when. An instance
//! claims what is due with a lease, so that others leave it alone for a while; the lease is a courtesy, not a lock: were two to
//! drive the same order, the expected revision of their appends would decide. It ends with the work that it was taken for, which the
//! order's next revision shows; when it was not done, with time; and when its owner leaves, at once.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use domain::Timestamp;
use domain::ids::OrderId;
use leader_consumer::LogAlarm;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::Orchestrator;
use crate::participants::Participants;

/// How long an order is put off whose history cannot be driven. An operator's command is tried at once.
const PUT_OFF: Duration = Duration::from_mins(10);

/// How long an order is put off whose participants have no address here: another instance may have one.
const WITHOUT_ADDRESS: Duration = Duration::from_mins(2);

/// How the list is worked through.
#[derive(Debug, Clone)]
pub struct TodoOptions {
    /// Names this instance in the leases.
    pub owner: String,
    /// How long a claimed order is left alone by others.
    pub lease: Duration,
    /// How often the list is looked at.
    pub every: Duration,
    /// The most orders claimed at once.
    pub most: usize,
    /// While it is raised, the list is of another log, and nothing is claimed.
    pub alarm: LogAlarm,
}

/// The list, as the write side needs it: a port, so that the same loop also runs on a simulated one.
pub trait TodoList: Send + Sync + 'static {
    /// Why the list cannot be read.
    type Error: Display + Send;

    /// Takes what is due at `now` and nobody holds a lease of, the longest due first.
    fn claim(
        &self,
        now: Timestamp,
        most: usize,
        options: &TodoOptions,
    ) -> impl Future<Output = Result<Vec<String>, Self::Error>> + Send;

    /// Extends the leases of orders that were claimed here, so that they do not come back before that time has passed, unless
    /// they get new events.
    fn put_off(&self, orders: &[OrderId], time: Duration) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Works through the list until told to stop. Trouble with it is waited out.
pub async fn run_todo<L: Log, P: Participants, C: Clock>(
    orchestrator: Orchestrator<L, P, C>,
    list: impl TodoList,
    options: TodoOptions,
    stop: CancellationToken,
) {
    loop {
        let claimed = match claim(&orchestrator, &list, &options).await {
            Ok(claimed) => claimed,
            Err(error) => {
                warn!(%error, "the to-do list cannot be read");
                0
            }
        };
        put_off(&list, &orchestrator.take_put_off(), PUT_OFF).await;
        put_off(&list, &orchestrator.take_without_address(), WITHOUT_ADDRESS).await;
        // A full helping means that there may be more.
        if claimed == options.most && !stop.is_cancelled() {
            continue;
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(options.every) => {}
        }
    }
}

async fn put_off(list: &impl TodoList, orders: &[OrderId], time: Duration) {
    if let Err(error) = list.put_off(orders, time).await {
        warn!(%error, orders = orders.len(), "orders that cannot be driven could not be put off: they come back soon");
    }
}

async fn claim<L: Log, P: Participants, C: Clock, T: TodoList>(
    orchestrator: &Orchestrator<L, P, C>,
    list: &T,
    options: &TodoOptions,
) -> Result<usize, T::Error> {
    let most = options.most.min(orchestrator.free());
    if most == 0 || options.alarm.is_raised() {
        return Ok(0);
    }
    let claimed = list.claim(orchestrator.clock().now().at, most, options).await?;
    for id in &claimed {
        let Ok(order_id) = OrderId::new(id.as_str()) else {
            warn!(order = id, "the to-do list names an order that cannot be one");
            continue;
        };
        debug!(order = id, "due");
        // No driver free: the lease runs out, and the order comes back.
        let _ = orchestrator.wake(order_id);
    }
    Ok(claimed.len())
}

impl TodoList for PgPool {
    type Error = sqlx::Error;

    async fn claim(&self, now: Timestamp, most: usize, options: &TodoOptions) -> Result<Vec<String>, sqlx::Error> {
        views::todo::claim(self, now, most, &options.owner, options.lease).await
    }

    async fn put_off(&self, orders: &[OrderId], time: Duration) -> Result<(), sqlx::Error> {
        if orders.is_empty() {
            return Ok(());
        }
        views::todo::put_off(self, orders.iter().map(OrderId::as_str).collect(), time).await
    }
}
