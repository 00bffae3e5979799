//! Settings that can change while the process runs.
//!
//! An option that a reload changes has the help heading [`RELOADED`], where it is declared. What
//! uses its value reads it from a [`Live`] each time, and never keeps a copy. A reload checks all
//! new values first, and collects in a [`Change`] what it will do with them, so that nothing fails
//! halfway.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// The help heading of the options that a reload changes.
pub const RELOADED: &str = "Options that a running role reads again on SIGHUP";

/// A value that can be replaced while it is used. Clones share it.
pub struct Live<T>(Arc<RwLock<Arc<T>>>);

impl<T> Live<T> {
    /// With this value.
    pub fn new(value: T) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(value))))
    }

    /// The value of this moment.
    pub fn get(&self) -> Arc<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the value. Who has read it before keeps the earlier one.
    pub fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Default> Default for Live<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Live<T> {
    fn eq(&self, other: &Self) -> bool {
        *self.get() == *other.get()
    }
}

impl<T: Eq> Eq for Live<T> {}

/// What a reload does once everything is checked. Nothing in it fails.
#[derive(Default)]
pub struct Change {
    steps: Vec<Box<dyn FnOnce() + Send>>,
    /// Options whose change has to wait for the next start.
    later: Vec<&'static str>,
}

impl Change {
    /// Also does this.
    #[must_use]
    pub fn then(mut self, step: impl FnOnce() + Send + 'static) -> Self {
        self.steps.push(Box::new(step));
        self
    }

    /// Also replaces this value.
    #[must_use]
    pub fn set<T: Send + Sync + 'static>(self, live: &Live<T>, value: T) -> Self {
        let live = live.clone();
        self.then(move || live.set(value))
    }

    /// Also does all of another change.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.steps.extend(other.steps);
        self.later.extend(other.later);
        self
    }

    /// Leaves the change of this option to the next start.
    #[must_use]
    pub fn later(mut self, option: &'static str) -> Self {
        self.later.push(option);
        self
    }

    /// Does it all. Returns the options whose change has to wait for the next start.
    pub fn apply(self) -> Vec<&'static str> {
        for step in self.steps {
            step();
        }
        self.later
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_changes_before_a_change_is_applied_and_then_all_of_it() {
        let (number, text) = (Live::new(1), Live::new("a"));
        let seen_by_another = number.clone();
        let change = Change::default().set(&number, 2).later("listen");
        let change = change.and(Change::default().set(&text, "b").later("data"));
        assert_eq!((*seen_by_another.get(), *text.get()), (1, "a"));
        assert_eq!(change.apply(), ["listen", "data"]);
        assert_eq!((*seen_by_another.get(), *text.get()), (2, "b"));
    }
}
