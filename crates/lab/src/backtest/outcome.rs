//! The outcome of one order in a backtest.

use domain::backtest::Trial;

/// The outcome of one order.
#[derive(Debug)]
pub enum Outcome {
    /// It does not match.
    PassedOver,
    /// It was tried.
    Tried(Trial),
    /// Its history cannot be read or decided, for this reason.
    Broken(String),
}
