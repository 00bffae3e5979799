//! What authenticated callers have done, counted for metrics. Nothing here says who they are.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::Extensions;

use crate::admitted::{Admitted, Credentials};

/// What stands for the role of a principal without one.
const NO_ROLE: &str = "none";

/// The counts of a listener. Clones are the same counts. The server puts them into the extensions
/// of each request.
#[derive(Debug, Clone, Default)]
pub struct AccessCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: Mutex<BTreeMap<(Credentials, &'static str), u64>>,
    disclosures: AtomicU64,
    erasures: AtomicU64,
    exports: AtomicU64,
}

impl AccessCounts {
    /// The counts for a request. One that came through no listener is counted nowhere.
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// A request with credentials has passed. It counts for each role of its principal.
    pub fn note_request(&self, admitted: &Admitted) {
        let (Some(shown), Some(principal)) = (admitted.shown, admitted.caller.principal()) else { return };
        let mut requests = self.0.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kinds: Vec<&str> = principal.roles.iter().map(crate::Role::kind).collect();
        kinds.dedup();
        if kinds.is_empty() {
            kinds.push(NO_ROLE);
        }
        for kind in kinds {
            *requests.entry((shown, kind)).or_default() += 1;
        }
    }

    /// The personal data of so many orders were read.
    pub fn note_disclosures(&self, orders: usize) {
        self.0.disclosures.fetch_add(orders as u64, Ordering::Relaxed);
    }

    /// The personal data of a customer were erased.
    pub fn note_erasure(&self) {
        self.0.erasures.fetch_add(1, Ordering::Relaxed);
    }

    /// The history of an order was exported.
    pub fn note_export(&self) {
        self.0.exports.fetch_add(1, Ordering::Relaxed);
    }

    /// The requests with credentials, by their kind and by the kind of role.
    pub fn requests(&self) -> BTreeMap<(Credentials, &'static str), u64> {
        self.0.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Orders whose personal data were read.
    pub fn disclosures(&self) -> u64 {
        self.0.disclosures.load(Ordering::Relaxed)
    }

    /// Customers whose personal data were erased.
    pub fn erasures(&self) -> u64 {
        self.0.erasures.load(Ordering::Relaxed)
    }

    /// Histories that were exported.
    pub fn exports(&self) -> u64 {
        self.0.exports.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Caller, Principal};

    fn admitted(roles: &[&str], shown: Option<Credentials>) -> Admitted {
        let roles = roles.iter().map(|role| role.parse().unwrap()).collect();
        let principal = Principal { name: "web".to_owned(), roles, on_behalf_of: false };
        Admitted { caller: Caller::Known(Arc::new(principal)), session: None, shown }
    }

    #[test]
    fn a_request_counts_once_for_each_kind_of_role_and_of_credentials() {
        let counts = AccessCounts::default();
        counts.note_request(&admitted(&["participant:payments", "participant:shipping"], Some(Credentials::Key)));
        counts.note_request(&admitted(&["shop", "viewer"], Some(Credentials::Token)));
        counts.note_request(&admitted(&["shop"], Some(Credentials::Token)));
        counts.note_request(&admitted(&[], Some(Credentials::Certificate)));
        counts.note_request(&admitted(&["shop"], None));
        counts.note_request(&Admitted { caller: Caller::Stranger, session: None, shown: None });
        let expected = [
            ((Credentials::Key, "participant"), 1),
            ((Credentials::Token, "shop"), 2),
            ((Credentials::Token, "viewer"), 1),
            ((Credentials::Certificate, "none"), 1),
        ];
        assert_eq!(counts.requests(), expected.into());
    }
}
