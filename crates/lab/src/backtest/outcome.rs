//! The outcome of one order in a backtest.

use domain::backtest::Trial;
use rust_decimal::Decimal;

/// The outcome of one order.
#[derive(Debug)]
pub enum Outcome {
    /// It does not match.
    PassedOver,
    /// It was tried.
    Tried(Trial, Worth),
    /// Its history cannot be read or decided, for this reason.
    Broken(String),
}

/// The total of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worth {
    /// The sum over its lines.
    pub total: Decimal,
    /// Its currency.
    pub currency: String,
}
