//! Time, dice and new ids: what the domain must not have, behind a port.

use std::future::Future;
use std::time::Duration;

use chrono::{SubsecRound, Utc};
use domain::Timestamp;
use domain::order::Now;
use uuid::Uuid;

/// Where time, and randomness, come from.
pub trait Clock: Clone + Send + Sync + 'static {
    /// The time, in whole milliseconds, and a roll of the dice.
    fn now(&self) -> Now;

    /// A new id. Ids made later sort behind.
    fn id(&self) -> Uuid;

    /// Returns no earlier than `moment`.
    fn sleep_until(&self, moment: Timestamp) -> impl Future<Output = ()> + Send;
}

/// The machine's.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Now {
        Now { at: Utc::now().trunc_subsecs(3), jitter: rand::random() }
    }

    fn id(&self) -> Uuid {
        Uuid::now_v7()
    }

    async fn sleep_until(&self, moment: Timestamp) {
        let wait = (moment - Utc::now()).to_std().unwrap_or(Duration::ZERO);
        tokio::time::sleep(wait).await;
    }
}
