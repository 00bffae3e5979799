//! What can be wrong on purpose, in the ports that a run is given, to see that the invariants tell.

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// An append is taken for done before it is: what it started is performed first, and appended
    /// second, if at all.
    PerformsBeforeAppending,
    /// Each attempt has its own idempotency key.
    AKeyForEachAttempt,
    /// A lease never ends, so no other instance takes the order over.
    LeasesNeverEnd,
    /// Decisions have no limit on their size, although the log has one on appends.
    AppendsThatDoNotFit,
    /// "It is still running" (409) is taken for "no".
    TakesRunningForNo,
    /// Placeholders are filled in everywhere: also those in text that a shop or a participant sent.
    FillsPlaceholdersEverywhere,
}
