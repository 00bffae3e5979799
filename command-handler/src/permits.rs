//! Permits whose number can change while some are taken.

use std::sync::{Arc, Mutex};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::lock::lock;

/// At most so many permits are taken at the same time.
#[derive(Debug)]
pub(crate) struct Permits {
    semaphore: Arc<Semaphore>,
    numbers: Arc<Mutex<Numbers>>,
}

#[derive(Debug)]
struct Numbers {
    most: usize,
    /// How many permits end with their use, since there are fewer now than were taken before.
    owed: usize,
}

/// A permit, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    taken: Option<OwnedSemaphorePermit>,
    numbers: Arc<Mutex<Numbers>>,
}

impl Permits {
    pub fn new(most: usize) -> Self {
        let most = most.min(Semaphore::MAX_PERMITS);
        Self { semaphore: Arc::new(Semaphore::new(most)), numbers: Arc::new(Mutex::new(Numbers { most, owed: 0 })) }
    }

    /// How many there are.
    pub fn most(&self) -> usize {
        lock(&self.numbers).most
    }

    /// How many are not taken.
    pub fn free(&self) -> usize {
        self.semaphore.available_permits()
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        let numbers = lock(&self.numbers);
        (numbers.most + numbers.owed).saturating_sub(self.semaphore.available_permits())
    }

    pub fn try_take(&self) -> Option<Permit> {
        self.semaphore.clone().try_acquire_owned().ok().map(|taken| self.permit(taken))
    }

    /// Waits for one, in turn.
    pub async fn take(&self) -> Result<Permit, AcquireError> {
        self.semaphore.clone().acquire_owned().await.map(|taken| self.permit(taken))
    }

    fn permit(&self, taken: OwnedSemaphorePermit) -> Permit {
        Permit { taken: Some(taken), numbers: self.numbers.clone() }
    }

    /// From now on, there are so many. If more are taken, the next ones that end are not given
    /// again.
    pub fn resize(&self, most: usize) {
        let most = most.min(Semaphore::MAX_PERMITS);
        let mut numbers = lock(&self.numbers);
        if let Some(more) = most.checked_sub(numbers.most) {
            let kept = more.min(numbers.owed);
            numbers.owed -= kept;
            self.semaphore.add_permits(more - kept);
        } else {
            let fewer = numbers.most - most;
            numbers.owed += fewer - self.semaphore.forget_permits(fewer);
        }
        numbers.most = most;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut numbers = lock(&self.numbers);
        if numbers.owed > 0
            && let Some(taken) = self.taken.take()
        {
            numbers.owed -= 1;
            taken.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_who_waits_goes_on_with_a_larger_number_and_only_then() {
        let permits = Arc::new(Permits::new(1));
        let first = permits.take().await.unwrap();
        let waiting = tokio::spawn({
            let permits = permits.clone();
            async move { permits.take().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        permits.resize(2);
        let second = waiting.await.unwrap().unwrap();
        permits.resize(1);
        drop(first);
        assert!(permits.try_take().is_none(), "the second one is still taken");
        drop(second);
        assert!(permits.try_take().is_some());
    }

    proptest! {
        /// A number above 20: the permits are resized to what it exceeds 20 by. An even one takes a
        /// permit, an odd one gives the oldest back.
        #[test]
        fn no_more_are_given_than_the_last_number_allows(moves in proptest::collection::vec(0_usize..40, 0..60)) {
            let (permits, mut taken, mut most) = (Permits::new(4), std::collections::VecDeque::new(), 4);
            for step in moves {
                match step {
                    20.. => {
                        most = step - 20;
                        permits.resize(most);
                    }
                    _ if step % 2 == 1 => drop(taken.pop_front()),
                    _ => {
                        let permit = permits.try_take();
                        prop_assert_eq!(permit.is_some(), taken.len() < most);
                        taken.extend(permit);
                    }
                }
                prop_assert_eq!((permits.most(), permits.taken()), (most, taken.len()));
                prop_assert_eq!(permits.free(), most.saturating_sub(taken.len()));
            }
        }
    }
}
