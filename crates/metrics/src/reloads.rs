//! How often this process has read its configuration again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A process has one configuration.
pub(crate) static RELOADS: Reloads = Reloads::new();

/// The reloads so far.
pub(crate) struct Reloads {
    ok: AtomicU64,
    failed: AtomicU64,
    has_last_failed: AtomicBool,
    /// When the last one succeeded, in Unix time; 0: none has.
    last: AtomicU64,
}

/// Counts a reload of the configuration.
pub fn note_reload(is_ok: bool) {
    RELOADS.note(is_ok);
}

impl Reloads {
    const fn new() -> Self {
        let has_last_failed = AtomicBool::new(false);
        Self { ok: AtomicU64::new(0), failed: AtomicU64::new(0), has_last_failed, last: AtomicU64::new(0) }
    }

    fn note(&self, is_ok: bool) {
        let count = if is_ok { &self.ok } else { &self.failed };
        count.fetch_add(1, Ordering::Relaxed);
        self.has_last_failed.store(!is_ok, Ordering::Relaxed);
        if is_ok {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.last.store(now.as_secs(), Ordering::Relaxed);
        }
    }

    /// By their results.
    pub fn counts(&self) -> [(&'static str, u64); 2] {
        [("ok", self.ok.load(Ordering::Relaxed)), ("failed", self.failed.load(Ordering::Relaxed))]
    }

    pub fn has_last_failed(&self) -> bool {
        self.has_last_failed.load(Ordering::Relaxed)
    }

    /// When the last one succeeded, in Unix time.
    pub fn last(&self) -> Option<u64> {
        Some(self.last.load(Ordering::Relaxed)).filter(|last| *last > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reloads_are_counted_by_result_and_the_last_one_decides_whether_it_failed() {
        let reloads = Reloads::new();
        assert_eq!((reloads.has_last_failed(), reloads.last()), (false, None));
        reloads.note(false);
        assert_eq!((reloads.counts(), reloads.has_last_failed()), ([("ok", 0), ("failed", 1)], true));
        assert_eq!(reloads.last(), None);
        reloads.note(true);
        assert_eq!((reloads.counts(), reloads.has_last_failed()), ([("ok", 1), ("failed", 1)], false));
        assert!(reloads.last().is_some());
    }
}
