//! When the keys of an issuer are fetched.
//!
//! An issuer changes its keys whenever it likes. A token with a key that is not known has the keys
//! fetched, at most once in [`AT_MOST_EVERY`], so that made-up key ids cannot flood the issuer. A
//! key that the issuer has withdrawn is accepted no longer than [`MAX_AGE`], also while the issuer
//! is away.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;

/// The pause between two fetches.
pub const AT_MOST_EVERY: Duration = Duration::from_mins(1);
/// From this age on, the keys are fetched again.
pub const FRESH_FOR: Duration = Duration::from_mins(10);
/// From this age on, the keys are not used.
pub const MAX_AGE: Duration = Duration::from_hours(1);

/// The keys of an issuer, as of their last fetch. Times count from any fixed moment.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    fetched: Option<(Duration, Arc<JwkSet>)>,
    /// The last fetch because of their age.
    tried: Option<Duration>,
    /// The last fetch because of a key that was not there.
    sought: Option<Duration>,
}

impl KeySet {
    /// The keys, unless they are too old or were never fetched.
    pub fn usable(&self, now: Duration) -> Option<&Arc<JwkSet>> {
        self.fetched.as_ref().filter(|(at, _)| now.saturating_sub(*at) < MAX_AGE).map(|(_, keys)| keys)
    }

    /// Whether to fetch them now: they are not there, old, or lack the key that a token names.
    pub fn is_due(&self, now: Duration, lacks_a_key: bool) -> bool {
        let rested = |last: Option<Duration>| last.is_none_or(|last| now.saturating_sub(last) >= AT_MOST_EVERY);
        let is_old = || self.fetched.as_ref().is_none_or(|(at, _)| now.saturating_sub(*at) >= FRESH_FOR);
        if lacks_a_key { rested(self.sought) } else { rested(self.tried) && is_old() }
    }

    /// A fetch begins, for that reason.
    pub fn begin(&mut self, now: Duration, lacks_a_key: bool) {
        if lacks_a_key {
            self.sought = Some(now);
        }
        self.tried = Some(now);
    }

    /// The fetch that began then has brought these keys.
    pub fn fetched(&mut self, began: Duration, keys: JwkSet) {
        if self.fetched.as_ref().is_none_or(|(at, _)| *at <= began) {
            self.fetched = Some((began, Arc::new(keys)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn keys_that_were_never_fetched_are_fetched_once_a_minute() {
        let mut keys = KeySet::default();
        assert!(keys.is_due(SECOND, false) && keys.usable(SECOND).is_none());
        keys.begin(SECOND, false);
        assert!(!keys.is_due(AT_MOST_EVERY, false), "59 s later");
        assert!(keys.is_due(AT_MOST_EVERY + SECOND, false));
    }

    #[test]
    fn an_unknown_key_has_them_fetched_at_most_once_a_minute() {
        let mut keys = KeySet::default();
        keys.begin(SECOND, false);
        keys.fetched(SECOND, JwkSet::default());
        let later = SECOND + SECOND;
        assert!(!keys.is_due(later, false), "they are fresh");
        assert!(keys.is_due(later, true), "the issuer may have changed them since");
        keys.begin(later, true);
        assert!(!keys.is_due(later + SECOND, true));
        assert!(keys.is_due(later + AT_MOST_EVERY, true));
    }

    #[test]
    fn a_withdrawn_key_is_used_no_longer_than_the_keys_may_be_old() {
        let mut keys = KeySet::default();
        keys.fetched(SECOND, JwkSet::default());
        assert!(keys.is_due(SECOND + FRESH_FOR, false));
        assert!(keys.usable(MAX_AGE).is_some());
        assert!(keys.usable(SECOND + MAX_AGE).is_none());
    }

    #[test]
    fn an_answer_that_overtakes_another_is_not_replaced_by_the_older_one() {
        let mut keys = KeySet::default();
        keys.fetched(MAX_AGE, JwkSet::default());
        keys.fetched(SECOND, JwkSet::default());
        assert!(keys.usable(MAX_AGE + SECOND).is_some());
    }
}
