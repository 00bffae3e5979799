//! The safe path: the to-do list brings back orders that are due, whichever instance drove them
//! before.
//!
//! The projector maintains the list, as a view of the log: one row for each order with future work,
//! and its time. An instance claims due work with a lease, so that other instances leave it alone.
//! A lease only saves double work. If two instances drive the same order, the expected revision of
//! their appends decides. A lease ends with the order's next revision, with its time, or at once
//! when its owner leaves.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use domain::Timestamp;
use domain::ids::OrderId;
use leader_consumer::LogAlarm;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use views::todo::Claimed;

use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::Orchestrator;
use crate::participants::Participants;

/// How long an order with a broken history is postponed. An operator's command is tried at once.
const PUT_OFF: Duration = Duration::from_mins(10);

/// How long an order is postponed whose participants have no address here. Another instance may
/// have one.
const WITHOUT_ADDRESS: Duration = Duration::from_mins(2);

/// How the instance works through the list.
#[derive(Debug, Clone)]
pub struct TodoOptions {
    /// The name of this instance in the leases.
    pub owner: String,
    /// How long other instances leave a claimed order alone.
    pub lease: Duration,
    /// The interval between reads of the list.
    pub every: Duration,
    /// The most orders claimed at once.
    pub most: usize,
    /// While it is raised, the list belongs to another log, and the instance claims nothing.
    pub alarm: LogAlarm,
}

/// The list, as the write side needs it. It is a port, so that the same loop also runs in the
/// simulation.
pub trait TodoList: Send + Sync + 'static {
    /// Why the list cannot be read.
    type Error: Display + Send;

    /// Claims orders that are due at `now` and have no lease. The order that has been due longest
    /// comes first.
    fn claim(
        &self,
        now: Timestamp,
        most: usize,
        options: &TodoOptions,
    ) -> impl Future<Output = Result<Claimed, Self::Error>> + Send;

    /// Extends the leases of orders that this instance claimed, so that they do not come back
    /// before this time, unless they get new events.
    fn put_off(&self, orders: &[OrderId], time: Duration) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Works through the list until the process stops. After an error it tries again later.
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
        // A full batch means that the list may have more.
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
    let Claimed { orders, taken_over } = list.claim(orchestrator.clock().now().at, most, options).await?;
    orchestrator.figures().claimed(orders.len(), taken_over);
    for id in &orders {
        let Ok(order_id) = OrderId::new(id.as_str()) else {
            warn!(order = id, "the to-do list names an order that cannot be one");
            continue;
        };
        debug!(order = id, "due");
        // No driver is free: the lease ends, and the order comes back.
        let _ = orchestrator.wake(order_id);
    }
    Ok(orders.len())
}

impl TodoList for PgPool {
    type Error = sqlx::Error;

    async fn claim(&self, now: Timestamp, most: usize, options: &TodoOptions) -> Result<Claimed, sqlx::Error> {
        views::todo::claim(self, now, most, &options.owner, options.lease).await
    }

    async fn put_off(&self, orders: &[OrderId], time: Duration) -> Result<(), sqlx::Error> {
        if orders.is_empty() {
            return Ok(());
        }
        views::todo::put_off(self, orders.iter().map(OrderId::as_str).collect(), time).await
    }
}
