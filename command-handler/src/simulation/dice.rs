//! The one source of chance in a run: whatever is drawn comes from its seed.

use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::lock::lock;

/// Rolled by everybody in a run. A run has one thread, so they are always rolled in the same order.
#[derive(Debug)]
pub struct Dice(Mutex<StdRng>);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// One of these numbers.
    pub fn within(&self, range: Range<u64>) -> u64 {
        lock(&self.0).random_range(range)
    }

    /// Whether something comes true that does in so many of a thousand cases.
    pub fn hits(&self, per_mille: u64) -> bool {
        per_mille > 0 && self.within(0..1000) < per_mille
    }

    /// One of these.
    pub fn pick<'a, T>(&self, among: &'a [T]) -> &'a T {
        &among[lock(&self.0).random_range(0..among.len())]
    }

    /// So long, or shorter.
    pub fn up_to(&self, longest: Duration) -> Duration {
        let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX - 1);
        Duration::from_millis(self.within(0..longest + 1))
    }

    /// In `0.0..1.0`.
    pub fn fraction(&self) -> f64 {
        lock(&self.0).random()
    }

    /// What makes an id its own.
    pub fn bytes(&self) -> [u8; 10] {
        lock(&self.0).random()
    }
}
