//! The budget of one evaluation. Everything that takes time or memory pays before it is done.
//!
//! One unit pays for one step (a node of the tree, an item compared or copied) or for 32 bytes read
//! or built. So every evaluation takes at most [`UNITS`] steps and holds at most 64 MiB, with all
//! shared values.

use std::cell::Cell;

use super::error::Trouble;

/// The budget of an evaluation. A pass over an order of 500 lines spends about 5,000 units.
pub(crate) const UNITS: u64 = 1_000_000;

/// The bytes that one unit pays for.
const BYTES_PER_UNIT: usize = 32;

/// The remaining budget of an evaluation.
pub(super) struct Budget {
    had: u64,
    left: Cell<u64>,
}

impl Budget {
    pub fn of(units: u64) -> Self {
        Self { had: units, left: Cell::new(units) }
    }

    /// Pays for this many steps.
    pub fn spend<'t>(&self, units: u64) -> Result<(), Trouble<'t>> {
        let Some(left) = self.left.get().checked_sub(units) else {
            self.left.set(0);
            return Err(Trouble::TooMuchWork);
        };
        self.left.set(left);
        Ok(())
    }

    /// Pays for this many items that are copied or read.
    pub fn items<'t>(&self, count: usize) -> Result<(), Trouble<'t>> {
        self.spend(u64::try_from(count).unwrap_or(u64::MAX))
    }

    /// Pays for this many bytes that are read or built.
    pub fn bytes<'t>(&self, count: usize) -> Result<(), Trouble<'t>> {
        self.items(count / BYTES_PER_UNIT + 1)
    }

    /// The spent units.
    pub fn spent(&self) -> u64 {
        self.had - self.left.get()
    }
}
