//! The options of a backtest.

use super::rules::Rules;

/// How to run an order.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Answers to requests that the history never sent.
    pub rules: Option<Rules>,
    /// An answer counts as unknown if its input differs from the recorded one, even where nothing
    /// shows that the input matters.
    pub same_input: bool,
}
