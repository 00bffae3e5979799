//! Bounds the costly queries that run at once. Each takes a processor for a while and holds its
//! answer in memory, and the process also drives orders. So a few run, some more wait for a moment,
//! and further ones are refused until later.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::ServerError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::code::ErrorCode;

/// How many costly queries may wait for each one that may run.
const WAITING_FOR_EACH: usize = 8;
/// How long a costly query waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// The number of costly queries is at its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("as many costly queries are under way as this instance runs at once; try again later, or ask for less")]
pub struct Overloaded;

impl From<Overloaded> for ServerError {
    fn from(overloaded: Overloaded) -> Self {
        ErrorCode::Overloaded.of_request(&overloaded)
    }
}

/// Room for costly queries.
#[derive(Clone)]
pub struct Admission {
    running: Arc<Semaphore>,
    here: Arc<Semaphore>,
    patience: Duration,
}

/// The place of a costly query, until it is dropped.
#[derive(Debug)]
pub struct Place {
    _running: OwnedSemaphorePermit,
    _here: OwnedSemaphorePermit,
}

impl Admission {
    /// Room for so many at once.
    pub fn new(at_once: usize) -> Self {
        let here = Semaphore::new(at_once * (1 + WAITING_FOR_EACH));
        Self { running: Arc::new(Semaphore::new(at_once)), here: Arc::new(here), patience: PATIENCE }
    }

    /// A place, as soon as one is free.
    pub async fn enter(&self) -> Result<Place, Overloaded> {
        let here = self.here.clone().try_acquire_owned().map_err(|_| Overloaded)?;
        let running = timeout(self.patience, self.running.clone().acquire_owned()).await;
        let running = running.map_err(|_| Overloaded)?.map_err(|_| Overloaded)?;
        Ok(Place { _running: running, _here: here })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn some_run_some_wait_and_further_ones_are_refused() {
        let admission = Admission { patience: Duration::from_mins(1), ..Admission::new(1) };
        let first = admission.enter().await.unwrap();
        let waiting: Vec<_> = (0..WAITING_FOR_EACH)
            .map(|_| {
                let admission = admission.clone();
                tokio::spawn(async move { admission.enter().await.map(drop) })
            })
            .collect();
        tokio::task::yield_now().await;
        assert_eq!(admission.enter().await.unwrap_err(), Overloaded);
        drop(first);
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap(), Ok(()));
        }
        let held = admission.enter().await.unwrap();
        let impatient = Admission { patience: Duration::from_millis(1), ..admission.clone() };
        assert_eq!(impatient.enter().await.unwrap_err(), Overloaded, "it waits only so long");
        drop(held);
        admission.enter().await.unwrap();
    }
}
