//! The to-do list of a run: a view of the log that lags behind it, and leases by the list's own
//! clock, as Postgres has them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use domain::Timestamp;
use domain::ids::OrderId;
use tokio::time::{sleep, timeout};
use views::todo::Claimed;

use super::bug::Bug;
use super::faults::Fault;
use super::ports::Being;
use super::simulation::Simulation;
use crate::fakes::watched::Watched;
use crate::lock::lock;
use crate::todo::{TodoList, TodoOptions};

/// How long a reader stays at an empty list. The real list answers at once, and is read again a
/// moment later: all the same, but no test has to count the moments of a month.
const MAX_STAY: Duration = Duration::from_hours(24);

/// The list itself.
#[derive(Debug, Clone)]
pub struct List {
    simulation: Simulation,
    rows: Arc<Mutex<Rows>>,
    changed: Watched,
}

#[derive(Debug, Default)]
struct Rows {
    due: BTreeMap<OrderId, Timestamp>,
    leases: BTreeMap<OrderId, (String, Timestamp)>,
}

impl List {
    pub fn new(simulation: Simulation) -> Self {
        Self { simulation, rows: Arc::default(), changed: Watched::default() }
    }

    /// Follows the log, more or less closely.
    pub async fn follow(self) {
        let written = &self.simulation.written;
        let mut seen = 0;
        loop {
            written.wait_until(|count| count > seen).await;
            seen = written.get();
            let due: BTreeMap<OrderId, Timestamp> = self.simulation.record(|record| {
                let due =
                    |(id, history): (&OrderId, &super::record::History)| Some((id.clone(), history.state()?.due_at()?));
                record.orders.iter().filter_map(due).collect()
            });
            let longest = if self.simulation.happens(Fault::ListLag) { 20_000 } else { 30 };
            sleep(self.simulation.dice.up_to(Duration::from_millis(longest))).await;
            lock(&self.rows).due = due;
            self.changed.count();
        }
    }

    /// Orders that are due at `at` and have no lease, for so long from now.
    fn take(&self, at: Timestamp, most: usize, options: &TodoOptions) -> Vec<String> {
        let now = self.simulation.now();
        let mut rows = lock(&self.rows);
        let Rows { due, leases } = &mut *rows;
        let is_free = |id: &OrderId| leases.get(id).is_none_or(|(_, until)| *until < now && !self.leases_never_end());
        let mut claimed: Vec<(Timestamp, OrderId)> =
            due.iter().filter(|(id, due)| **due <= at && is_free(id)).map(|(id, due)| (*due, id.clone())).collect();
        claimed.sort();
        claimed.truncate(most);
        let until = now + TimeDelta::from_std(options.lease).unwrap();
        for (_, id) in &claimed {
            if leases.insert(id.clone(), (options.owner.clone(), until)).is_some() {
                self.simulation.note(Fault::LeaseExpiry);
            }
        }
        claimed.into_iter().map(|(_, id)| id.to_string()).collect()
    }

    /// How long it is until an instance whose clock is so far ahead may
    /// claim an order.
    fn wait(&self, ahead: TimeDelta) -> Duration {
        let now = self.simulation.now();
        let rows = lock(&self.rows);
        let free = |(id, due): (&OrderId, &Timestamp)| match rows.leases.get(id) {
            Some(_) if self.leases_never_end() => None,
            Some((_, until)) => Some((*until + TimeDelta::milliseconds(1)).max(*due - ahead)),
            None => Some(*due - ahead),
        };
        let next = rows.due.iter().filter_map(free).min();
        let wait = next.map_or(MAX_STAY, |next| (next - now).to_std().unwrap_or_default());
        wait.clamp(Duration::from_millis(1), MAX_STAY)
    }

    /// Lengthens the leases of these orders to so long from now.
    fn lengthen(&self, orders: &[OrderId], time: Duration) {
        let until = self.simulation.now() + TimeDelta::from_std(time).unwrap();
        let mut rows = lock(&self.rows);
        for (_, lease) in rows.leases.iter_mut().filter(|(id, _)| orders.contains(id)) {
            lease.1 = lease.1.max(until);
        }
    }

    fn leases_never_end(&self) -> bool {
        self.simulation.bug == Some(Bug::LeasesNeverEnd)
    }
}

/// The list, as an instance reaches it.
#[derive(Debug)]
pub struct RemoteList {
    pub list: List,
    pub being: Being,
}

impl TodoList for RemoteList {
    type Error = &'static str;

    async fn claim(&self, now: Timestamp, most: usize, options: &TodoOptions) -> Result<Claimed, &'static str> {
        let (simulation, list) = (&self.being.simulation, &self.list);
        let call = async {
            simulation.travel().await;
            let begin = simulation.now();
            loop {
                let seen = list.changed.get();
                let at = now + (simulation.now() - begin);
                let claimed = list.take(at, most, options);
                let stayed = simulation.now() - begin;
                if !claimed.is_empty() || stayed.to_std().is_ok_and(|stayed| stayed >= MAX_STAY) {
                    simulation.tell(format_args!("{} claims {claimed:?}", options.owner));
                    simulation.travel().await;
                    return if simulation.happens(Fault::ListFailure) {
                        Err("as chance has it")
                    } else {
                        Ok(Claimed { orders: claimed, taken_over: 0 })
                    };
                }
                let wait = list.wait(at - simulation.now());
                // Whatever comes first: something new, or time.
                let _ = timeout(wait, list.changed.wait_until(|changes| changes > seen)).await;
            }
        };
        self.being.life.lead(call).await
    }

    async fn put_off(&self, orders: &[OrderId], time: Duration) -> Result<(), &'static str> {
        self.list.lengthen(orders, time);
        Ok(())
    }
}
