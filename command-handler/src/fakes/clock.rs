//! A clock that stands still until a test moves it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use domain::Timestamp;
use domain::order::Now;
use tokio::sync::watch;
use uuid::Uuid;

use super::life::Life;
use crate::clock::Clock;

/// A hand on the clock: all instances of a world read the same one.
#[derive(Debug, Clone)]
pub struct SimulatedClock {
    now: watch::Sender<Timestamp>,
    life: Life,
}

impl SimulatedClock {
    /// Stands at the beginning of 2026; the dice lie at their middle.
    pub fn new() -> Self {
        let begin = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
        Self { now: watch::Sender::new(begin), life: Life::long() }
    }

    /// As an instance reads it.
    pub fn of(&self, life: &Life) -> Self {
        Self { life: life.clone(), ..self.clone() }
    }

    /// The time.
    pub fn time(&self) -> Timestamp {
        *self.now.borrow()
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        self.advance_to(self.time() + TimeDelta::from_std(by).unwrap());
    }

    /// Moves it on, never back.
    pub fn advance_to(&self, moment: Timestamp) {
        self.now.send_modify(|now| *now = (*now).max(moment));
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Now {
        Now { at: self.time(), jitter: 0.5 }
    }

    fn id(&self) -> Uuid {
        Uuid::now_v7()
    }

    async fn sleep_until(&self, moment: Timestamp) {
        let mut now = self.now.subscribe();
        let wait = async {
            // The sender is here: waiting cannot fail.
            let _ = now.wait_for(|now| *now >= moment).await;
        };
        self.life.lead(wait).await;
    }
}
