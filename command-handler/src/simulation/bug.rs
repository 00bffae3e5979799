//! What can be wrong on purpose, in the ports that a run is given, to see that the invariants tell.

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// An append is taken for done before it is: what it started is performed first, and appended second, if at all.
    PerformsBeforeAppending,
    /// Each attempt has an idempotency key of its own.
    AKeyForEachAttempt,
    /// Nobody takes over what somebody else once had a lease of.
    LeasesNeverEnd,
    /// A decision is as large as it may be, whatever the log takes.
    AppendsThatDoNotFit,
    /// "It is still running" (409) is taken for "no".
    TakesRunningForNo,
    /// Whatever looks like a placeholder is filled in, whoever wrote it.
    FillsPlaceholdersEverywhere,
}
