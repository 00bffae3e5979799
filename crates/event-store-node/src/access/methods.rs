//! What a caller needs for each method and page. What concerns one stream is decided later.

use super::caller::Caller;

/// What a method needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Nothing,
    User,
    /// `$ops` or `$admins`.
    Operator,
    /// `$admins`.
    Admin,
}

const PERSISTENT: &str = "/event_store.client.persistent_subscriptions.PersistentSubscriptions/";
const OPERATIONS: &str = "/event_store.client.operations.Operations/";
const USERS: &str = "/event_store.client.users.Users/";
/// What is answered before a client has a user: clients ask for it to find a node.
const FOR_ALL: [&str; 5] = ["/health/live", "/ping", "/info", "/gossip", "/event_store.client.gossip.Gossip/Read"];
const FEATURES: &str = "/event_store.client.server_features.ServerFeatures/";
const SCAVENGE: &str = "/admin/scavenge";

/// What a path needs. A path that is not known needs a user, so that only users learn that it does
/// not exist.
pub(super) fn need(path: &str) -> Need {
    let path = path.trim_end_matches('/');
    if FOR_ALL.contains(&path) || path.starts_with(FEATURES) {
        return Need::Nothing;
    }
    if path.starts_with(OPERATIONS) || path.starts_with(SCAVENGE) {
        return Need::Operator;
    }
    if let Some(method) = path.strip_prefix(PERSISTENT) {
        return if ["Read", "GetInfo", "List"].contains(&method) { Need::User } else { Need::Operator };
    }
    if let Some(method) = path.strip_prefix(USERS) {
        // Users see and change themselves.
        return if ["Details", "ChangePassword"].contains(&method) { Need::User } else { Need::Admin };
    }
    Need::User
}

impl Need {
    pub(super) fn is_met_by(self, caller: &Caller) -> bool {
        match self {
            Self::Nothing => true,
            Self::User => caller.is_user(),
            Self::Operator => caller.is_operator(),
            Self::Admin => caller.is_admin(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::caller::user;
    use super::*;

    #[test]
    fn each_method_is_for_those_who_need_it() {
        let callers = [Caller::Anonymous, user("anna", &[]), user("ops", &["$ops"]), user("admin", &["$admins"])];
        for (path, first) in [
            ("/health/live/", 0),
            ("/event_store.client.gossip.Gossip/Read", 0),
            ("/event_store.client.server_features.ServerFeatures/GetSupportedMethods", 0),
            ("/stats", 1),
            ("/event_store.client.streams.Streams/Read", 1),
            ("/event_store.client.persistent_subscriptions.PersistentSubscriptions/Read", 1),
            ("/event_store.client.persistent_subscriptions.PersistentSubscriptions/Create", 2),
            ("/event_store.client.persistent_subscriptions.PersistentSubscriptions/Anything", 2),
            ("/event_store.client.operations.Operations/Shutdown", 2),
            ("/admin/scavenge/1", 2),
            ("/event_store.client.users.Users/ChangePassword", 1),
            ("/event_store.client.users.Users/ResetPassword", 3),
            ("/no.Such/Thing", 1),
            ("/", 1),
        ] {
            for (rank, caller) in callers.iter().enumerate() {
                assert_eq!(need(path).is_met_by(caller), rank >= first, "{path} {caller:?}");
            }
        }
    }
}
