//! When orders and steps are expected to end, from how long others took.
//!
//! A [`Histogram`] is kept of each step of each workflow version, of how long the step takes
//! ([`Part::Step`]), and of how long the order takes from the beginning of that step to its end
//! ([`Part::Rest`]). Earlier samples count less and less. All samples of a log, in its order, give
//! the same histograms.
//!
//! Only time that counts is a sample: [`Clock`](crate::order::Clock) stands while an order is held.
//! A step ends with its last answer, or fails; what an operator has ended is no sample. The rest of
//! an order is known from orders that were completed.

#[cfg(test)]
mod calibration;
mod estimates;
mod expected;
mod histogram;
mod key;
mod samples;
#[cfg(test)]
mod tests;

pub use estimates::{Estimate, Estimates};
pub use expected::Expected;
pub use histogram::{Histogram, MIN_SAMPLES};
pub use key::{EstimateKey, Part};
pub use samples::{Sample, samples};
