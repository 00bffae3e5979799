//! What another definition would have done with the orders of the past, from the log itself.

mod outcome;
pub(crate) mod report;
mod scan;
mod selection;
mod tally;
#[cfg(test)]
mod tests;
mod trial;

pub use self::outcome::{Outcome, Worth};
pub use self::selection::Selection;
pub use self::tally::{Counted, Ends, Group, Stakes, Tally};
pub use self::trial::{Bench, Effort, Observer, backtest};
