//! The progress and the result of a rebuild.

use event_store::Position;
use leader_consumer::Mismatch;
use views::View;

use crate::compare::Difference;

/// The progress of a rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It fills the tables.
    Filling {
        /// The position up to which events are read.
        position: u64,
        /// The position that the live views have.
        of: u64,
        /// Events read in this run.
        events: u64,
    },
    /// It creates the indexes of a view.
    Indexing(View),
    /// It waits for clients that read or write the live tables; the number of failed tries.
    Exchanging(usize),
}

/// The result of a rebuild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The checkpoint of the rebuilt views.
    pub position: Option<Position>,
    /// Events read in this run.
    pub events: u64,
    /// How the live views differed, if the rebuild only checks; at most 1,000 of each view.
    pub differences: Vec<Difference>,
    /// Orders that the log has.
    pub orders: u64,
    /// How the log differed from the one that the live views were made from, if it was another.
    pub adopted: Option<Mismatch>,
}
